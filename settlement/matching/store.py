"""Matches and breaks in the database, and what is still open."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from keys.clock import Day
from keys.money import Sen
from settlement.breaks import Reason
from settlement.matching.exact import Rule
from settlement.statements.kept import LineKey
from settlement.statements.store import line_of_row
from settlement.store import item_of_row
from settlement.tables import WHOLE, breaks, items, lines, matches, statements

if TYPE_CHECKING:
    from settlement.breaks import Break
    from settlement.items import Item
    from settlement.reconciliation import Reconciliation
    from settlement.statements.kept import BankLine

_NO_LINE = LineKey("", 0, 0)


@dataclass(frozen=True, slots=True)
class KeptMatch:
    """A match: an item's reference, the line that proves it, the rule, and the night that found it."""

    reference: str
    line: LineKey
    rule: Rule
    night: Day


@dataclass(frozen=True, slots=True)
class KeptBreak:
    """A break; `closed_night` is None while it is open. `line` is empty where no line belongs to it."""

    break_id: str
    reason: Reason
    bank: int
    reference: str
    window: Day | None
    line: LineKey
    difference: Sen
    evidence: str
    night: Day
    closed_night: Day | None


def open_items(connection: sa.Connection) -> list[Item]:
    """Items that no match proves yet, by reference."""
    done = sa.select(matches.c.reference).where(matches.c.partition == WHOLE)
    query = sa.select(items).where(items.c.partition == WHOLE, items.c.reference.not_in(done))
    return [item_of_row(row) for row in connection.execute(query.order_by(items.c.reference))]


def open_lines(connection: sa.Connection) -> list[BankLine]:
    """Lines that no match uses yet, in order of their bank's chain."""
    used = sa.and_(
        matches.c.partition == lines.c.partition,
        matches.c.sha256 == lines.c.sha256,
        matches.c.statement == lines.c.statement,
        matches.c.line == lines.c.number,
    )
    here = sa.and_(
        statements.c.partition == lines.c.partition,
        statements.c.sha256 == lines.c.sha256,
        statements.c.number == lines.c.statement,
    )
    query = (
        sa.select(lines)
        .join(statements, here)
        .where(lines.c.partition == WHOLE, ~sa.exists().where(used))
        .order_by(statements.c.bank, statements.c.chain, lines.c.number)
    )
    return [line_of_row(row) for row in connection.execute(query)]


def covered(connection: sa.Connection) -> dict[int, Day]:
    """Up to which day the statements of each bank reach."""
    query = (
        sa.select(statements.c.bank, sa.func.max(statements.c.closing_date))
        .where(statements.c.partition == WHOLE)
        .group_by(statements.c.bank)
    )
    return {bank: Day(day) for bank, day in connection.execute(query)}


def keep(connection: sa.Connection, found: Reconciliation, night: Day) -> None:
    """Keep new matches; open the breaks that are new, close those that are gone, reopen those that are back."""
    if found.matches:
        connection.execute(
            sa.insert(matches),
            [
                {
                    "partition": WHOLE,
                    "reference": match.item.reference,
                    "sha256": match.line.key.sha256,
                    "statement": match.line.key.statement,
                    "line": match.line.key.number,
                    "rule": match.rule.value,
                    "night": night,
                }
                for match in found.matches
            ],
        )
    known = {
        row.break_id: row.closed_night
        for row in connection.execute(
            sa.select(breaks.c.break_id, breaks.c.closed_night).where(breaks.c.partition == WHOLE)
        )
    }
    present = {one.break_id: one for one in found.breaks}
    if new := [_break_row(one, night) for key, one in present.items() if key not in known]:
        connection.execute(sa.insert(breaks), new)
    _mark(connection, [key for key, closed in known.items() if key in present and closed is not None], None)
    _mark(connection, [key for key, closed in known.items() if key not in present and closed is None], night)


def _mark(connection: sa.Connection, break_ids: list[str], closed_night: Day | None) -> None:
    for break_id in break_ids:
        connection.execute(
            sa.update(breaks)
            .where(breaks.c.partition == WHOLE, breaks.c.break_id == break_id)
            .values(closed_night=closed_night)
        )


def _break_row(found: Break, night: Day) -> dict[str, Any]:
    key = found.line.key if found.line else _NO_LINE
    return {
        "partition": WHOLE,
        "break_id": found.break_id,
        "reason": found.reason.value,
        "bank": found.bank,
        "reference": found.item.reference if found.item else "",
        "business_date": found.item.window if found.item else None,
        "sha256": key.sha256,
        "statement": key.statement,
        "line": key.number,
        "difference": found.difference,
        "evidence": found.evidence,
        "night": night,
        "closed_night": None,
    }


def matches_of(connection: sa.Connection, night: Day) -> list[KeptMatch]:
    """Matches of a window's items, of lines on statements that its night accepted, and those that it made, by reference."""
    told = sa.and_(
        statements.c.partition == matches.c.partition,
        statements.c.sha256 == matches.c.sha256,
        statements.c.number == matches.c.statement,
    )
    query = (
        sa.select(matches)
        .join(
            items, sa.and_(items.c.partition == matches.c.partition, items.c.reference == matches.c.reference)
        )
        .join(statements, told)
        .where(
            matches.c.partition == WHOLE,
            (matches.c.night == night) | (items.c.business_date == night) | (statements.c.night == night),
        )
        .order_by(matches.c.reference)
    )
    return [
        KeptMatch(row.reference, LineKey(row.sha256, row.statement, row.line), Rule(row.rule), Day(row.night))
        for row in connection.execute(query)
    ]


def breaks_of(connection: sa.Connection, night: Day) -> list[KeptBreak]:
    """Breaks of a window's items, and those that the night found: open ones first, then by id."""
    query = (
        sa.select(breaks)
        .where(breaks.c.partition == WHOLE, (breaks.c.night == night) | (breaks.c.business_date == night))
        .order_by(breaks.c.closed_night.is_not(None), breaks.c.bank, breaks.c.break_id)
    )
    return [_kept(row) for row in connection.execute(query)]


def _kept(row: Any) -> KeptBreak:
    return KeptBreak(
        break_id=row.break_id,
        reason=Reason(row.reason),
        bank=row.bank,
        reference=row.reference,
        window=None if row.business_date is None else Day(row.business_date),
        line=LineKey(row.sha256, row.statement, row.line),
        difference=Sen(row.difference),
        evidence=row.evidence,
        night=Day(row.night),
        closed_night=None if row.closed_night is None else Day(row.closed_night),
    )


def lines_of(connection: sa.Connection, night: Day) -> list[BankLine]:
    """All lines of the statements that a night accepted."""
    here = sa.and_(
        statements.c.partition == lines.c.partition,
        statements.c.sha256 == lines.c.sha256,
        statements.c.number == lines.c.statement,
    )
    query = (
        sa.select(lines)
        .join(statements, here)
        .where(lines.c.partition == WHOLE, statements.c.night == night)
        .order_by(statements.c.bank, statements.c.chain, lines.c.number)
    )
    return [line_of_row(row) for row in connection.execute(query)]
