"""Matching in the database: what is open, as columns; matches, rules, suggestions and refused pairs.

Functions take the connection of an open transaction: writing ones that of a unit of the ledger's writer.
"""

from __future__ import annotations

from collections import defaultdict
from itertools import islice
from typing import TYPE_CHECKING, Any, Final

import polars as pl
import sqlalchemy as sa

from keys.clock import Day, UnixMs
from keys.money import Sen
from settlement.matching import tables
from settlement.matching.columns import ITEMS, LINES
from settlement.matching.kept import KeptMatch
from settlement.matching.rules import RULES_NAME, SHIPPED, RuleSet, parse
from settlement.people import Person
from settlement.rulebook import store as rulebook
from settlement.rulebook.model import RuleKind
from settlement.statements.kept import LineKey
from settlement.tables import WHOLE, items, lines, statements

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence

    from settlement.matching.kept import NewMatch

_CHUNK: Final = 10_000
_KEYS_MAX: Final = 400
"""Keys in one question: SQLite takes 32,766 values."""
matches, match_items, match_lines = tables.matches, tables.match_items, tables.match_lines

_ITEM_COLUMNS: Final = (
    items.c.reference, items.c.bank, items.c.amount, items.c.business_date.label("window"), items.c.due, items.c.name,
    sa.func.coalesce(sa.func.nullif(items.c.end_to_end, ""), items.c.reference).label("told"),
)  # fmt: skip
_ITEMS: Final = pl.Schema([*ITEMS.items(), ("told", pl.String())])
"""`told` is the reference that a bank tells an item by."""
_LINE_COLUMNS: Final = (
    lines.c.sha256, lines.c.statement, lines.c.number, lines.c.bank, lines.c.value_date.label("day"), lines.c.amount,
    lines.c.reference, lines.c.end_to_end, lines.c.remittance.label("text"), lines.c.bank_reference, lines.c.repeated,
)  # fmt: skip


def _columns(connection: sa.Connection, query: sa.Select[Any], schema: pl.Schema) -> pl.DataFrame:
    found = connection.execute(query).partitions(_CHUNK)
    parts = [pl.DataFrame([tuple(row) for row in rows], schema=schema, orient="row") for rows in found]
    return pl.concat([pl.DataFrame(schema=schema), *parts])


def _unproven() -> sa.ColumnElement[bool]:
    return ~sa.exists().where(
        match_items.c.partition == items.c.partition,
        match_items.c.reference == items.c.reference,
        match_items.c.active.is_(sa.true()),
    )


def _unused() -> sa.ColumnElement[bool]:
    return ~sa.exists().where(
        match_lines.c.partition == lines.c.partition,
        match_lines.c.sha256 == lines.c.sha256,
        match_lines.c.statement == lines.c.statement,
        match_lines.c.line == lines.c.number,
        match_lines.c.active.is_(sa.true()),
    )


def open_items(connection: sa.Connection) -> pl.DataFrame:
    """Items that no match proves (`columns.ITEMS`), by reference."""
    query = sa.select(*_ITEM_COLUMNS).where(items.c.partition == WHOLE, _unproven())
    return _columns(connection, query.order_by(items.c.reference), _ITEMS)


def open_lines(connection: sa.Connection) -> pl.DataFrame:
    """Lines that no match uses (`columns.LINES`), in order of their bank's chain."""
    return _columns(connection, _in_chain(sa.select(*_LINE_COLUMNS).where(_unused())), LINES)


def all_between(connection: sa.Connection, first: Day, last: Day) -> tuple[pl.DataFrame, pl.DataFrame]:
    """All items of windows, and all lines booked, from one day to another: for a dry run."""
    wanted = sa.select(*_ITEM_COLUMNS).where(
        items.c.partition == WHOLE, items.c.business_date.between(first, last)
    )
    told = _in_chain(sa.select(*_LINE_COLUMNS).where(lines.c.booking_date.between(first, last)))
    return _columns(connection, wanted.order_by(items.c.reference), _ITEMS), _columns(connection, told, LINES)


def _in_chain(query: sa.Select[Any]) -> sa.Select[Any]:
    here = sa.and_(
        statements.c.partition == lines.c.partition,
        statements.c.sha256 == lines.c.sha256,
        statements.c.number == lines.c.statement,
    )
    return (
        query.join(statements, here)
        .where(lines.c.partition == WHOLE)
        .order_by(statements.c.bank, statements.c.chain, lines.c.number)
    )


def covered(connection: sa.Connection) -> dict[int, Day]:
    """Up to which day the statements of each bank reach."""
    query = (
        sa.select(statements.c.bank, sa.func.max(statements.c.closing_date))
        .where(statements.c.partition == WHOLE)
        .group_by(statements.c.bank)
    )
    return {bank: Day(day) for bank, day in connection.execute(query)}


def insert_matches(
    connection: sa.Connection, made: Iterable[NewMatch], night: Day, by: Person, at: UnixMs, rules: int
) -> range:
    """Keep matches, with the version of the rules that made them; their numbers."""
    first = 1 + (connection.execute(sa.select(sa.func.max(matches.c.number))).scalar() or 0)
    told = {"rules": rules, "night": night, "made_by": by, "made_at": at, **_NOT_UNDONE}
    count = 0
    each = iter(made)
    while chunk := list(enumerate(islice(each, _CHUNK), start=first + count)):
        count += len(chunk)
        _insert(
            connection,
            matches,
            (
                {
                    "number": number, "bank": one.bank, "rule": one.rule, "confidence": one.confidence,
                    "difference": one.difference, "evidence": one.evidence, "proposal": one.proposal, **told,
                }
                for number, one in chunk
            ),
        )  # fmt: skip
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


_NOT_UNDONE: Final = {"undone_by": "", "undone_at": 0, "undone_why": ""}


def _insert(connection: sa.Connection, table: sa.Table, rows: Iterable[dict[str, Any]]) -> None:
    chunk: list[dict[str, Any]] = []
    for row in rows:
        chunk.append({"partition": WHOLE, **row})
        if len(chunk) == _CHUNK:
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
    found = [one for some in _few(numbers) for one in matches_where(connection, matches.c.number.in_(some))]
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
    for some in _few(sorted(references)):
        here = sa.select(match_items.c.match).where(
            match_items.c.partition == WHOLE, match_items.c.reference.in_(some), match_items.c.active.is_(sa.true())
        )  # fmt: skip
        for one in matches_where(connection, matches.c.number.in_(here)):
            found |= dict.fromkeys(one.items, one)
    return found


def _few(keys: Sequence[Any]) -> Iterator[Sequence[Any]]:
    for start in range(0, len(keys), _KEYS_MAX):
        yield keys[start : start + _KEYS_MAX]


def matches_where(connection: sa.Connection, condition: sa.ColumnElement[bool]) -> list[KeptMatch]:
    """Matches that a condition holds for, with their items and lines, by number."""
    found = connection.execute(
        sa.select(matches).where(matches.c.partition == WHOLE, condition).order_by(matches.c.number)
    ).all()
    numbers = [row.number for row in found]
    of_items, of_lines = defaultdict(list), defaultdict(list)
    for some in _few(numbers):
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


def with_difference(connection: sa.Connection) -> list[KeptMatch]:
    """Matches that hold, whose lines show more or less than was expected, and that no entry explains yet."""
    return matches_where(
        connection, sa.and_(matches.c.difference != 0, matches.c.proposal == 0, matches.c.undone_by == "")
    )


def items_with(connection: sa.Connection, references: Sequence[str]) -> pl.DataFrame:
    """Some items (`columns.ITEMS`), proven or not, by reference."""
    parts = [pl.DataFrame(schema=_ITEMS)]
    for some in _few(sorted(references)):
        query = sa.select(*_ITEM_COLUMNS).where(items.c.partition == WHOLE, items.c.reference.in_(some))
        parts.append(_columns(connection, query.order_by(items.c.reference), _ITEMS))
    return pl.concat(parts)


def lines_with(connection: sa.Connection, keys: Sequence[LineKey]) -> pl.DataFrame:
    """Some lines (`columns.LINES`), used or not, in the order of their keys."""
    parts = [pl.DataFrame(schema=LINES)]
    place = sa.tuple_(lines.c.sha256, lines.c.statement, lines.c.number)
    for some in _few(sorted(keys)):
        query = sa.select(*_LINE_COLUMNS).where(
            lines.c.partition == WHOLE, place.in_([tuple(key) for key in some])
        )
        parts.append(_columns(connection, query.order_by(*lines.primary_key.columns), LINES))
    return pl.concat(parts)


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
