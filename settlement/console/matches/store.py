"""Suggestions that wait and matches that were made, a page at a time behind a key, with what stands on both sides."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from keys.clock import Day
from settlement.matching.finding.store import matches_where
from settlement.matching.kept import SuggestionState
from settlement.matching.proposing.store import suggestion_of_row
from settlement.matching.tables import matches, suggestions
from settlement.statements.store import line_of_row
from settlement.store import item_of_row
from settlement.tables import WHOLE, items, lines

if TYPE_CHECKING:
    from ledger.store import Connection
    from settlement.items import Item
    from settlement.matching.kept import KeptMatch, Suggestion
    from settlement.statements.kept import BankLine


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which suggestions are asked for; 0 and "" ask for all."""

    bank: int = 0
    score: int = 0
    text: str = ""


@dataclass(frozen=True, slots=True)
class Pair:
    """A suggestion with its line and its item."""

    suggestion: Suggestion
    line: BankLine
    item: Item


@dataclass(frozen=True, slots=True)
class Made:
    """Which matches are asked for: those that one night made; "" and 0 ask for all of it."""

    night: Day
    bank: int = 0
    rule: str = ""
    people: bool = False
    undone: bool = False


def _waiting(wanted: Wanted) -> list[sa.ColumnElement[bool]]:
    found = [suggestions.c.partition == WHOLE, suggestions.c.state == SuggestionState.WAITING.value]
    found += [suggestions.c.score >= wanted.score] if wanted.score else []
    found += [lines.c.bank == wanted.bank] if wanted.bank else []
    if wanted.text:
        told = (suggestions.c.reference, suggestions.c.evidence, items.c.name, lines.c.remittance)
        found.append(sa.or_(*(one.icontains(wanted.text, autoescape=True) for one in told)))
    return found


def _sides(*columns: Any) -> sa.Select[Any]:
    of_line = sa.and_(
        lines.c.partition == suggestions.c.partition, lines.c.sha256 == suggestions.c.sha256,
        lines.c.statement == suggestions.c.statement, lines.c.number == suggestions.c.line,
    )  # fmt: skip
    of_item = sa.and_(
        items.c.partition == suggestions.c.partition, items.c.reference == suggestions.c.reference
    )
    return sa.select(*columns).select_from(suggestions.join(lines, of_line).join(items, of_item))


def waiting(connection: Connection, wanted: Wanted, behind: tuple[int, int] | None, limit: int) -> list[Pair]:
    """Suggestions that wait, the likeliest first; behind (score, number)."""
    score, number = suggestions.c.score, suggestions.c.number
    query = _sides(score, number).where(*_waiting(wanted))
    if behind is not None:
        query = query.where(sa.or_(score < behind[0], sa.and_(score == behind[0], number > behind[1])))
    places = connection.execute(query.order_by(score.desc(), number).limit(limit)).all()
    found = {}
    for table, read in ((suggestions, suggestion_of_row), (lines, line_of_row), (items, item_of_row)):
        asked = _sides(number.label("place"), *table.c).where(
            suggestions.c.partition == WHOLE, number.in_([place.number for place in places])
        )
        found[table.name] = {row[0]: read(row) for row in connection.execute(asked)}
    return [Pair(*(of[place.number] for of in found.values())) for place in places]  # type: ignore[arg-type]


def waiting_totals(connection: Connection, wanted: Wanted) -> tuple[int, int, int]:
    """How many suggestions filters leave, what their lines show, and what their items expect, in sen."""
    summed = (sa.func.coalesce(sa.func.sum(table.c.amount), 0) for table in (lines, items))
    count, shown, expected = connection.execute(_sides(sa.func.count(), *summed).where(*_waiting(wanted))).one()  # fmt: skip
    return count, int(shown), int(expected)


def _made(asked: Made) -> list[sa.ColumnElement[bool]]:
    found = [matches.c.partition == WHOLE, matches.c.night == asked.night]
    found.append(matches.c.undone_by != "" if asked.undone else matches.c.undone_by == "")
    found += [matches.c.bank == asked.bank] if asked.bank else []
    found += [matches.c.rule == asked.rule] if asked.rule else []
    found += [matches.c.made_by != "night"] if asked.people else []
    return found


def made(connection: Connection, asked: Made, behind: int, limit: int) -> list[KeptMatch]:
    """A night's matches, the newest first, behind a number (0: from the newest)."""
    numbers = sa.select(matches.c.number).where(*_made(asked))
    if behind:
        numbers = numbers.where(matches.c.number < behind)
    chosen = list(connection.execute(numbers.order_by(matches.c.number.desc()).limit(limit)).scalars())
    return list(reversed(matches_where(connection, matches.c.number.in_(chosen))))


def made_totals(connection: Connection, asked: Made) -> list[tuple[str, int, int]]:
    """By rule: how many matches filters leave, and the sum of their differences in sen."""
    query = (
        sa.select(matches.c.rule, sa.func.count(), sa.func.sum(matches.c.difference))
        .where(*_made(asked))
        .group_by(matches.c.rule)
        .order_by(sa.func.count().desc(), matches.c.rule)
    )
    return [(rule, count, int(off)) for rule, count, off in connection.execute(query)]


def last_night(connection: Connection) -> Day | None:
    """The newest night that made a match; None where none did."""
    found = connection.execute(sa.select(sa.func.max(matches.c.night))).scalar()
    return None if found is None else Day(found)
