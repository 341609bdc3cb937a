"""Payment files with who made and released them, and a file's payments, a page at a time behind a key."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from keys.clock import Day, UnixMs
from settlement.payments.model import Release
from settlement.payments.store import KeptPayment
from settlement.store import item_of_row
from settlement.tables import WHOLE, items, payment_files, payment_outcomes, payment_releases

if TYPE_CHECKING:
    from collections.abc import Iterable

    from ledger.store import Connection
    from settlement.items import Item


class State(StrEnum):
    """Where a file stands between two people."""

    WAITING = "waits for a maker"
    MADE = "waits for a release"
    RELEASED = "released"


@dataclass(frozen=True, slots=True)
class Filters:
    """Which files are asked for; None and 0 ask for all."""

    state: State | None = None
    bank: int = 0


@dataclass(frozen=True, slots=True)
class Listed:
    """A file, and who stands behind it; None where nobody does yet."""

    file: KeptPayment
    release: Release | None

    @property
    def state(self) -> State:
        """Where it stands."""
        if self.release is None:
            return State.WAITING
        return State.RELEASED if self.release.is_released else State.MADE


_STATES = {
    State.WAITING: payment_releases.c.made_at.is_(None),
    State.MADE: sa.and_(payment_releases.c.made_at.is_not(None), payment_releases.c.released_at.is_(None)),
    State.RELEASED: payment_releases.c.released_at.is_not(None),
}
_SHOWN = [column for column in payment_files.c if column.name not in {"partition", "content"}]
_MADE = ("made_by", "made_at", "released_by", "released_at")


def _from(filters: Filters, *columns: Any) -> sa.Select[Any]:
    files, made = payment_files, payment_releases
    same = sa.and_(*(files.c[name] == made.c[name] for name in ("partition", "business_date", "bank")))
    query = sa.select(*columns).select_from(files.outerjoin(made, same)).where(files.c.partition == WHOLE)
    if filters.state is not None:
        query = query.where(_STATES[filters.state])
    return query.where(files.c.bank == filters.bank) if filters.bank else query


def page(
    connection: Connection, filters: Filters, behind: tuple[int, int] | None, limit: int
) -> list[Listed]:
    """Files of the newest windows first, by bank within one; behind (business date, bank)."""
    day, bank = payment_files.c.business_date, payment_files.c.bank
    query = _from(filters, *_SHOWN, *(payment_releases.c[name] for name in _MADE))
    if behind is not None:
        query = query.where(sa.or_(day < behind[0], sa.and_(day == behind[0], bank > behind[1])))
    return [_listed(row) for row in connection.execute(query.order_by(day.desc(), bank).limit(limit))]


def _listed(row: Any) -> Listed:
    file = KeptPayment(Day(row.business_date), row.bank, row.name, row.sha256, row.payments, row.total)
    if row.made_at is None:
        return Listed(file, None)
    at = None if row.released_at is None else UnixMs(row.released_at)
    made = UnixMs(row.made_at)
    return Listed(file, Release(file.business_date, file.bank, file.sha256, row.made_by, made, row.released_by, at))  # fmt: skip


def totals(connection: Connection, filters: Filters) -> tuple[int, int, int]:
    """Files, payments and sen of all that the filters ask for."""
    columns = (payment_files.c.payments, payment_files.c.total)
    summed = (sa.func.coalesce(sa.func.sum(column), 0) for column in columns)
    files, payments, amount = connection.execute(_from(filters, sa.func.count(), *summed)).one()
    return files, int(payments), int(amount)


def outcomes(connection: Connection, days: Iterable[int]) -> dict[tuple[int, int], str]:
    """What banks say of the files of some windows, by business date and bank: "3 executed, 1 rejected"."""
    same = sa.and_(
        items.c.partition == payment_outcomes.c.partition, items.c.reference == payment_outcomes.c.reference
    )
    query = (
        sa.select(items.c.business_date, items.c.bank, payment_outcomes.c.status, sa.func.count())
        .join(payment_outcomes, same)
        .where(items.c.partition == WHOLE, items.c.business_date.in_(list(days)))
        .group_by(items.c.business_date, items.c.bank, payment_outcomes.c.status)
        .order_by(payment_outcomes.c.status)
    )
    found: dict[tuple[int, int], str] = {}
    for day, bank, status, count in connection.execute(query):
        before = found.get((day, bank))
        found[day, bank] = f"{before}, {count} {status}" if before else f"{count} {status}"
    return found


def payments(
    connection: Connection, day: Day, bank: int, behind: str, limit: int
) -> list[tuple[Item, str, str]]:
    """A file's payments behind a reference, each with its bank's verdict and reason ("" while there is none)."""
    same = sa.and_(
        items.c.partition == payment_outcomes.c.partition, items.c.reference == payment_outcomes.c.reference
    )
    query = (
        sa.select(items, payment_outcomes.c.status, payment_outcomes.c.reason)
        .outerjoin(payment_outcomes, same)
        .where(
            items.c.partition == WHOLE, items.c.business_date == day, items.c.bank == bank, items.c.rail != "",
            items.c.reference > behind,
        )
        .order_by(items.c.reference)
        .limit(limit)
    )  # fmt: skip
    return [(item_of_row(row), row.status or "", row.reason or "") for row in connection.execute(query)]
