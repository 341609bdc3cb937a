"""Blocks, documents and windows in their tables: what is written is what is read, and what is no block is said to be damage."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
import sqlalchemy as sa

from keys.clock import Day, UnixMs
from ledger import tables
from ledger.bulk.gathered import Gathered
from ledger.chain import store
from ledger.chain.store import Window
from ledger.errors import DatabaseDamaged
from ledger.journal import Block, make_block
from ledger.store import Database
from ledger.transfer import ROW
from tests.ledger.entries import DAY

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

NO_ROWS = np.zeros(0, ROW)


@pytest.fixture
def database(url: str) -> Iterator[Database]:
    made = Database(url)
    yield made
    made.close()


def add(database: Database, before: Block | None, bodies: Sequence[bytes], day: Day = DAY) -> Block:
    """A block of documents behind another one."""
    block, gathered = make_block(before, NO_ROWS, list(bodies), UnixMs(1000), day), Gathered()
    store.add_block(gathered, block, list(bodies))
    with database.writing() as connection:
        gathered.write(connection)
    return block


def test_blocks_are_read_in_order_by_number_and_from_a_number_on(database: Database) -> None:
    first = add(database, None, [b"a"])
    second = add(database, first, [b"b", b"c"])
    with database.transaction() as connection:
        assert list(store.read_blocks(connection)) == [first, second]
        assert list(store.read_blocks(connection, after=1)) == [second]
        assert [store.read_block(connection, number) for number in (1, 2, 3)] == [first, second, None]
        assert store.last_block(connection) == second
        assert store.counts(connection) == (0, 2, 3)


def test_documents_are_read_by_block_each_in_its_order(database: Database) -> None:
    first = add(database, None, [b"a"])
    third = add(database, add(database, first, [b"b", b"c"]), [b"d"])
    with database.transaction() as connection:
        assert store.documents_of(connection, 2, third.block) == {2: [b"b", b"c"], 3: [b"d"]}
        assert store.read_documents(connection, 1) == [b"a"]
        assert store.read_documents(connection, 4) == []


def test_a_business_date_without_blocks_covers_no_positions(database: Database) -> None:
    with database.transaction() as connection:
        first, last = store.span_of(connection, DAY)
        assert store.last_block(connection) is None
    assert last < first


def test_windows_are_read_the_oldest_first(database: Database) -> None:
    windows = [Window(Day(DAY + at), UnixMs(1000 + at), at, bytes([at]) * 32) for at in range(3)]
    with database.writing() as connection:
        for window in reversed(windows):
            store.insert_window(connection, window)
    with database.transaction() as connection:
        assert store.read_windows(connection) == windows


@pytest.mark.parametrize(
    ("column", "value"),
    [("rows", "many"), ("digest", b"short"), ("received_at", 1.5), ("digest", "f" * 32)],
)
def test_a_block_of_other_types_is_damage(sqlite_url: str, column: str, value: object) -> None:
    """SQLite lets any type stand in any column."""
    database = Database(sqlite_url)
    add(database, None, [b"a"])
    with database.writing() as connection:
        connection.exec_driver_sql("PRAGMA ignore_check_constraints=ON")
        connection.execute(sa.text(f"UPDATE blocks SET {column} = :value"), {"value": value})
    with database.transaction() as connection, pytest.raises(DatabaseDamaged, match=r"a block \(1\) holds"):
        list(store.read_blocks(connection))
    database.close()


def test_a_document_out_of_its_place_is_damage(database: Database) -> None:
    add(database, None, [b"a", b"b"])
    with database.writing() as connection:
        connection.execute(sa.delete(tables.documents).where(tables.documents.c.ordinal == 0))
    with database.transaction() as connection, pytest.raises(DatabaseDamaged, match="document 1 of block 1"):
        store.read_documents(connection, 1)
