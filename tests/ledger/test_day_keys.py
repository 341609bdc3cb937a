"""On PostgreSQL the table of a business date has a key of its own: one position once in a partition, in pages that are full."""

from __future__ import annotations

import numpy as np
import pytest
import sqlalchemy as sa

from keys.clock import Day, UnixMs
from ledger.chart import Code
from ledger.journal import rows_of
from ledger.rows.store import JournalRows, name_of_day
from ledger.store import Database
from ledger.transfer import ROW
from tests.ledger.entries import transfer

DAY = Day(20_254)
COMMITS, ROWS = 8, 20_000


def spread(first: int, count: int) -> np.ndarray:
    """Rows of all partitions in turn, as a commit has them."""
    rows = np.repeat(rows_of([transfer()], UnixMs(1_750_000_000_000), DAY), count)
    rows["position"] = np.arange(first, first + count)
    rows["partition"] = rows["position"] % 64
    rows["debit"] = (int(Code.PURSE) << 56) | (rows["partition"] << 50) | rows["position"]
    return rows


def written(url: str, *parts: np.ndarray) -> Database:
    database = Database(url)
    for rows in parts:
        with database.writing() as connection:
            JournalRows(rows.astype(ROW), copied=True).write(connection)
    return database


def test_a_days_key_is_partition_and_position(postgres_url: str) -> None:
    database = written(postgres_url, spread(1, 1))
    with database.transaction() as connection:
        found = sa.inspect(connection).get_pk_constraint(name_of_day(DAY))["constrained_columns"]
    database.close()
    assert found == ["partition", "position"]


def test_no_position_stands_twice_in_a_partition_of_a_day(postgres_url: str) -> None:
    database = written(postgres_url, spread(1, 10))
    with pytest.raises(Exception, match="transfers_20250615_pkey"), database.engine.begin() as connection:
        JournalRows(spread(10, 1), copied=True).write(connection)
    database.close()


def test_the_pages_of_a_days_key_are_full_although_it_grows_in_64_places(postgres_url: str) -> None:
    """An entry is 24 octets and a pointer of 4; pages that were split in halves would take twice as much."""
    parts = [spread(1 + ROWS * number, ROWS) for number in range(COMMITS)]
    database = written(postgres_url, *parts)
    with database.transaction() as connection:
        octets = connection.execute(sa.select(sa.func.pg_relation_size(f"{name_of_day(DAY)}_pkey"))).scalar()
    database.close()
    assert octets is not None
    assert 28 <= octets / (COMMITS * ROWS) < 36
