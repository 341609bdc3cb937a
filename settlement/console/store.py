"""What the console's lists read: work to do from four tables as one list, a page at a time behind a key."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Any, Final

import sqlalchemy as sa

from ledger.cardholder.tables import disputes
from ledger.intake.tables import exceptions, quarantine
from settlement.breaks.tables import breaks, explanations
from settlement.tables import WHOLE

if TYPE_CHECKING:
    from collections.abc import Iterable

    from ledger.store import Connection

DAY_MS: Final = 86_400_000
CITY_MS: Final = 7 * 3_600_000


class Source(StrEnum):
    """Where a piece of work comes from."""

    BREAK = "break"
    QUARANTINE = "quarantine"
    EXCEPTION = "exception"
    DISPUTE = "dispute"


@dataclass(frozen=True, slots=True)
class Filters:
    """Which work is asked for; "" and 0 ask for all."""

    source: Source | None = None
    reason: str = ""
    bank: int = 0
    text: str = ""
    closed: bool = False
    newest: bool = False


@dataclass(frozen=True, slots=True)
class Work:
    """A piece of work. `at` is when it was found; `amount` in sen, None where none is meant."""

    at: int
    source: Source
    key: str
    reason: str
    bank: int
    reference: str
    detail: str
    amount: int | None
    closed: bool

    @property
    def place(self) -> tuple[int, str, str]:
        """Its place in the list: no two have the same."""
        return self.at, self.source.value, self.key


def _text(expression: Any) -> Any:
    return sa.cast(expression, sa.Text)


def _explained(source: Source, key: Any) -> Any:
    table = explanations
    return sa.exists().where(table.c.partition == WHOLE, table.c.source == source.value, table.c.key == key)


def _breaks() -> dict[str, Any]:
    table = breaks
    return {
        "from": table,
        "raw": table.c.since,
        "at": sa.cast(table.c.since, sa.BigInteger) * DAY_MS - CITY_MS, "key": table.c.break_id,
        "reason": table.c.reason, "bank": table.c.bank, "reference": table.c.reference, "detail": table.c.evidence,
        "amount": table.c.difference, "closed": table.c.closed_night.is_not(None), "where": table.c.partition == WHOLE,
    }  # fmt: skip


def _quarantine() -> dict[str, Any]:
    table = quarantine
    key = _text(table.c.terminal) + "-" + _text(table.c.sequence)
    return {
        "from": table,
        "at": table.c.received_at, "key": key, "reason": table.c.reason, "bank": sa.literal(0),
        "reference": sa.literal("terminal ") + _text(table.c.terminal), "detail": table.c.detail,
        "amount": table.c.amount, "where": table.c.partition == WHOLE,
        "closed": sa.or_(table.c.resolution != "", _explained(Source.QUARANTINE, key)),
    }  # fmt: skip


def _exceptions() -> dict[str, Any]:
    table = exceptions
    parts = (table.c.partition, table.c.uid, table.c.tmc, table.c.terminal, table.c.sequence)
    key = table.c.kind
    for part in parts:
        key = key + "-" + _text(part)
    return {
        "from": table,
        "at": table.c.raised_at, "key": key, "reason": table.c.kind, "bank": sa.literal(0),
        "reference": sa.literal("terminal ") + _text(table.c.terminal), "detail": table.c.detail,
        "amount": sa.null(), "closed": _explained(Source.EXCEPTION, key), "where": sa.true(),
    }  # fmt: skip


def _disputes() -> dict[str, Any]:
    table = disputes
    key = _text(table.c.uid) + "-" + _text(table.c.tmc) + "-" + _text(table.c.opened_at)
    return {
        "from": table,
        "at": table.c.opened_at, "key": key, "reason": table.c.reason, "bank": sa.literal(0),
        "reference": sa.literal("card ") + _text(table.c.uid), "detail": sa.literal("a cardholder reported it"),
        "amount": sa.null(), "closed": table.c.answered_at != 0, "where": sa.true(), "digest": table.c.digest,
    }  # fmt: skip


_SOURCES: Final = {
    Source.BREAK: _breaks,
    Source.QUARANTINE: _quarantine,
    Source.EXCEPTION: _exceptions,
    Source.DISPUTE: _disputes,
}


def _wanted(told: dict[str, Any], filters: Filters) -> list[Any]:
    """The conditions of a source; each on plain columns, so that an index serves it."""
    found = [told["where"]]
    if filters.reason:
        found.append(told["reason"] == filters.reason)
    if filters.bank:
        found.append(told["bank"] == filters.bank)
    if filters.text:
        like = f"%{_escaped(filters.text)}%"
        found.append(sa.or_(*(told[name].like(like, escape="\\") for name in ("detail", "reference", "key"))))
    found.append(told["closed"] if filters.closed else sa.not_(told["closed"]))
    return found


def _escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")


def _sources(filters: Filters) -> Iterable[tuple[Source, dict[str, Any]]]:
    for source, columns in _SOURCES.items():
        told = columns()
        if filters.source in {None, source} and not (filters.bank and source is not Source.BREAK):
            yield source, told


def page(
    connection: Connection, filters: Filters, behind: tuple[int, str, str] | None, limit: int
) -> list[Work]:
    """Work behind a place, in order of time: at most `limit` of each source are read, and the first `limit` kept."""
    found: list[Work] = []
    for source, told in _sources(filters):
        query = sa.select(
            *(told[name].label(name) for name in ("at", "key", "reason", "bank", "reference", "detail", "amount", "closed"))
        ).where(*_wanted(told, filters))  # fmt: skip
        order = [told.get("raw", told["at"]), told["key"]]
        if behind is not None:
            query = query.where(_behind(told, source, behind, newest=filters.newest))
        if filters.newest:
            order = [one.desc() for one in order]
        rows = connection.execute(query.order_by(*order).limit(limit))
        found += [Work(row.at, source, row.key, row.reason, row.bank, row.reference, row.detail, row.amount, bool(row.closed)) for row in rows]  # fmt: skip
    # Within a source the database's own order stands: its collation decides what comes behind a key.
    found.sort(key=lambda work: (work.at, work.source.value), reverse=filters.newest)
    return found[:limit]


def _behind(told: dict[str, Any], source: Source, behind: tuple[int, str, str], *, newest: bool) -> Any:
    at, other, key = behind
    moment = told.get("raw", told["at"])
    if "raw" in told:
        whole, rest = divmod(at + CITY_MS, DAY_MS)
        at = whole if not (rest and newest) else whole + 1
        if rest:
            return moment < at if newest else moment > at
    later = moment < at if newest else moment > at
    if source.value == other:
        same = told["key"] < key if newest else told["key"] > key
    else:
        same = sa.literal((source.value < other) if newest else (source.value > other))
    return sa.or_(later, sa.and_(moment == at, same))


@dataclass(frozen=True, slots=True)
class Total:
    """How much work a filter leaves, and the sum of its amounts in sen."""

    source: Source
    count: int
    amount: int


def totals(connection: Connection, filters: Filters) -> list[Total]:
    """Per source; the whole list's, not one page's."""
    found = []
    for source, told in _sources(filters):
        amount: Any = sa.func.coalesce(sa.func.sum(told["amount"]), 0)
        if source in {Source.EXCEPTION, Source.DISPUTE}:
            amount = sa.literal(0)
        query = sa.select(sa.func.count(), amount).select_from(told["from"]).where(*_wanted(told, filters))
        count, total = connection.execute(query).one()
        found.append(Total(source, count, int(total)))
    return found


def ages(connection: Connection) -> list[tuple[int, int, int, int]]:
    """Open breaks by the day from which their age counts: how many, the sum of their differences, and the same without sign."""
    table = breaks
    query = (
        sa.select(table.c.since, sa.func.count(), sa.func.sum(table.c.difference), sa.func.sum(sa.func.abs(table.c.difference)))
        .where(table.c.partition == WHOLE, table.c.closed_night.is_(None))
        .group_by(table.c.since)
    )  # fmt: skip
    return [
        (since, count, int(amount), int(size)) for since, count, amount, size in connection.execute(query)
    ]
