"""Figures over days, added up by the database."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np
import sqlalchemy as sa

from ledger import tables as journal
from ledger.rows.store import archived_day
from ledger.transfer import Flag, Kind
from settlement.tables import WHOLE, positions, settlements

if TYPE_CHECKING:
    from collections.abc import Iterable

    import numpy.typing as npt

    from keys.clock import Day
    from ledger.store import Connection

    Rows = npt.NDArray[np.void]

HOUR_MS: Final = 3_600_000
CITY_HOURS: Final = 7
_TAPS: Final = (Kind.FARE, Kind.SALE, Kind.LOAD, Kind.REFUND)


def by_hour(connection: Connection, day: Day) -> dict[int, tuple[int, int]]:
    """Posted fares, sales, loads and refunds of a business date by the city's hour of the tap: how many, and sen.

    Raises ArchiveMissing or ArchiveDamaged where the date is in an archive that does not read.
    """
    archived = archived_day(connection, day)
    if archived is not None:
        return _added_up(archived)
    table = journal.transfers
    # No division here: SQLite's is whole where PostgreSQL's `/` of two integers is, and sqlalchemy's `//` is on both.
    hour = (table.c.occurred_at // HOUR_MS + CITY_HOURS) % 24
    query = (
        sa.select(hour.label("hour"), sa.func.count(), sa.func.sum(table.c.amount))
        .where(
            table.c.business_date == day, table.c.kind.in_([int(kind) for kind in _TAPS]),
            table.c.flags.op("&")(int(Flag.UNPOSTED)) == 0,
        )
        .group_by("hour")
    )  # fmt: skip
    return {int(found): (count, int(amount)) for found, count, amount in connection.execute(query)}


def _added_up(chunks: Iterable[Rows]) -> dict[int, tuple[int, int]]:
    counts, sums = np.zeros(24, np.int64), np.zeros(24, np.int64)
    for rows in chunks:
        taps = rows[np.isin(rows["kind"], _TAPS) & (rows["flags"] & int(Flag.UNPOSTED) == 0)]
        hours = (taps["occurred_at"] // HOUR_MS + CITY_HOURS) % 24
        np.add.at(counts, hours, 1)
        np.add.at(sums, hours, taps["amount"])
    return {hour: (int(counts[hour]), int(sums[hour])) for hour in np.flatnonzero(counts).tolist()}


def fees_by_day(connection: Connection, days: int) -> list[tuple[Day, int]]:
    """Fee income of the newest settled business dates, oldest first, in sen."""
    newest = (
        sa.select(settlements.c.business_date)
        .where(settlements.c.partition == WHOLE)
        .order_by(settlements.c.business_date.desc())
        .limit(days)
    )
    query = (
        sa.select(positions.c.business_date, sa.func.sum(positions.c.fee))
        .where(positions.c.partition == WHOLE, positions.c.business_date.in_(newest))
        .group_by(positions.c.business_date)
        .order_by(positions.c.business_date)
    )
    return [(day, int(fee)) for day, fee in connection.execute(query)]
