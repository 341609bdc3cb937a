"""Evidence in the journal: taps of a window's service day that came in after the window had closed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import sqlalchemy as sa

from keys.money import Sen
from ledger.chart import PARTITIONS, Code, Partition, account_id
from ledger.tables import transfers
from ledger.transfer import Kind
from settlement.breaks.causes import LateTaps
from settlement.tables import WHOLE, items

if TYPE_CHECKING:
    from collections.abc import Iterable

WINDOWS_MAX: Final = 7
"""So many windows after its own a late tap is looked for."""
ITEMS_MAX: Final = 100
_TAPS: Final = (Kind.FARE, Kind.SUBSIDY, Kind.SALE, Kind.LOAD, Kind.REFUND)


def late_taps(connection: sa.Connection, references: Iterable[str]) -> dict[str, LateTaps]:
    """Late taps of some items' parties, by reference; items without any are left out. At most `ITEMS_MAX` are looked at."""
    wanted = sorted(references)[:ITEMS_MAX]
    query = sa.select(items).where(items.c.partition == WHOLE, items.c.reference.in_(wanted))
    found = {
        row.reference: _late(connection, Code(row.code), row.party, row.business_date)
        for row in connection.execute(query).all()
    }
    return {reference: late for reference, late in found.items() if late.count}


def _late(connection: sa.Connection, code: Code, party: int, window: int) -> LateTaps:
    accounts = [account_id(code, Partition(place), party) for place in range(PARTITIONS)]
    told = transfers.c
    query = (
        sa.select(told.terminal, sa.func.count(), sa.func.sum(told.amount))
        .where(
            told.business_date.between(window + 1, window + WINDOWS_MAX),
            told.service_day <= window,
            told.kind.in_([int(kind) for kind in _TAPS]),
            told.terminal > 0,
            told.debit.in_(accounts) | told.credit.in_(accounts),
        )
        .group_by(told.terminal)
        .order_by(told.terminal)
    )
    rows = connection.execute(query).all()
    return LateTaps(
        sum(row[1] for row in rows), Sen(sum(int(row[2]) for row in rows)), tuple(row[0] for row in rows)
    )
