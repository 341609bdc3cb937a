"""Pages of the worklist: rows behind a key, in a fixed order, a few at a time.

What is written while somebody turns pages is newer than what was there, so it comes on a later page: none repeats, none is skipped.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from ledger.intake.quarantine.store import ExceptionRow, QuarantineRow, exception_row, quarantine_row
from ledger.intake.tables import exceptions, quarantine
from ledger.schema import columns_of
from ledger.tables import WHOLE

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ledger.store import Connection


@dataclass(frozen=True, slots=True)
class Filters:
    """Which rows are asked for; 0, "" and False ask for all."""

    terminal: int = 0
    reason: str = ""
    only_open: bool = False

    def __str__(self) -> str:
        return f"{self.terminal} {self.reason} {self.only_open}"


def quarantine_page(
    connection: Connection, filters: Filters, behind: Sequence[Any] | None, limit: int
) -> list[QuarantineRow]:
    """Quarantined records, oldest first, those behind a key (received at, terminal, sequence)."""
    table = quarantine
    key = (table.c.received_at, table.c.terminal, table.c.sequence)
    query = sa.select(*columns_of(table, QuarantineRow)).where(table.c.partition == WHOLE)
    if filters.terminal:
        query = query.where(table.c.terminal == filters.terminal)
    if filters.reason:
        query = query.where(table.c.reason == filters.reason)
    if filters.only_open:
        query = query.where(table.c.resolution == "")
    if behind is not None:
        query = query.where(sa.tuple_(*key) > sa.tuple_(*behind))
    return [quarantine_row(row) for row in connection.execute(query.order_by(*key).limit(limit))]


def exceptions_page(
    connection: Connection, filters: Filters, behind: Sequence[Any] | None, limit: int
) -> list[ExceptionRow]:
    """Exceptions, oldest first, those behind a key (raised at, terminal, sequence, UID, counter, kind)."""
    table = exceptions
    key = (
        table.c.raised_at, table.c.terminal, table.c.sequence, table.c.uid, table.c.tmc, table.c.kind,
    )  # fmt: skip
    query = sa.select(*columns_of(table, ExceptionRow))
    if filters.terminal:
        query = query.where(table.c.terminal == filters.terminal)
    if filters.reason:
        query = query.where(table.c.kind == filters.reason)
    if behind is not None:
        query = query.where(sa.tuple_(*key) > sa.tuple_(*behind))
    return [exception_row(row) for row in connection.execute(query.order_by(*key).limit(limit))]


def counts(connection: Connection) -> tuple[int, int]:
    """How many quarantined records are open, and how many exceptions there are."""
    open_ = (
        sa.select(sa.func.count())
        .select_from(quarantine)
        .where(quarantine.c.partition == WHOLE, quarantine.c.resolution == "")
    )
    raised = sa.select(sa.func.count()).select_from(exceptions)
    return connection.execute(open_).scalar_one(), connection.execute(raised).scalar_one()
