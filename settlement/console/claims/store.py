"""Claims and cardholders' disputes, the nearest deadline first, a page at a time behind a key."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from ledger.cardholder import records, tables
from ledger.cardholder.disputes import OPEN, Dispute
from ledger.schema import columns_of
from settlement.breaks.disputes.kept import DisputeState
from settlement.breaks.disputes.store import dispute_of_row
from settlement.breaks.tables import breaks, disputes
from settlement.tables import WHOLE

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ledger.store import Connection
    from settlement.breaks.disputes.kept import Dispute as Claim

_ROW = columns_of(tables.disputes, records.DisputeRow)


@dataclass(frozen=True, slots=True)
class Filters:
    """Which are asked for: state "" is all, `until` a deadline's day (0: any), `reason` a cardholder's."""

    state: str = OPEN
    until: int = 0
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Claimed:
    """A claim, and what its break is about."""

    claim: Claim
    bank: int
    difference: int


def _claims(filters: Filters, *columns: Any) -> sa.Select[Any]:
    same = sa.and_(breaks.c.partition == disputes.c.partition, breaks.c.break_id == disputes.c.break_id)
    query = sa.select(*columns).select_from(disputes.join(breaks, same)).where(disputes.c.partition == WHOLE)
    if filters.state:
        query = query.where(disputes.c.state == filters.state)
    return query.where(disputes.c.deadline <= filters.until) if filters.until else query


def claims(
    connection: Connection, filters: Filters, behind: tuple[int, str, int] | None, limit: int
) -> list[Claimed]:
    """Claims behind (deadline, break, ordinal)."""
    key = (disputes.c.deadline, disputes.c.break_id, disputes.c.ordinal)
    query = _claims(filters, disputes, breaks.c.bank, breaks.c.difference)
    if behind is not None:
        query = query.where(sa.tuple_(*key) > sa.tuple_(*behind))
    rows = connection.execute(query.order_by(*key).limit(limit))
    return [Claimed(dispute_of_row(row), row.bank, row.difference) for row in rows]


def claims_total(connection: Connection, filters: Filters) -> tuple[int, int]:
    """How many claims filters leave, and the sum of their breaks' differences in sen."""
    size = sa.func.coalesce(sa.func.sum(breaks.c.difference), 0)
    count, amount = connection.execute(_claims(filters, sa.func.count(), size)).one()
    return count, int(amount)


@dataclass(frozen=True, slots=True)
class Reported:
    """A cardholder's dispute, with the partition of its card."""

    dispute: Dispute
    partition: int

    @property
    def key(self) -> str:
        """Its key in the worklist and in addresses."""
        one = self.dispute
        return f"{one.uid}-{one.tmc}-{one.opened_at}"


def _reports(filters: Filters, *columns: Any) -> sa.Select[Any]:
    table = tables.disputes
    query = sa.select(*columns).select_from(table)
    if filters.state:
        query = query.where((table.c.state == OPEN) == sa.literal(filters.state == OPEN))
    if filters.reason:
        query = query.where(table.c.reason == filters.reason)
    return query.where(table.c.due <= filters.until) if filters.until else query


def _reported(row: Any) -> Reported:
    values = list(row)
    values[1], values[5] = bytes(values[1]), bytes(values[5])
    return Reported(Dispute.of(records.DisputeRow(*values)), row.partition)


def reports(
    connection: Connection, filters: Filters, behind: Sequence[int] | None, limit: int
) -> list[Reported]:
    """Cardholders' disputes behind (due, opened at, card, counter)."""
    table = tables.disputes
    key = (table.c.due, table.c.opened_at, table.c.uid, table.c.tmc)
    query = _reports(filters, *_ROW)
    if behind is not None:
        query = query.where(sa.tuple_(*key) > sa.tuple_(*behind))
    return [_reported(row) for row in connection.execute(query.order_by(*key).limit(limit))]


def report_count(connection: Connection, filters: Filters) -> int:
    """How many cardholders' disputes filters leave."""
    return int(connection.execute(_reports(filters, sa.func.count())).scalar_one())


def report_of(connection: Connection, uid: int, tmc: int, opened_at: int) -> Reported | None:
    """A cardholder's dispute by its card, the tap's counter and when it was opened."""
    table = tables.disputes
    query = sa.select(*_ROW).where(table.c.uid == uid, table.c.tmc == tmc, table.c.opened_at == opened_at)
    row = connection.execute(query).first()
    return None if row is None else _reported(row)


STATES = (OPEN, *(one.value for one in DisputeState if one is not DisputeState.OPEN))
