"""Closing the tables of business dates on PostgreSQL, where each date has one of its own."""

from __future__ import annotations

import sqlalchemy as sa

from keys.clock import Day
from ledger.closing.guards import day_guard
from ledger.tables import WHOLE, blocks

_OPEN_DAYS = sa.text(
    "SELECT c.relname FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid "
    "WHERE i.inhparent = to_regclass('transfers') AND c.relname <= :last "
    "AND NOT EXISTS (SELECT 1 FROM pg_trigger t WHERE t.tgrelid = c.oid AND t.tgname = 'day_is_closed') "
    "ORDER BY c.relname"
)


def seal(connection: sa.Connection, name: str) -> None:
    """Let no row into the tables of the business dates up to the one with this table's name; SQLite needs nothing."""
    if connection.dialect.name != "postgresql":
        return
    for table in connection.execute(_OPEN_DAYS, {"last": name}).scalars().all():
        connection.exec_driver_sql(day_guard(table))


def first_block(connection: sa.Connection, day: Day) -> int | None:
    """The first block of a business date; None where it has none."""
    query = sa.select(sa.func.min(blocks.c.block)).where(
        blocks.c.partition == WHOLE, blocks.c.business_date == day
    )
    found: int | None = connection.execute(query).scalar()
    return found


def held_by_day(connection: sa.Connection) -> dict[Day, int]:
    """How many transfers each business date holds."""
    query = (
        sa.select(blocks.c.business_date, sa.func.sum(blocks.c.rows))
        .where(blocks.c.partition == WHOLE)
        .group_by(blocks.c.business_date)
    )
    return {Day(day): int(rows) for day, rows in connection.execute(query) if rows}
