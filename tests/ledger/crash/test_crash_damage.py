"""The journal's end truncated or flipped: a start yields the longest good prefix, or refuses with the position, and says which."""

from __future__ import annotations

import os
import random
import shutil
import sqlite3
import time
from contextlib import closing, contextmanager
from typing import TYPE_CHECKING, Any, Final

import pytest
import structlog
from sqlalchemy import BigInteger, text
from sqlalchemy.exc import IntegrityError

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

    from sqlalchemy import Column

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


class Changing:
    """A ledger of two blocks that somebody changes behind its back, and that is then as it was."""

    def __init__(self, url: str) -> None:
        self.url = url
        with Ledger.open(url, CLOCK) as ledger:
            fill(ledger)
        self.database = Database(url)
        with self.database.transaction() as connection:
            self._kept = {
                name: connection.execute(tables.metadata.tables[name].select()).mappings().all()
                for name in ("transfers", "blocks", "documents")
            }
            if not self.database.is_sqlite:  # which itself refuses a row that no business date's table takes
                connection.exec_driver_sql("CREATE TABLE transfers_any PARTITION OF transfers DEFAULT")

    def row(self, table: str, where: str) -> Mapping[str, Any]:
        """A row as it is."""
        with self.database.transaction() as connection:
            found = connection.execute(text(f"SELECT * FROM {table} WHERE {where}")).mappings().one()
        return {
            name: bytes(value) if isinstance(value, memoryview) else value for name, value in found.items()
        }

    @contextmanager
    def by(self, *statements: str, **values: Any) -> Iterator[None]:
        """The database as somebody changed it; as it was, afterwards. Raises IntegrityError where the database itself refuses."""
        with self.database.engine.begin() as connection:
            unguard(connection)
            for statement in statements:
                connection.execute(text(statement), values)
        try:
            yield
        finally:
            with self.database.transaction() as connection:
                unguard(connection)
                for name, rows in self._kept.items():
                    connection.execute(tables.metadata.tables[name].delete())
                    connection.execute(tables.metadata.tables[name].insert(), [dict(row) for row in rows])

    def check_whole(self) -> None:
        with Ledger.open(self.url, CLOCK) as ledger:
            assert (ledger.head().block, ledger.head().position) == (2, 3)

    def check_refused(self, where: str = r"the last block, 2 \(positions 2 to 3\)") -> None:
        with pytest.raises(DatabaseDamaged, match=rf"({where}).*: restore ") as caught:
            Ledger.open(self.url, CLOCK).close()
        assert "\n" not in str(caught.value)


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def changing(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Changing]:
    """One on each database; every test leaves it as it was."""
    cluster: Cluster | None = request.getfixturevalue("cluster") if request.param == "postgresql" else None
    made = Changing(cluster.ledger() if cluster else file_ledger(tmp_path_factory.mktemp("rows"), 0))
    yield made
    made.database.close()


LAST_ROWS: Final = {"transfers": "position = 3", "blocks": "block = 2", "documents": "block = 2"}
SAID: Final = {
    "transfers": r"the last block, 2 \(positions 2 to 3\)",
    "blocks": r"the last block, -?\d+ \(positions -?\d+ to -?\d+\)|rows up to position 3, and blocks up to 1",
    "documents": r"the last block, 2 \(positions 2 to 3\)|document -?\d+ of block 2",
}
"""Where a start says that the damage is; a block that is damaged itself is named as it stands there now."""


def flipped(column: Column[Any], value: int | bytes) -> Iterator[int | bytes]:
    """A value with each of its bits changed; some of them in the default suite, the first and the last among them."""
    if isinstance(value, bytes):
        last = 8 * len(value)
        for bit in range(last) if LONG else (0, last // 2 + 3, last - 1):
            yield bytes(one ^ (1 << bit % 8 if at == bit // 8 else 0) for at, one in enumerate(value))
        return
    width = 64 if isinstance(column.type, BigInteger) else 32
    for bit in range(width) if LONG else (0, width - 2, width - 1):
        changed = (value & (1 << width) - 1) ^ (1 << bit)
        yield changed - (changed >> width - 1 << width)


@pytest.mark.parametrize("table", LAST_ROWS)
def test_a_flipped_bit_in_a_row_of_the_last_block_is_refused_with_its_position(
    changing: Changing, table: str
) -> None:
    where, columns = LAST_ROWS[table], tables.metadata.tables[table].columns
    row, refused = changing.row(table, where), set[tuple[str, int | bytes]]()
    for column in columns:
        for to in flipped(column, row[column.name]):
            try:
                with changing.by(f"UPDATE {table} SET {column.name} = :to WHERE {where}", to=to):
                    changing.check_refused(SAID[table])
            except IntegrityError:
                refused.add((column.name, to))
    changing.check_whole()
    # The database itself refuses an amount below zero, and a position that another row of the partition has.
    assert {name for name, _ in refused} <= {"amount", "position"}
    assert all(to in {1, 2} if name == "position" else int(to) < 0 for name, to in refused)


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
def test_a_last_block_that_lacks_something_is_refused_with_its_position(
    changing: Changing, statement: str
) -> None:
    values = {"body": b"lasT"} if ":body" in statement else {}
    with changing.by(statement, **values):
        changing.check_refused()
    changing.check_whole()


def test_rows_whose_block_is_gone_are_refused_with_their_position(changing: Changing) -> None:
    with (
        changing.by("DELETE FROM documents WHERE block = 2", "DELETE FROM blocks WHERE block = 2"),
        pytest.raises(DatabaseDamaged, match=r"rows up to position 3, and blocks up to 1"),
    ):
        Ledger.open(changing.url, CLOCK).close()


def connected(cluster: Cluster) -> list[str]:
    """The databases that connections are open to, those of ledgers."""
    with closing(cluster.connect("postgres")) as connection, connection.cursor() as cursor:
        cursor.execute("SELECT datname FROM pg_stat_activity WHERE datname LIKE 'ledger%'")
        return [name for (name,) in cursor.fetchall()]


def test_a_start_that_is_refused_leaves_no_connection_behind(cluster: Cluster) -> None:
    url = cluster.ledger()
    with Ledger.open(url, CLOCK) as ledger:
        fill(ledger)
    name, refused = str(Database(url).url.database), []
    cluster.execute(name, "DELETE FROM blocks")
    for _ in range(3):
        with pytest.raises(DatabaseDamaged) as caught:
            Ledger.open(url, CLOCK)
        refused.append(caught)  # and with it whatever its traceback holds on to
    deadline = time.monotonic() + 30
    while name in connected(cluster):  # a process of PostgreSQL's goes a moment after its connection
        assert time.monotonic() < deadline
        time.sleep(0.02)
