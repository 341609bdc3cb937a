"""A check must find any change to what was written: by SQL in any column, and by single bytes of the file."""

from __future__ import annotations

import random
import shutil
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from sqlalchemy import text

from keys.clock import UnixMs
from ledger.book import Ledger
from ledger.chain import store
from ledger.errors import DatabaseDamaged
from ledger.store import Database
from ledger.tables import metadata
from ledger.transfer import ROW, Flag
from ledger.verify import Verified, verify
from tests.ledger.entries import CASH, OPERATOR, OTHER_PURSE, PURSE, SUBSIDY, WALLET, SetClock, transfer
from tests.ledger.unguarded import unguard

if TYPE_CHECKING:
    from pathlib import Path

    import numpy.typing as npt

    from ledger.journal import Block

    Rows = npt.NDArray[np.void]


def fill(url: str, clock: SetClock) -> Verified:
    """A small journal with everything in it: groups, holds, documents, a closed window, a snapshot."""
    with Ledger.open(url, clock) as ledger:
        for tmc in range(1, 9):
            fare = transfer(
                PURSE, OPERATOR, 100_000, flags=Flag.LINKED, uid=0x0401, tmc=tmc, terminal=9, sequence=tmc
            )
            ledger.post(
                [fare, transfer(SUBSIDY, OPERATOR, 250_000, uid=0x0401, tmc=tmc)], document=b"tap %d" % tmc
            )
        ledger.post([transfer(CASH, PURSE, 70, flags=Flag.PENDING)])
        ledger.post([], document=b"nothing to post, kept all the same")
        ledger.close_window(ledger.open_window())
        ledger.post([transfer(CASH, PURSE, 70, flags=Flag.VOID_PENDING, hold=17), transfer()])
    return checked(url)


@pytest.fixture(scope="module")
def original(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A filled ledger's file, written once and never touched again."""
    path = tmp_path_factory.mktemp("original") / "ledger.db"
    Ledger.create(f"sqlite:///{path}").close()
    fill(f"sqlite:///{path}", SetClock(UnixMs(1_748_829_600_000)))
    return path


@pytest.fixture
def filled(original: Path, tmp_path: Path) -> str:
    """A copy of it to spoil."""
    shutil.copy(original, tmp_path / "ledger.db")
    return f"sqlite:///{tmp_path / 'ledger.db'}"


def checked(url: str, **kinds: Any) -> Verified:
    database = Database(url)
    try:
        return verify(database, **kinds)
    finally:
        database.close()


def contents(url: str) -> dict[str, list[tuple[Any, ...]]]:
    """Everything that the ledger's tables hold."""
    database = Database(url)
    try:
        with database.transaction() as connection:
            return {
                name: sorted(tuple(row) for row in connection.execute(table.select()))
                for name, table in metadata.tables.items()
            }
    finally:
        database.close()


def alter(url: str, *statements: str) -> None:
    database = Database(url)
    with database.writing() as connection:
        unguard(connection)
        if database.is_sqlite:
            connection.exec_driver_sql("PRAGMA ignore_check_constraints=ON")
        else:  # PostgreSQL itself refuses a row that no business date's table takes: who changes data may add one
            connection.exec_driver_sql(
                "CREATE TABLE IF NOT EXISTS transfers_any PARTITION OF transfers DEFAULT"
            )
        for statement in statements:
            connection.execute(text(statement))
    database.close()


def test_a_whole_journal_verifies(url: str, clock: SetClock) -> None:
    found = fill(url, clock)
    assert (found.blocks, found.transfers, found.documents, found.windows) == (12, 19, 10, 1)
    assert (found.snapshot, found.accounts) == (19, 3)
    with Ledger.open(url, clock) as ledger:
        assert found.head == ledger.head().digest


def test_an_empty_journal_verifies(url: str) -> None:
    assert checked(url).blocks == 0


def test_a_journal_in_use_verifies(sqlite_url: str, clock: SetClock) -> None:
    with Ledger.open(sqlite_url, clock) as ledger:
        ledger.post([transfer()])
        assert checked(sqlite_url).transfers == 1


def test_law_07_a_change_to_any_column_of_a_transfer_is_found(url: str, clock: SetClock) -> None:
    fill(url, clock)
    for column in ROW.names or ():
        for position in (1, 10, 19):
            alter(url, f"UPDATE transfers SET {column} = {column} + 100 WHERE position = {position}")
            with pytest.raises(DatabaseDamaged, match=r"(block|position|partition|stored)"):
                checked(url)
            back = position + 100 if column == "position" else position
            alter(url, f"UPDATE transfers SET {column} = {column} - 100 WHERE position = {back}")
    assert checked(url).transfers == 19


@pytest.mark.parametrize("value", ["'text'", "1.5", "x'00'", "NULL"])
def test_a_transfer_with_a_value_of_another_type_is_found(filled: str, value: str) -> None:
    # NOT NULL is the schema's; a damaged page does not ask.
    alter(
        filled,
        "PRAGMA writable_schema=ON",
        "UPDATE sqlite_master SET sql = replace(sql, 'occurred_at BIGINT NOT NULL', 'occurred_at BIGINT')",
    )
    alter(filled, f"UPDATE transfers SET occurred_at = {value} WHERE position = 3")
    with pytest.raises(DatabaseDamaged, match="column occurred_at of position 3"):
        checked(filled)


@pytest.mark.parametrize(
    "column", ["partition", "block", "first_position", "rows", "received_at", "business_date"]
)
@pytest.mark.parametrize("block", [1, 10, 12])
def test_a_change_to_any_number_of_a_block_is_found(filled: str, column: str, block: int) -> None:
    alter(filled, f"UPDATE blocks SET {column} = {column} + 50 WHERE block = {block}")
    with pytest.raises(DatabaseDamaged):
        checked(filled)


@pytest.mark.parametrize("column", ["documents", "previous", "digest"])
@pytest.mark.parametrize("value", ["zeroblob(32)", "'text'", "32", "x'00'"])
def test_a_change_to_any_digest_of_a_block_is_found(filled: str, column: str, value: str) -> None:
    alter(filled, f"UPDATE blocks SET {column} = {value} WHERE block = 7")
    with pytest.raises(DatabaseDamaged, match=r"block"):
        checked(filled)


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE documents SET body = x'00' WHERE block = 3",
        "UPDATE documents SET ordinal = 1 WHERE block = 3",
        "UPDATE documents SET block = 4, ordinal = 1 WHERE block = 3",
        "UPDATE documents SET body = 'tap 3' WHERE block = 3",
        "INSERT INTO documents VALUES (1, 3, 0, x'00')",
        "DELETE FROM documents WHERE block = 10",
        "DELETE FROM transfers WHERE position = 5",
        "DELETE FROM blocks WHERE block = 5",
        "DELETE FROM windows",
        "UPDATE windows SET last_position = 16",
        "UPDATE windows SET closed_at = closed_at + 1",
        "UPDATE windows SET business_date = business_date - 1",
        "UPDATE windows SET head = zeroblob(32)",
        "UPDATE snapshot_chunks SET body = x'00'",
        "DELETE FROM snapshot_chunks",
        "UPDATE snapshots SET digest = zeroblob(32)",
        "UPDATE snapshots SET position = 18",
        "UPDATE snapshots SET position = 500",
        "UPDATE snapshots SET block = 500",
        "DELETE FROM meta",
        "DROP TABLE windows",
    ],
)
def test_a_change_beside_rows_and_blocks_is_found(filled: str, statement: str) -> None:
    alter(filled, statement)
    with pytest.raises(DatabaseDamaged):
        checked(filled)


def test_damage_is_named_with_its_place(filled: str) -> None:
    alter(filled, "UPDATE transfers SET amount = amount + 1 WHERE position = 6")
    with pytest.raises(DatabaseDamaged, match=r"block 3 .*positions 5 to 6, partitions \[3\]"):
        checked(filled)


def test_a_rewritten_chain_over_a_row_that_cannot_post_is_found(filled: str) -> None:
    """Who can compute digests can still not make the engine agree."""
    alter(filled, "UPDATE transfers SET hold = 16 WHERE position = 18")
    rechain(filled)
    with pytest.raises(
        DatabaseDamaged, match=r"position 18 \(partition 3\) does not replay \(HOLD_UNKNOWN\)"
    ):
        checked(filled)


def rechain(url: str) -> None:
    """Compute all digests anew, as a forger would."""
    from ledger import journal  # noqa: PLC0415  a forger's tool, for this one test

    database = Database(url)
    with database.writing() as connection:
        before = None
        for block in list(store.read_blocks(connection)):
            rows = np.concatenate(
                [*store.read_rows(connection, block.first_position, block.last_position), np.zeros(0, ROW)]
            )
            bodies = store.read_documents(connection, block.block)
            before = journal.make_block(before, rows, bodies, block.received_at, block.business_date)
            connection.execute(
                text("UPDATE blocks SET previous = :previous, digest = :digest WHERE block = :block"),
                {"previous": before.previous, "digest": before.digest, "block": block.block},
            )
    database.close()


def test_a_flipped_byte_of_the_file_is_found_or_changes_nothing(filled: str, tmp_path: Path) -> None:
    whole = checked(filled)
    data, expected = Database(filled).path.read_bytes(), contents(filled)
    dice, found = random.Random(20250602), 0
    for at in sorted(dice.sample([at for at, byte in enumerate(data) if byte], 120)):
        flipped = bytearray(data)
        flipped[at] ^= 1 << dice.randrange(8)
        copy = tmp_path / "flipped.db"
        copy.write_bytes(flipped)
        url = f"sqlite:///{copy}"
        try:
            result = checked(url)
        except DatabaseDamaged:
            found += 1
        else:
            assert result == whole, f"byte {at}"
            assert contents(url) == expected, f"byte {at}"
        for left in tmp_path.glob("flipped.db*"):
            left.unlink()
    assert found > 60


def test_a_flipped_byte_inside_of_any_row_is_found(filled: str, tmp_path: Path) -> None:
    data = Database(filled).path.read_bytes()
    database = Database(filled)
    with database.transaction() as connection:
        digests = [block.digest for block in store.read_blocks(connection)]
    database.close()
    for digest in digests:
        flipped = bytearray(data)
        # The first place of a digest may be the next block's `previous`: either is a row's byte.
        flipped[data.index(digest) + 5] ^= 0x10
        copy = tmp_path / "flipped.db"
        copy.write_bytes(flipped)
        with pytest.raises(DatabaseDamaged, match="block"):
            checked(f"sqlite:///{copy}")
        for left in tmp_path.glob("flipped.db*"):
            left.unlink()


def test_a_backup_taken_by_copy_verifies(filled: str, tmp_path: Path) -> None:
    whole = checked(filled)
    shutil.copy(Database(filled).path, tmp_path / "copy.db")
    assert checked(f"sqlite:///{tmp_path / 'copy.db'}") == whole


def test_others_may_look_into_each_block_and_progress_is_told(filled: str) -> None:
    told: list[tuple[int, int]] = []
    seen: list[tuple[int, int, list[bytes]]] = []

    def inspect(block: Block, rows: Rows, bodies: Any) -> None:
        seen.append((block.block, len(rows), list(bodies)))

    checked(filled, progress=lambda done, whole: told.append((done, whole)), inspect=inspect)
    assert told == [(at, 12) for at in range(1, 13)]
    assert seen[1] == (2, 2, [b"tap 2"])


def test_what_an_inspector_finds_is_damage_too(filled: str) -> None:

    def inspect(block: Block, _rows: Rows, _bodies: Any) -> None:
        raise DatabaseDamaged(f"block {block.block} holds a tap that its card never signed")

    with pytest.raises(DatabaseDamaged, match="its card never signed"):
        checked(filled, inspect=inspect)


def test_what_was_moved_is_told_beyond_64_bits(ledger: Ledger) -> None:
    amount = (1 << 61) - 1
    sides = [(PURSE, OPERATOR), (CASH, WALLET), (OTHER_PURSE, SUBSIDY), (WALLET, CASH), (OPERATOR, PURSE)]
    assert all(
        one.position for one in ledger.post([transfer(debit, credit, amount) for debit, credit in sides])
    )
    assert verify(ledger.database).moved == 5 * amount
