"""Matches out of the database, each whole: by number, by a member, by night or by days.

Functions take the connection of an open transaction.
"""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from keys.clock import Day, UnixMs
from keys.money import Sen
from settlement.matching.kept import KeptMatch
from settlement.matching.tables import match_items, match_lines, matches
from settlement.people import Person
from settlement.portions import portions
from settlement.statements.kept import LineKey
from settlement.tables import WHOLE, items, lines, statements

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping


def match_of(connection: sa.Connection, number: int) -> KeptMatch | None:
    """A match by its number; None where there is none."""
    return next(iter(matches_where(connection, matches.c.number == number)), None)


def match_of_line(connection: sa.Connection, line: LineKey) -> KeptMatch | None:
    """The match that uses a line; None while it is open."""
    told = match_lines.c
    here = sa.select(told.match).where(
        told.partition == WHOLE, told.sha256 == line.sha256, told.statement == line.statement, told.line == line.number,
        told.active.is_(sa.true()),
    )  # fmt: skip
    return next(iter(matches_where(connection, matches.c.number.in_(here))), None)


def match_of_item(connection: sa.Connection, reference: str) -> KeptMatch | None:
    """The match that proves an item; None while it is open."""
    here = sa.select(match_items.c.match).where(
        match_items.c.partition == WHOLE,
        match_items.c.reference == reference,
        match_items.c.active.is_(sa.true()),
    )
    return next(iter(matches_where(connection, matches.c.number.in_(here))), None)


def matches_page(
    connection: sa.Connection, behind: int, limit: int, *, undone: bool = False
) -> list[KeptMatch]:
    """Matches newest first, those with a smaller number than `behind` (0: from the newest); with the undone ones or without."""
    wanted = [matches.c.number < behind] if behind else []
    wanted += [] if undone else [matches.c.undone_by == ""]
    page = sa.select(matches.c.number).where(matches.c.partition == WHOLE, *wanted)
    numbers = connection.execute(page.order_by(matches.c.number.desc()).limit(limit)).scalars().all()
    found = [
        one for some in portions(numbers) for one in matches_where(connection, matches.c.number.in_(some))
    ]
    return sorted(found, key=lambda one: -one.number)


def matches_of(connection: sa.Connection, night: Day) -> list[KeptMatch]:
    """Matches that hold: those that a night made, of its window's items, and of lines on statements that it accepted; by number."""
    of_window = (
        sa.select(match_items.c.match)
        .join(items, sa.and_(items.c.partition == match_items.c.partition, items.c.reference == match_items.c.reference))
        .where(match_items.c.partition == WHOLE, items.c.business_date == night)
    )  # fmt: skip
    told = sa.and_(
        statements.c.partition == match_lines.c.partition,
        statements.c.sha256 == match_lines.c.sha256,
        statements.c.number == match_lines.c.statement,
    )
    of_night = (
        sa.select(match_lines.c.match)
        .join(statements, told)
        .where(match_lines.c.partition == WHOLE, statements.c.night == night)
    )
    wanted = (matches.c.night == night) | matches.c.number.in_(of_window) | matches.c.number.in_(of_night)
    return matches_where(connection, sa.and_(wanted, matches.c.undone_by == ""))


def matches_since(connection: sa.Connection, references: Collection[str]) -> dict[str, KeptMatch]:
    """The matches that hold of some items, by reference."""
    found: dict[str, KeptMatch] = {}
    for some in portions(sorted(references)):
        here = sa.select(match_items.c.match).where(
            match_items.c.partition == WHOLE, match_items.c.reference.in_(some), match_items.c.active.is_(sa.true())
        )  # fmt: skip
        for one in matches_where(connection, matches.c.number.in_(here)):
            found |= dict.fromkeys(one.items, one)
    return found


def matches_where(connection: sa.Connection, condition: sa.ColumnElement[bool]) -> list[KeptMatch]:
    """Matches that a condition holds for, with their items and lines, by number."""
    found = connection.execute(
        sa.select(matches).where(matches.c.partition == WHOLE, condition).order_by(matches.c.number)
    ).all()
    numbers = [row.number for row in found]
    of_items, of_lines = defaultdict(list), defaultdict(list)
    for some in portions(numbers):
        chosen = sa.select(match_items).where(match_items.c.partition == WHOLE, match_items.c.match.in_(some))
        for row in connection.execute(chosen.order_by(match_items.c.reference)):
            of_items[row.match].append(row.reference)
        told = sa.select(match_lines).where(match_lines.c.partition == WHOLE, match_lines.c.match.in_(some))
        for row in connection.execute(told.order_by(*match_lines.primary_key.columns)):
            of_lines[row.match].append(LineKey(row.sha256, row.statement, row.line))
    return [_match(row, of_items, of_lines) for row in found]


def _match(row: Any, of_items: Mapping[int, list[str]], of_lines: Mapping[int, list[LineKey]]) -> KeptMatch:
    return KeptMatch(
        row.number, row.bank, tuple(of_items.get(row.number, ())), tuple(of_lines.get(row.number, ())), row.rule, row.rules,
        row.confidence, Sen(row.difference), row.evidence, Day(row.night), Person(row.made_by), UnixMs(row.made_at),
        row.proposal, row.undone_by, UnixMs(row.undone_at), row.undone_why,
    )  # fmt: skip


def with_difference(connection: sa.Connection) -> list[KeptMatch]:
    """Matches that hold, whose lines show more or less than was expected, and that no entry explains yet."""
    return matches_where(
        connection, sa.and_(matches.c.difference != 0, matches.c.proposal == 0, matches.c.undone_by == "")
    )


def matches_touching(connection: sa.Connection, first: Day, last: Day) -> list[KeptMatch]:
    """Matches that hold of items of windows, or of lines booked, from one day to another."""
    of_window = (
        sa.select(match_items.c.match)
        .join(items, sa.and_(items.c.partition == match_items.c.partition, items.c.reference == match_items.c.reference))
        .where(items.c.partition == WHOLE, items.c.business_date.between(first, last))
    )  # fmt: skip
    here = sa.and_(
        lines.c.partition == match_lines.c.partition,
        lines.c.sha256 == match_lines.c.sha256,
        lines.c.statement == match_lines.c.statement,
        lines.c.number == match_lines.c.line,
    )
    of_booking = (
        sa.select(match_lines.c.match)
        .join(lines, here)
        .where(lines.c.partition == WHOLE, lines.c.booking_date.between(first, last))
    )
    wanted = matches.c.number.in_(of_window) | matches.c.number.in_(of_booking)
    return matches_where(connection, sa.and_(wanted, matches.c.undone_by == ""))


def match_by_proposal(connection: sa.Connection, proposal: int) -> KeptMatch | None:
    """The match that holds and that an approved proposal made; None where there is none."""
    return next(
        iter(matches_where(connection, sa.and_(matches.c.proposal == proposal, matches.c.undone_by == ""))),
        None,
    )
