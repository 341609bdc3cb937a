"""Items and lines out of the database, as columns: what is open, what a dry run looks at, what was named.

Functions take the connection of an open transaction.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import polars as pl
import sqlalchemy as sa

from keys.clock import Day
from settlement.matching.columns import ITEMS, LINES
from settlement.matching.tables import match_items, match_lines
from settlement.portions import portions
from settlement.tables import WHOLE, items, lines, statements

if TYPE_CHECKING:
    from collections.abc import Sequence

    from settlement.statements.kept import LineKey

_ROWS_AT_ONCE: Final = 10_000
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
    found = connection.execute(query).partitions(_ROWS_AT_ONCE)
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


def items_with(connection: sa.Connection, references: Sequence[str]) -> pl.DataFrame:
    """Some items (`columns.ITEMS`), proven or not, by reference."""
    parts = [pl.DataFrame(schema=_ITEMS)]
    for some in portions(sorted(references)):
        query = sa.select(*_ITEM_COLUMNS).where(items.c.partition == WHOLE, items.c.reference.in_(some))
        parts.append(_columns(connection, query.order_by(items.c.reference), _ITEMS))
    return pl.concat(parts)


def lines_with(connection: sa.Connection, keys: Sequence[LineKey]) -> pl.DataFrame:
    """Some lines (`columns.LINES`), used or not, in the order of their keys."""
    parts = [pl.DataFrame(schema=LINES)]
    place = sa.tuple_(lines.c.sha256, lines.c.statement, lines.c.number)
    for some in portions(sorted(keys)):
        query = sa.select(*_LINE_COLUMNS).where(
            lines.c.partition == WHOLE, place.in_([tuple(key) for key in some])
        )
        parts.append(_columns(connection, query.order_by(*lines.primary_key.columns), LINES))
    return pl.concat(parts)
