"""What the three-way report asks of the database, and the reports that are kept."""

from __future__ import annotations

from typing import NamedTuple

import sqlalchemy as sa

from keys.clock import Day
from keys.money import Sen
from ledger.tables import blocks
from settlement.breaks.model import Reason
from settlement.breaks.tables import breaks
from settlement.matching.tables import match_items, matches
from settlement.night.model import ThreeWay
from settlement.tables import WHOLE, items, lines, night_reports


class Expected(NamedTuple):
    """Items of windows up to a day."""

    items: int
    amount: Sen


class OpenBreak(NamedTuple):
    """A break that nobody and nothing has closed."""

    break_id: str
    reason: str
    bank: int
    difference: Sen
    night: Day


class Odd(NamedTuple):
    """A match of lines and items that differ, as a rule or a person allows."""

    number: int
    rule: str
    difference: Sen


class Waiting(NamedTuple):
    """Items of a window and bank that are neither matched nor a break."""

    bank: int
    window: Day
    items: int
    amount: Sen


_PROVEN = sa.exists().where(
    match_items.c.partition == items.c.partition,
    match_items.c.reference == items.c.reference,
    match_items.c.active.is_(sa.true()),
)
_OPEN_BREAKS = sa.and_(breaks.c.partition == WHOLE, breaks.c.closed_night.is_(None))


def statement_lines(connection: sa.Connection) -> int:
    """How many lines banks have told."""
    query = sa.select(sa.func.count()).select_from(lines).where(lines.c.partition == WHOLE)
    return int(connection.execute(query).scalar_one())


def odd_matches(connection: sa.Connection) -> list[Odd]:
    """Matches that hold and leave a difference, by number."""
    query = (
        sa.select(matches.c.number, matches.c.rule, matches.c.difference)
        .where(matches.c.partition == WHOLE, matches.c.undone_by == "", matches.c.difference != 0)
        .order_by(matches.c.number)
    )
    return [Odd(*row) for row in connection.execute(query)]


def expected(connection: sa.Connection, day: Day) -> Expected:
    """Items of all windows up to a day."""
    query = sa.select(sa.func.count(), sa.func.coalesce(sa.func.sum(items.c.amount), 0)).where(
        items.c.partition == WHOLE, items.c.business_date <= day
    )
    count, amount = connection.execute(query).one()
    return Expected(count, Sen(int(amount)))


def open_breaks(connection: sa.Connection) -> list[OpenBreak]:
    """Open breaks, by id; what a match leaves as a difference stands with the match."""
    query = (
        sa.select(breaks.c.break_id, breaks.c.reason, breaks.c.bank, breaks.c.difference, breaks.c.night)
        .where(_OPEN_BREAKS, breaks.c.reason != Reason.FEE.value)
        .order_by(breaks.c.break_id)
    )
    return [OpenBreak(*row) for row in connection.execute(query)]


def waiting(connection: sa.Connection, day: Day) -> list[Waiting]:
    """Items of windows up to a day that are neither matched nor in an open break, by bank and window."""
    told = sa.select(breaks.c.reference).where(_OPEN_BREAKS)
    query = (
        sa.select(items.c.bank, items.c.business_date, sa.func.count(), sa.func.sum(items.c.amount))
        .where(
            items.c.partition == WHOLE, items.c.business_date <= day,
            ~_PROVEN, items.c.reference.not_in(told),
        )
        .group_by(items.c.bank, items.c.business_date)
        .order_by(items.c.bank, items.c.business_date)
    )  # fmt: skip
    return [
        Waiting(bank, Day(window), count, Sen(int(sum_)))
        for bank, window, count, sum_ in connection.execute(query)
    ]


def last_report(connection: sa.Connection, day: Day) -> tuple[int, bytes] | None:
    """The newest version of a night's report, and its bytes."""
    query = (
        sa.select(night_reports.c.version, night_reports.c.body)
        .where(night_reports.c.partition == WHOLE, night_reports.c.business_date == day)
        .order_by(night_reports.c.version.desc())
    )
    row = connection.execute(query.limit(1)).first()
    return None if row is None else (row.version, bytes(row.body))


def insert_report(connection: sa.Connection, report: ThreeWay, version: int, sha256: str) -> None:
    """Keep a version of a night's report, for good."""
    row = {
        "partition": WHOLE, "business_date": report.business_date, "version": version, "sha256": sha256,
        "body": report.body(),
    }  # fmt: skip
    connection.execute(sa.insert(night_reports), row)


def three_way_of(connection: sa.Connection, day: Day) -> ThreeWay | None:
    """The newest version of a night's report; None where there is none yet."""
    found = last_report(connection, day)
    return None if found is None else ThreeWay.of_body(day, found[1])


def first_after(connection: sa.Connection, day: Day) -> int | None:
    """The position of the first transfer of a later business date; None where there is none. It may lie before the window's closing."""
    query = sa.select(sa.func.min(blocks.c.first_position)).where(
        blocks.c.partition == WHOLE, blocks.c.business_date > day, blocks.c.rows > 0
    )
    found = connection.execute(query).scalar()
    return None if found is None else int(found)
