"""Closing the tables of business dates on PostgreSQL, where each date has one of its own."""

from __future__ import annotations

import sqlalchemy as sa

from keys.clock import Day
from ledger.tables import WHOLE, blocks


def seal(connection: sa.Connection, name: str) -> None:
    """Let no row into the tables of the business dates up to the one with this table's name; SQLite needs nothing."""
    if connection.dialect.name == "postgresql":
        connection.execute(sa.select(sa.func.ledger_seal_days(name)))


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
