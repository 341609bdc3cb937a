"""Rows with values left open and with truth values come back as they were: numbers as numbers, whatever stands beside them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import polars as pl
import pytest
import sqlalchemy as sa

from hebat.schema import TABLES
from ledger.book import Ledger
from ledger.errors import ExportDamaged
from ledger.exports import store
from ledger.store import Database
from tests.ledger.entries import SetClock, transfer
from tests.ledger.test_exports import forged, new_ledger, out, taken
from tests.ledger.test_proofs_checkpoints import add_tables

if TYPE_CHECKING:
    from pathlib import Path

NAMES: Final = ("settlement_breaks", "statement_lines", "settlement_matching_items")


def row_of(table: sa.Table, number: int) -> dict[str, Any]:
    """A row of a table: numbers, texts, and truth values; what may be left open is so in every second row."""
    row: dict[str, Any] = {}
    for at, column in enumerate(table.columns):
        if column.nullable and number % 2:
            row[column.name] = None
        elif isinstance(column.type, sa.Boolean):
            row[column.name] = bool(number % 2)
        elif isinstance(column.type, sa.Integer):
            row[column.name] = (
                0 if column.name == "partition" else -3 * number if at % 2 else 1 << 20 + number
            )
        else:
            row[column.name] = f"{number}"
    return row


def rows(url: str) -> list[list[tuple[Any, ...]]]:
    """What the tables hold, as a program reads it."""
    database = Database(url)
    with database.transaction() as connection:
        found = [
            [tuple(row) for row in connection.execute(sa.select(table).order_by(*table.primary_key.columns))]
            for table in map(named, NAMES)
        ]
    database.close()
    return found


def named(name: str) -> sa.Table:
    return store.table_named(TABLES, name)


def fill(url: str, clock: SetClock) -> str:
    with Ledger.open(url, clock) as ledger:
        ledger.post([transfer()])
        with ledger.database.writing() as connection:
            for table in map(named, NAMES):
                connection.execute(sa.insert(table), [row_of(table, number) for number in range(4)])
    return url


def test_what_is_taken_in_is_read_as_what_was_exported(url: str, clock: SetClock, tmp_path: Path) -> None:
    add_tables(url)
    before, first = rows(fill(url, clock)), out(url, tmp_path / "first")
    assert [len(table) for table in before] == [4, 4, 4]
    target = new_ledger(tmp_path / "target.db")
    taken(target, tmp_path / "first")
    assert rows(target) == before
    assert out(target, tmp_path / "second") == first


def test_postgresql_takes_them_in_too(
    sqlite_url: str, postgres_url: str, clock: SetClock, tmp_path: Path
) -> None:
    add_tables(sqlite_url)
    before, first = rows(fill(sqlite_url, clock)), out(sqlite_url, tmp_path / "first")
    add_tables(postgres_url)
    taken(postgres_url, tmp_path / "first")
    assert rows(postgres_url) == before
    assert out(postgres_url, tmp_path / "second") == first


def test_a_truth_value_that_is_none_is_refused(sqlite_url: str, clock: SetClock, tmp_path: Path) -> None:
    add_tables(sqlite_url)
    out(fill(sqlite_url, clock), tmp_path / "first")
    maybe = pl.lit("maybe").alias("repeated")
    forged(tmp_path / "first", lambda frame: frame.with_columns(maybe), "statement_lines")
    with pytest.raises(ExportDamaged, match="statement_lines has 'maybe' where true or false belongs"):
        taken(new_ledger(tmp_path / "target.db"), tmp_path / "first")
