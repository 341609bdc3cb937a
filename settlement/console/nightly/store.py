"""A night in figures added up by the database, and its positions, items and breaks a page at a time behind a key."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from settlement.breaks import store as breaks_store
from settlement.breaks.tables import breaks
from settlement.matching.finding import store as finding
from settlement.matching.tables import match_items
from settlement.positions.model import Purpose
from settlement.store import item_of_row, position_of_row
from settlement.tables import WHOLE, items, payment_files, positions, statements

if TYPE_CHECKING:
    from collections.abc import Sequence

    from keys.clock import Day
    from ledger.store import Connection
    from settlement.breaks.kept import KeptBreak
    from settlement.items import Item
    from settlement.kept import KeptPosition
    from settlement.matching.kept import KeptMatch


@dataclass(frozen=True, slots=True)
class Sum:
    """Positions of one purpose: how many, and their sums in sen."""

    count: int
    gross: int
    refunds: int
    fee: int
    net: int


@dataclass(frozen=True, slots=True)
class Figures:
    """A night's counts and sums in sen; `taken` are positions of everything but agents' cash."""

    by_purpose: dict[Purpose, Sum]
    files: int
    payments: int
    paid: int
    items: int
    waiting: int
    breaks: int
    open_breaks: int

    @property
    def positions(self) -> int:
        """How many positions there are."""
        return sum(one.count for one in self.by_purpose.values())

    @property
    def taken(self) -> Sum:
        """What operators and merchants took, subsidies included."""
        earned = [one for purpose, one in self.by_purpose.items() if purpose is not Purpose.CASH]
        names = ("count", "gross", "refunds", "fee", "net")
        return Sum(*(sum(getattr(one, name) for one in earned) for name in names))

    @property
    def cash(self) -> int:
        """What agents have to deposit."""
        found = self.by_purpose.get(Purpose.CASH)
        return found.net if found else 0


def _unmatched(day: Day) -> Any:
    """Items of a window that no match proves and no open break holds: no statement could show them yet."""
    proven = sa.exists().where(
        match_items.c.partition == WHOLE, match_items.c.active.is_(sa.true()), match_items.c.reference == items.c.reference
    )  # fmt: skip
    broken = sa.select(breaks.c.reference).where(
        breaks.c.partition == WHOLE, breaks.c.business_date == day, breaks.c.closed_night.is_(None)
    )
    return sa.and_(~proven, items.c.reference.not_in(broken))


def _breaks_of(day: Day) -> Any:
    """The ids of breaks of a window's items, of lines on statements that its night accepted, and those that the night found."""
    told = sa.and_(
        breaks.c.partition == statements.c.partition, breaks.c.sha256 == statements.c.sha256,
        breaks.c.statement == statements.c.number,
    )  # fmt: skip
    ids = breaks.c.break_id
    return sa.union(
        sa.select(ids).where(breaks.c.partition == WHOLE, breaks.c.night == day),
        sa.select(ids).where(breaks.c.partition == WHOLE, breaks.c.business_date == day),
        sa.select(ids).select_from(statements.join(breaks, told)).where(statements.c.partition == WHOLE, statements.c.night == day),
    ).subquery()  # fmt: skip


def figures(connection: Connection, day: Day) -> Figures:
    """A settled night's figures."""
    summed = [sa.func.sum(positions.c[name]) for name in ("gross", "refunds", "fee", "net")]
    rows = connection.execute(
        sa.select(positions.c.purpose, sa.func.count(), *summed)
        .where(positions.c.partition == WHOLE, positions.c.business_date == day)
        .group_by(positions.c.purpose).order_by(positions.c.purpose)
    )  # fmt: skip
    by_purpose = {Purpose(row[0]): Sum(*(int(value) for value in row[1:])) for row in rows}
    of_files = [sa.func.coalesce(sa.func.sum(payment_files.c[name]), 0) for name in ("payments", "total")]
    files = connection.execute(
        sa.select(sa.func.count(), *of_files).where(
            payment_files.c.partition == WHOLE, payment_files.c.business_date == day
        )
    ).one()
    of_window = sa.select(sa.func.count()).where(items.c.partition == WHOLE, items.c.business_date == day)
    ids = _breaks_of(day)
    is_open = sa.func.coalesce(sa.func.sum(sa.case((breaks.c.closed_night.is_(None), 1), else_=0)), 0)
    found = connection.execute(
        sa.select(sa.func.count(), is_open)
        .select_from(ids.join(breaks, breaks.c.break_id == ids.c.break_id))
        .where(breaks.c.partition == WHOLE)
    ).one()
    return Figures(
        by_purpose, files[0], int(files[1]), int(files[2]), connection.execute(of_window).scalar_one(),
        connection.execute(of_window.where(_unmatched(day))).scalar_one(), found[0], int(found[1]),
    )  # fmt: skip


def positions_page(
    connection: Connection, day: Day, behind: Sequence[int] | None, limit: int
) -> list[KeptPosition]:
    """Positions behind (purpose, bank, code, number)."""
    key = (positions.c.purpose, positions.c.bank, positions.c.code, positions.c.number)
    query = sa.select(positions).where(positions.c.partition == WHOLE, positions.c.business_date == day)
    if behind is not None:
        query = query.where(sa.tuple_(*key) > sa.tuple_(*behind))
    return [position_of_row(row) for row in connection.execute(query.order_by(*key).limit(limit))]


@dataclass(frozen=True, slots=True)
class Expected:
    """An item of a window, the match that proves it, and whether it stands in an open break."""

    item: Item
    match: KeptMatch | None
    broken: bool


def items_page(connection: Connection, day: Day, behind: str, limit: int) -> list[Expected]:
    """Items behind a reference."""
    query = (
        sa.select(items)
        .where(items.c.partition == WHOLE, items.c.business_date == day, items.c.reference > behind)
        .order_by(items.c.reference)
        .limit(limit)
    )
    found = [item_of_row(row) for row in connection.execute(query)]
    references = [one.reference for one in found]
    proofs = finding.matches_since(connection, references)
    broken = {one.reference for one in breaks_store.open_of(connection, references, [])}
    return [Expected(one, proofs.get(one.reference), one.reference in broken) for one in found]


def breaks_page(
    connection: Connection, day: Day, behind: Sequence[Any] | None, limit: int
) -> list[KeptBreak]:
    """Breaks behind (0 while open else 1, bank, id): open ones first."""
    ids = _breaks_of(day)
    key = (sa.case((breaks.c.closed_night.is_(None), 0), else_=1), breaks.c.bank, breaks.c.break_id)
    query = sa.select(breaks.c.break_id).select_from(ids.join(breaks, breaks.c.break_id == ids.c.break_id))
    query = query.where(breaks.c.partition == WHOLE)
    if behind is not None:
        query = query.where(sa.tuple_(*key) > sa.tuple_(*behind))
    found = list(connection.execute(query.order_by(*key).limit(limit)).scalars())
    known = breaks_store.known(connection, found)
    return [known[one] for one in found]
