"""Lines in suspense, in the database; and where the lines of all statements stand."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from keys.clock import Day, UnixMs
from keys.money import Sen
from settlement.breaks.suspense.kept import Sums, Suspended
from settlement.breaks.tables import breaks, suspense
from settlement.matching.store import line_values
from settlement.matching.tables import match_lines
from settlement.statements.kept import LineKey
from settlement.tables import WHOLE, lines, statements

if TYPE_CHECKING:
    from collections.abc import Sequence


def inside(connection: sa.Connection) -> list[Suspended]:
    """All lines that are in suspense, by number."""
    query = sa.select(suspense).where(suspense.c.partition == WHOLE, suspense.c.left_position == 0)
    return [_suspended(row) for row in connection.execute(query.order_by(suspense.c.number))]


def of_line(connection: sa.Connection, line: LineKey) -> Suspended | None:
    """A line's latest stay in suspense, whether it is in or has left; None where it never was."""
    told = line_values(line)
    query = sa.select(suspense).where(
        suspense.c.partition == WHOLE, *(suspense.c[name] == value for name, value in told.items())
    )
    row = connection.execute(query.order_by(suspense.c.number.desc()).limit(1)).first()
    return None if row is None else _suspended(row)


def enter(
    connection: sa.Connection, entered: Sequence[tuple[LineKey, int, Sen, int]], night: Day, at: UnixMs
) -> None:
    """Lines go in: (line, bank, amount, position of the entry) each."""
    first = 1 + (connection.execute(sa.select(sa.func.max(suspense.c.number))).scalar() or 0)
    rows = [
        {
            "partition": WHOLE, "number": number, **line_values(line), "bank": bank, "amount": amount, "entered_position": position,
            "entered_at": at, "night": night, "left_position": 0, "left_at": 0, "why": "",
        }
        for number, (line, bank, amount, position) in enumerate(entered, start=first)
    ]  # fmt: skip
    if rows:
        connection.execute(sa.insert(suspense), rows)


def leave(connection: sa.Connection, number: int, position: int, at: UnixMs, why: str) -> None:
    """A line goes out by an entry."""
    here = (suspense.c.partition == WHOLE, suspense.c.number == number)
    told = {"left_position": position, "left_at": at, "why": why}
    connection.execute(sa.update(suspense).where(*here).values(**told))


def by_bank(connection: sa.Connection) -> dict[int, tuple[int, Sen]]:
    """How many lines each bank has in suspense, and their sum."""
    query = (
        sa.select(suspense.c.bank, sa.func.count(), sa.func.sum(suspense.c.amount))
        .where(suspense.c.partition == WHOLE, suspense.c.left_position == 0)
        .group_by(suspense.c.bank)
        .order_by(suspense.c.bank)
    )
    return {bank: (count, Sen(int(amount))) for bank, count, amount in connection.execute(query)}


def _suspended(row: Any) -> Suspended:
    return Suspended(
        row.number, LineKey(row.sha256, row.statement, row.line), row.bank, Sen(row.amount), row.entered_position,
        UnixMs(row.entered_at), Day(row.night), row.left_position, UnixMs(row.left_at), row.why,
    )  # fmt: skip


def sums(connection: sa.Connection, night: Day | None = None) -> Sums:
    """Where lines stand: all of them, or those on statements that a night accepted.

    A line is matched; or in suspense; or in an open break. `unplaced` counts those in none of these, or in a match and a break at once.
    """
    matched, suspended, broken = (_stands(*where) for where in _PLACES)
    place = sa.case(
        (sa.and_(matched, sa.or_(suspended, broken)), "unplaced"),
        (matched, "matched"),
        (suspended, "in_suspense"),
        (broken, "in_breaks"),
        else_="unplaced",
    ).label("place")
    query = sa.select(place, sa.func.count(), sa.func.sum(lines.c.amount)).where(lines.c.partition == WHOLE)
    if night is not None:
        # A join, not a question for each line of all nights: the statements of one night lead to their lines.
        told = sa.and_(
            statements.c.partition == lines.c.partition, statements.c.sha256 == lines.c.sha256,
            statements.c.number == lines.c.statement,
        )  # fmt: skip
        query = query.select_from(statements.join(lines, told)).where(statements.c.night == night)
    found = {
        row[0]: (row[1], int(row[2]))
        for row in connection.execute(query.group_by(sa.literal_column("place")))
    }
    amount = {name: Sen(found.get(name, (0, 0))[1]) for name in ("matched", "in_breaks", "in_suspense")}
    return Sums(
        Sen(sum(total for _, total in found.values())), **amount, unplaced=found.get("unplaced", (0, 0))[0]
    )


_PLACES = (
    (match_lines, match_lines.c.active.is_(sa.true())),
    (suspense, suspense.c.left_position == 0),
    (breaks, breaks.c.closed_night.is_(None)),
)


def _stands(table: sa.Table, condition: sa.ColumnElement[bool]) -> sa.ColumnElement[bool]:
    return sa.exists().where(
        table.c.partition == lines.c.partition,
        table.c.sha256 == lines.c.sha256,
        table.c.statement == lines.c.statement,
        table.c.line == lines.c.number,
        condition,
    )
