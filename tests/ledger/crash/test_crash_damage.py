"""The journal's end truncated or flipped: a start yields the longest good prefix, or refuses with the position, and says which."""

from __future__ import annotations

import os
import random
import shutil
import sqlite3
from contextlib import closing, contextmanager
from typing import TYPE_CHECKING, Any, Final

import pytest
import structlog
from sqlalchemy import text

from keys.clock import UnixMs
from ledger import tables
from ledger.book import Ledger
from ledger.errors import DatabaseDamaged
from ledger.store import Database
from ledger.transfer import Flag
from tests.ledger.crash.test_crash_kills import file_ledger
from tests.ledger.entries import CASH, OPERATOR, PURSE, SUBSIDY, SetClock, transfer
from tests.ledger.unguarded import unguard

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from sqlalchemy import Table

    from tests.ledger.crash.cluster import Cluster

LONG: Final = os.environ.get("HEBAT_LONG") == "1"
CLOCK: Final = SetClock(UnixMs(1_748_829_600_000))
FRAME_HEADER, WAL_HEADER = 24, 32
"""SQLite's file format, section 4.1: bytes before each page of the log, and before the first."""


def fill(ledger: Ledger) -> None:
    """Two blocks, the last of them small."""
    ledger.post([transfer(CASH, PURSE, 900_000, uid=1, tmc=1)], document=b"first")
    fare = transfer(PURSE, OPERATOR, 100_000, flags=Flag.LINKED, uid=1, tmc=2, terminal=9, sequence=2)
    ledger.post([fare, transfer(SUBSIDY, OPERATOR, 250_000, uid=1, tmc=2)], document=b"last")


def opened_at(url: str) -> tuple[int, int]:
    """Open the ledger, post behind its end, and where it said that it opened: the block and the position."""
    structlog.reset_defaults()  # a command that another test ran in this process may have left only errors to be heard
    with structlog.testing.capture_logs() as logs, Ledger.open(url, CLOCK) as ledger:
        head = ledger.head()
        assert ledger.rebuild_check() == head.position
        assert ledger.post([transfer(uid=1, tmc=3)])[0].position == head.position + 1
    said = [log for log in logs if log["event"] == "ledger opened"]
    assert [(log["block"], log["position"], log["digest"]) for log in said] == [
        (head.block, head.position, head.digest.hex())
    ]
    return head.block, head.position


# The log of SQLite, which holds what was not yet carried into its file


@pytest.fixture(scope="module")
def crashed(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, int]:
    """A file and its log as a kill leaves them, and where in the log the last block's transaction begins."""
    folder = tmp_path_factory.mktemp("crashed")
    url = file_ledger(folder, 0)
    with Ledger.open(url, CLOCK) as ledger:
        ledger.post([transfer(CASH, PURSE, 900_000, uid=1, tmc=1)], document=b"first")
        log = folder / "ledger-0.db-wal"
        begins = log.stat().st_size
        ledger.post([transfer(uid=1, tmc=2)], document=b"last")
        assert log.stat().st_size > begins
        for name in ("ledger-0.db", "ledger-0.db-wal"):
            shutil.copy(folder / name, folder / f"image-{name}")
    return folder, begins


def image(crashed: tuple[Path, int], folder: Path, log: bytes) -> str:
    """The file with another log beside it."""
    for old in folder.glob("ledger.db*"):
        old.unlink()
    shutil.copy(crashed[0] / "image-ledger-0.db", folder / "ledger.db")
    (folder / "ledger.db-wal").write_bytes(log)
    return f"sqlite:///{folder / 'ledger.db'}"


class Damaged:
    """The file, and beside it one log after another as damage leaves it: what SQLite takes the database to be then."""

    def __init__(self, crashed: tuple[Path, int], folder: Path) -> None:
        self._file = folder / "damaged.db"
        shutil.copy(crashed[0] / "image-ledger-0.db", self._file)
        self.whole, self.begins = (crashed[0] / "image-ledger-0.db-wal").read_bytes(), crashed[1]
        self.before = self.seen(self.whole[: self.begins])
        assert self.before != self.seen(self.whole)

    def seen(self, log: bytes) -> bytes:
        """Every page of the database as a reader gets it, the log's included; nothing is carried into the file."""
        self._file.with_name("damaged.db-shm").unlink(missing_ok=True)
        self._file.with_name("damaged.db-wal").write_bytes(log)
        with closing(sqlite3.connect(f"file:{self._file}?mode=ro", uri=True)) as database:
            return database.serialize()

    def flipped(self, at: int, bit: int) -> bytes:
        """The log with one bit of the last block's transaction changed."""
        log = bytearray(self.whole)
        log[at] ^= 1 << bit
        return bytes(log)


def places(first: int, end: int, always: set[int], count: int = 12) -> list[int]:
    """A sample of a span, and those of its places that always matter."""
    sample = random.Random(4).sample(range(first, end), count)
    return sorted({*sample, *(at for at in always if first <= at < end)})


def every(damaged: Damaged) -> range:
    """All places of the last block's transaction; each thirtieth or so in the default suite, at another place of each frame."""
    return range(damaged.begins, len(damaged.whole), 1 if LONG else 29)


def frames(begins: int, end: int, page: int) -> set[int]:
    """The ends of frames, and their neighbours."""
    return {at + near for at in range(begins, end + 1, page + FRAME_HEADER) for near in (-1, 0, 1)}


def test_a_log_cut_off_at_any_length_opens_at_the_last_block_that_is_whole(
    crashed: tuple[Path, int], tmp_path: Path
) -> None:
    """A start is one function of the pages that SQLite reads: the same pages, byte for byte, are the same start."""
    damaged = Damaged(crashed, tmp_path)
    whole, begins = damaged.whole, damaged.begins
    assert opened_at(image(crashed, tmp_path, whole)) == (2, 2)
    for length in places(begins, len(whole), frames(begins, len(whole), 4096)):
        assert opened_at(image(crashed, tmp_path, whole[:length])) == (1, 1), length
    for length in every(damaged):
        assert damaged.seen(whole[:length]) == damaged.before, length


def test_a_log_flipped_anywhere_in_the_last_block_opens_at_the_block_before(
    crashed: tuple[Path, int], tmp_path: Path
) -> None:
    damaged = Damaged(crashed, tmp_path)
    for at in places(damaged.begins, len(damaged.whole), frames(damaged.begins, len(damaged.whole), 4096)):
        assert opened_at(image(crashed, tmp_path, damaged.flipped(at, at % 8))) == (1, 1), at
    for at in every(damaged):
        for bit in range(8) if LONG else (at % 8,):
            assert damaged.seen(damaged.flipped(at, bit)) == damaged.before, (at, bit)


# The rows of the last block themselves, on both databases


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> str:
    """A ledger of two blocks; every test leaves it as it was."""
    cluster: Cluster | None = request.getfixturevalue("cluster") if request.param == "postgresql" else None
    made = cluster.ledger() if cluster else file_ledger(tmp_path_factory.mktemp("rows"), 0)
    with Ledger.open(made, CLOCK) as ledger:
        fill(ledger)
    return made


@contextmanager
def changed(url: str, *statements: str, **values: Any) -> Iterator[None]:
    """The database as somebody changed it; as it was, afterwards."""
    with closing(Database(url)) as database:
        names = ("transfers", "blocks", "documents")
        kept = {}
        with database.transaction() as connection:
            unguard(connection)
            if not database.is_sqlite:  # which itself refuses a row that no business date's table takes
                other = "CREATE TABLE IF NOT EXISTS transfers_any PARTITION OF transfers DEFAULT"
                connection.exec_driver_sql(other)
            for name in names:
                kept[name] = connection.execute(tables.metadata.tables[name].select()).mappings().all()
            for statement in statements:
                connection.execute(text(statement), values)
        yield
        with database.transaction() as connection:
            unguard(connection)
            for name, rows in kept.items():
                connection.execute(tables.metadata.tables[name].delete())
                connection.execute(tables.metadata.tables[name].insert(), [dict(row) for row in rows])


def look(url: str, query: str) -> Mapping[str, Any]:
    with closing(Database(url)) as database, database.transaction() as connection:
        row = connection.execute(text(query)).mappings().one()
    return {name: bytes(value) if isinstance(value, memoryview) else value for name, value in row.items()}


def check_whole(url: str) -> None:
    with Ledger.open(url, CLOCK) as ledger:
        assert (ledger.head().block, ledger.head().position) == (2, 3)


def check_refused(url: str, last: int, positions: str = "") -> None:
    with pytest.raises(DatabaseDamaged) as caught:
        Ledger.open(url, CLOCK).close()
    said = str(caught.value)
    assert f"block, {last} " in said, said
    assert f"(positions {positions})" in said, said
    assert "restore" in said


def bits() -> list[int]:
    return list(range(63)) if LONG else [0, 62]


def names(table: Table) -> list[str]:
    return [column.name for column in table.columns if column.name not in {"partition", "position"}]


def test_a_flipped_bit_in_a_row_of_the_last_block_is_refused_with_its_position(url: str) -> None:
    row = look(url, "SELECT * FROM transfers WHERE position = 3")
    for column in names(tables.transfers):
        for bit in bits():
            to = row[column] ^ (1 << bit)
            if column != "amount" or to > 0:  # the database itself refuses an amount below 1
                with changed(url, f"UPDATE transfers SET {column} = :to WHERE position = 3", to=to):
                    check_refused(url, 2, "2 to 3")
    check_whole(url)


def test_a_flipped_bit_in_the_last_block_itself_is_refused(url: str) -> None:
    row = look(url, "SELECT * FROM blocks WHERE block = 2")
    for column in names(tables.blocks):
        value = row[column]
        for bit in range(31) if LONG else (0, 7):
            flipped = (
                value ^ (1 << bit) if isinstance(value, int) else bytes([value[0] ^ 1 << bit % 8, *value[1:]])
            )
            with (
                changed(url, f"UPDATE blocks SET {column} = :to WHERE block = 2", to=flipped),
                pytest.raises(DatabaseDamaged, match="restore"),
            ):
                Ledger.open(url, CLOCK).close()
    check_whole(url)


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE documents SET body = :body WHERE block = 2",
        "DELETE FROM documents WHERE block = 2",
        "DELETE FROM transfers WHERE position = 3",
        "DELETE FROM transfers WHERE position >= 2",
        "INSERT INTO documents (partition, block, ordinal, body) VALUES (0, 2, 1, :body)",
    ],
)
def test_a_last_block_that_lacks_something_is_refused_with_its_position(url: str, statement: str) -> None:
    values = {"body": b"lasT"} if ":body" in statement else {}
    with changed(url, statement, **values):
        check_refused(url, 2, "2 to 3")
    check_whole(url)


def test_rows_whose_block_is_gone_are_refused_with_their_position(url: str) -> None:
    with (
        changed(url, "DELETE FROM documents WHERE block = 2", "DELETE FROM blocks WHERE block = 2"),
        pytest.raises(DatabaseDamaged, match=r"rows up to position 3, and blocks up to 1"),
    ):
        Ledger.open(url, CLOCK).close()
