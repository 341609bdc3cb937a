"""Suggestions in the database. A pair is suggested once: one that was decided on does not come back."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from keys.clock import Day, UnixMs
from settlement.matching.kept import Suggestion, SuggestionState
from settlement.matching.store import line_values
from settlement.matching.tables import suggestions
from settlement.statements.kept import LineKey
from settlement.tables import WHOLE

if TYPE_CHECKING:
    from collections.abc import Sequence

    from settlement.matching.kept import Likely
    from settlement.people import Person

_GONE_WHY = "its item or line is matched, or it is no longer likely"


def keep(connection: sa.Connection, likely: Sequence[Likely], night: Day, at: UnixMs) -> bool:
    """Keep suggestions that are new, and mark those that are no longer likely; whether anything changed."""
    waiting = {(one.reference, one.line): one for one in page(connection, SuggestionState.WAITING, 0, 0)}
    present = {(one.reference, one.line) for one in likely}
    gone = [one for pair, one in waiting.items() if pair not in present]
    for one in gone:
        decide(connection, one.number, SuggestionState.GONE, "", at, _GONE_WHY)
    new = [one for one in likely if (one.reference, one.line) not in waiting]
    first = 1 + (connection.execute(sa.select(sa.func.max(suggestions.c.number))).scalar() or 0)
    rows = [
        {
            "partition": WHOLE, "number": number, "reference": one.reference, **line_values(one.line), "score": one.score,
            "evidence": one.evidence, "night": night, "state": SuggestionState.WAITING.value, "decided_by": "",
            "decided_at": 0, "decided_why": "",
        }
        for number, one in enumerate(new, start=first)
    ]  # fmt: skip
    if rows:
        connection.execute(sa.insert(suggestions), rows)
    return bool(gone or rows)


def decide(
    connection: sa.Connection, number: int, state: SuggestionState, by: Person | str, at: UnixMs, why: str
) -> None:
    """Note what became of a suggestion."""
    here = (suggestions.c.partition == WHOLE, suggestions.c.number == number)
    told = {"state": state.value, "decided_by": by, "decided_at": at, "decided_why": why}
    connection.execute(sa.update(suggestions).where(*here).values(**told))


def suggestion_of(connection: sa.Connection, number: int) -> Suggestion | None:
    """A suggestion by its number; None where there is none."""
    here = (suggestions.c.partition == WHOLE, suggestions.c.number == number)
    row = connection.execute(sa.select(suggestions).where(*here)).first()
    return None if row is None else suggestion_of_row(row)


def page(connection: sa.Connection, state: SuggestionState, behind: int, limit: int) -> list[Suggestion]:
    """Suggestions in a state by number, those behind one; `limit` 0 for all."""
    here = (
        suggestions.c.partition == WHOLE,
        suggestions.c.state == state.value,
        suggestions.c.number > behind,
    )
    query = sa.select(suggestions).where(*here).order_by(suggestions.c.number)
    return [suggestion_of_row(row) for row in connection.execute(query.limit(limit) if limit else query)]


def suggestion_of_row(row: Any) -> Suggestion:
    """A suggestion of its row."""
    return Suggestion(
        row.number, row.reference, LineKey(row.sha256, row.statement, row.line), row.score, row.evidence, Day(row.night),
        SuggestionState(row.state), row.decided_by, UnixMs(row.decided_at), row.decided_why,
    )  # fmt: skip
