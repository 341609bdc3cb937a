"""Breaks in the database. Functions take the connection of an open transaction: writing ones that of a unit of the ledger's writer."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import sqlalchemy as sa

from keys.clock import Day, UnixMs
from keys.money import Sen
from settlement.breaks.filters import Totals
from settlement.breaks.kept import Cause, Event, KeptBreak, Severity, What
from settlement.breaks.model import Reason
from settlement.breaks.tables import breaks, events, files
from settlement.matching.store import line_values
from settlement.people import Person
from settlement.portions import portions
from settlement.statements.kept import LineKey
from settlement.tables import WHOLE, statements

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from settlement.breaks.causes import Named
    from settlement.breaks.filters import Filters, Span
    from settlement.breaks.model import Break

NO_LINE: Final = LineKey("", 0, 0)
_SAID: Final = 4_000


def insert_breaks(connection: sa.Connection, found: Iterable[tuple[Break, Named]], night: Day) -> None:
    """Open breaks that were never there before."""
    if rows := [_row(one, named, night) for one, named in found]:
        connection.execute(sa.insert(breaks), rows)


def _row(found: Break, named: Named, night: Day) -> dict[str, Any]:
    return {
        "partition": WHOLE, "break_id": found.break_id, "reason": found.reason.value, "bank": found.bank,
        "reference": found.item.reference if found.item else "",
        "business_date": found.item.window if found.item else None,
        **line_values(found.line.key if found.line else NO_LINE),
        "match": found.match, "shown": found.shown, "difference": found.difference, "evidence": found.evidence,
        "cause": named.cause.value, "cause_evidence": named.evidence, "severity": int(named.severity), "owner": "",
        "since": found.since, "night": night, "closed_night": None, "proposal": 0,
    }  # fmt: skip


def open_ids(connection: sa.Connection) -> set[str]:
    """The ids of all open breaks."""
    query = sa.select(breaks.c.break_id).where(breaks.c.partition == WHOLE, breaks.c.closed_night.is_(None))
    return set(connection.execute(query).scalars())


def known(connection: sa.Connection, break_ids: Sequence[str]) -> dict[str, KeptBreak]:
    """Those of some breaks that are kept, open or closed, by id."""
    found: dict[str, KeptBreak] = {}
    for some in portions(break_ids):
        query = sa.select(breaks).where(breaks.c.partition == WHOLE, breaks.c.break_id.in_(some))
        found |= {row.break_id: _kept(row) for row in connection.execute(query)}
    return found


def break_of(connection: sa.Connection, break_id: str) -> KeptBreak | None:
    """A break by its id; None where there is none."""
    return known(connection, [break_id]).get(break_id)


def change(connection: sa.Connection, break_id: str, **values: Any) -> None:
    """Set columns of a break."""
    here = (breaks.c.partition == WHOLE, breaks.c.break_id == break_id)
    connection.execute(sa.update(breaks).where(*here).values(**values))


def open_of(
    connection: sa.Connection, references: Sequence[str], lines: Sequence[LineKey]
) -> list[KeptBreak]:
    """The open breaks that some items or lines stand in."""
    place = sa.tuple_(breaks.c.sha256, breaks.c.statement, breaks.c.line)
    found: dict[str, KeptBreak] = {}
    # Asked for apart, so that an index serves each.
    for column, keys in ((breaks.c.reference, references), (place, [tuple(line) for line in lines])):
        for some in portions(keys):
            here = column.in_(some)
            query = sa.select(breaks).where(
                breaks.c.partition == WHOLE, breaks.c.closed_night.is_(None), here
            )
            found |= {row.break_id: _kept(row) for row in connection.execute(query)}
    return sorted(found.values(), key=lambda one: one.break_id)


def breaks_of(connection: sa.Connection, night: Day) -> list[KeptBreak]:
    """Breaks of a window's items, of lines on statements that its night accepted, and those that the night found: open ones first."""
    told = sa.exists().where(
        statements.c.partition == breaks.c.partition,
        statements.c.sha256 == breaks.c.sha256,
        statements.c.number == breaks.c.statement,
        statements.c.night == night,
    )
    query = (
        sa.select(breaks)
        .where(
            breaks.c.partition == WHOLE, (breaks.c.night == night) | (breaks.c.business_date == night) | told
        )
        .order_by(breaks.c.closed_night.is_not(None), breaks.c.bank, breaks.c.break_id)
    )
    return [_kept(row) for row in connection.execute(query)]


def page(
    connection: sa.Connection, filters: Filters, behind: tuple[int, str] | None, limit: int
) -> list[KeptBreak]:
    """Breaks, oldest first, behind a key (`since`, `break_id`)."""
    query = sa.select(breaks).where(*_wanted(filters))
    if behind is not None:
        query = query.where(sa.tuple_(breaks.c.since, breaks.c.break_id) > sa.tuple_(*behind))
    ordered = query.order_by(breaks.c.since, breaks.c.break_id).limit(limit)
    return [_kept(row) for row in connection.execute(ordered)]


def totals(connection: sa.Connection, filters: Filters) -> Totals:
    """How many breaks filters ask for, and how much hangs on them."""
    size = sa.func.sum(sa.func.abs(breaks.c.difference))
    query = sa.select(sa.func.count(), sa.func.sum(breaks.c.difference), size).where(*_wanted(filters))
    count, difference, sizes = connection.execute(query).one()
    return Totals(count, Sen(int(difference or 0)), Sen(int(sizes or 0)))


def ages(connection: sa.Connection, filters: Filters) -> list[tuple[Reason, Day, int, Sen]]:
    """Counts and absolute differences of breaks by reason and by the day from which their age counts."""
    size = sa.func.sum(sa.func.abs(breaks.c.difference))
    query = (
        sa.select(breaks.c.reason, breaks.c.since, sa.func.count(), size)
        .where(*_wanted(filters))
        .group_by(breaks.c.reason, breaks.c.since)
        .order_by(breaks.c.since, breaks.c.reason)
    )
    return [(Reason(row[0]), Day(row[1]), row[2], Sen(int(row[3]))) for row in connection.execute(query)]


def _wanted(filters: Filters) -> Iterator[sa.ColumnElement[bool]]:
    told = breaks.c
    yield told.partition == WHOLE
    yield told.closed_night.is_not(None) if filters.closed else told.closed_night.is_(None)
    for name in ("bank", "reason", "cause", "owner", "severity"):
        if value := getattr(filters, name):
            yield told[name] == value
    if filters.unowned:
        yield told.owner == ""
    if filters.spans:
        yield sa.or_(*(_within(span) for span in filters.spans))
    if filters.text:
        yield sa.or_(
            *(
                told[name].icontains(filters.text, autoescape=True)
                for name in ("break_id", "reference", "evidence")
            )
        )


def _within(span: Span) -> sa.ColumnElement[bool]:
    dated = (
        breaks.c.since <= span.last if span.first is None else breaks.c.since.between(span.first, span.last)
    )
    return sa.and_(breaks.c.reason.in_([reason.value for reason in span.reasons]), dated)


def _kept(row: Any) -> KeptBreak:
    return KeptBreak(
        row.break_id, Reason(row.reason), row.bank, row.reference,
        None if row.business_date is None else Day(row.business_date),
        LineKey(row.sha256, row.statement, row.line), row.match, Sen(row.shown), Sen(row.difference), row.evidence,
        Cause(row.cause), row.cause_evidence, Severity(row.severity), row.owner, Day(row.since), Day(row.night),
        None if row.closed_night is None else Day(row.closed_night), row.proposal,
    )  # fmt: skip


def note(
    connection: sa.Connection, break_id: str, what: What, said: str, who: Person, at: UnixMs, sha256: str = ""
) -> None:
    """Add a line to a break's history."""
    last = sa.select(sa.func.max(events.c.ordinal)).where(
        events.c.partition == WHOLE, events.c.break_id == break_id
    )
    ordinal = 1 + (connection.execute(last).scalar() or 0)
    told = {"at": at, "who": who, "what": what.value, "said": said[:_SAID], "sha256": sha256}
    connection.execute(
        sa.insert(events), {"partition": WHOLE, "break_id": break_id, "ordinal": ordinal, **told}
    )


def note_first(connection: sa.Connection, said: Iterable[tuple[str, str]], who: Person, at: UnixMs) -> None:
    """Begin the history of breaks that were just opened: (id, evidence) each."""
    rows = [
        {
            "partition": WHOLE, "break_id": break_id, "ordinal": 1, "at": at, "who": who, "what": What.OPENED.value,
            "said": evidence[:_SAID], "sha256": "",
        }
        for break_id, evidence in said
    ]  # fmt: skip
    if rows:
        connection.execute(sa.insert(events), rows)


def events_of(connection: sa.Connection, break_id: str) -> tuple[Event, ...]:
    """A break's history, oldest first."""
    query = sa.select(events).where(events.c.partition == WHOLE, events.c.break_id == break_id)
    return tuple(
        Event(row.ordinal, UnixMs(row.at), Person(row.who), What(row.what), row.said, row.sha256)
        for row in connection.execute(query.order_by(events.c.ordinal))
    )


def keep_file(connection: sa.Connection, sha256: str, content: bytes) -> None:
    """Keep a file under its digest, once."""
    here = (files.c.partition == WHOLE, files.c.sha256 == sha256)
    if connection.execute(sa.select(files.c.bytes).where(*here)).first() is None:
        told = {"partition": WHOLE, "sha256": sha256, "bytes": len(content), "content": content}
        connection.execute(sa.insert(files), told)


def file_of(connection: sa.Connection, sha256: str) -> bytes | None:
    """The bytes under a digest; None where nobody attached them."""
    query = sa.select(files.c.content).where(files.c.partition == WHOLE, files.c.sha256 == sha256)
    found = connection.execute(query).scalar()
    return None if found is None else bytes(found)
