"""Matching written down: matches made, undone and explained; rules in force; refused pairs; how often anything changed.

`loading` and `finding` read. Functions take the connection of an open transaction: writing ones that of a unit of the ledger's writer.
"""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING, Any, Final

import sqlalchemy as sa

from settlement.matching import tables
from settlement.matching.rules import RULES_NAME, SHIPPED, RuleSet, parse
from settlement.rulebook import store as rulebook
from settlement.rulebook.model import RuleKind
from settlement.tables import WHOLE

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable

    from keys.clock import Day, UnixMs
    from settlement.matching.kept import NewMatch
    from settlement.people import Person
    from settlement.statements.kept import LineKey

_ROWS_AT_ONCE: Final = 10_000
matches, match_items, match_lines = tables.matches, tables.match_items, tables.match_lines


def insert_matches(
    connection: sa.Connection, made: Iterable[NewMatch], night: Day, by: Person, at: UnixMs, rules: int
) -> range:
    """Keep matches, with the version of the rules that made them; their numbers."""
    first = 1 + (connection.execute(sa.select(sa.func.max(matches.c.number))).scalar() or 0)
    told = {"rules": rules, "night": night, "made_by": by, "made_at": at, **_NOT_UNDONE}
    count = 0
    each = iter(made)
    while chunk := list(enumerate(islice(each, _ROWS_AT_ONCE), start=first + count)):
        count += len(chunk)
        _insert(connection, matches, (_match_row(number, one) | told for number, one in chunk))
        of_items = (
            {"match": number, "reference": name, "active": True}
            for number, one in chunk
            for name in one.items
        )
        of_lines = (
            {"match": number, **line_values(line), "active": True}
            for number, one in chunk
            for line in one.lines
        )
        _insert(connection, match_items, of_items)
        _insert(connection, match_lines, of_lines)
    return range(first, first + count)


def _match_row(number: int, one: NewMatch) -> dict[str, Any]:
    return {
        "number": number, "bank": one.bank, "rule": one.rule, "confidence": one.confidence,
        "difference": one.difference, "evidence": one.evidence, "proposal": one.proposal,
    }  # fmt: skip


_NOT_UNDONE: Final = {"undone_by": "", "undone_at": 0, "undone_why": ""}


def _insert(connection: sa.Connection, table: sa.Table, rows: Iterable[dict[str, Any]]) -> None:
    chunk: list[dict[str, Any]] = []
    for row in rows:
        chunk.append({"partition": WHOLE, **row})
        if len(chunk) == _ROWS_AT_ONCE:
            connection.execute(sa.insert(table), chunk)
            chunk = []
    if chunk:
        connection.execute(sa.insert(table), chunk)


def line_values(line: LineKey) -> dict[str, Any]:
    """A line's place as columns."""
    return {"sha256": line.sha256, "statement": line.statement, "line": line.number}


def undo_match(connection: sa.Connection, number: int, by: Person, at: UnixMs, why: str) -> None:
    """Mark a match as undone; its items and lines are open again."""
    here = (matches.c.partition == WHOLE, matches.c.number == number)
    told = {"undone_by": by, "undone_at": at, "undone_why": why}
    connection.execute(sa.update(matches).where(*here).values(**told))
    for table in (match_items, match_lines):
        mine = (table.c.partition == WHOLE, table.c.match == number)
        connection.execute(sa.update(table).where(*mine).values(active=False))


def explain_match(connection: sa.Connection, number: int, proposal: int) -> None:
    """Note the proposal whose entry explains a match's difference."""
    here = (matches.c.partition == WHOLE, matches.c.number == number)
    connection.execute(sa.update(matches).where(*here).values(proposal=proposal))


def rules_in_force(connection: sa.Connection) -> RuleSet:
    """The newest set of rules in the rulebook; the shipped one where people made none."""
    pages = rulebook.pages(connection, RuleKind.MATCHING, RULES_NAME)
    return parse(pages[-1].content, pages[-1].version) if pages else SHIPPED


def refused(connection: sa.Connection) -> set[tuple[str, str]]:
    """The pairs that people said no to."""
    table = tables.refused_pairs
    query = sa.select(table.c.one, table.c.other).where(table.c.partition == WHOLE)
    return {(row.one, row.other) for row in connection.execute(query)}


def refuse(
    connection: sa.Connection, pairs: Collection[tuple[str, str]], by: Person, at: UnixMs, why: str
) -> None:
    """Remember pairs that people said no to."""
    new = sorted(set(pairs) - refused(connection))
    rows = (
        {"one": one, "other": other, "refused_by": by, "refused_at": at, "why": why} for one, other in new
    )
    _insert(connection, tables.refused_pairs, rows)


def allow(connection: sa.Connection, pairs: Collection[tuple[str, str]]) -> None:
    """Forget that pairs were refused: a person has put them together after all."""
    table = tables.refused_pairs
    for one, other in sorted(pairs):
        here = (table.c.partition == WHOLE, table.c.one == one, table.c.other == other)
        connection.execute(sa.delete(table).where(*here))


def generation(connection: sa.Connection) -> int:
    """How often matches, breaks or rules were changed."""
    table = tables.generations
    query = sa.select(table.c.generation).where(table.c.partition == WHOLE)
    return connection.execute(query).scalar() or 0


def next_generation(connection: sa.Connection) -> None:
    """Note that matches, breaks or rules were changed."""
    table = tables.generations
    values = {"generation": generation(connection) + 1}
    done = connection.execute(sa.update(table).where(table.c.partition == WHOLE).values(**values))
    if not done.rowcount:
        connection.execute(sa.insert(table), {"partition": WHOLE, **values})
