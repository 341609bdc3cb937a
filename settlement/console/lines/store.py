"""A bank's line, what may prove it, and what stands behind an expected item, from the database."""

from __future__ import annotations

from collections import namedtuple
from itertools import islice
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import sqlalchemy as sa

from keys.clock import day_of
from ledger import tables as journal
from ledger.chart import Partition, account_id
from ledger.rows.store import archived_day
from ledger.transfer import ROW
from settlement.matching.proposing.store import suggestion_of_row
from settlement.matching.tables import match_items, suggestions
from settlement.statements.store import line_of_row
from settlement.store import item_of_row
from settlement.tables import WHOLE, items, lines

if TYPE_CHECKING:
    from ledger.store import Connection
    from settlement.items import Item
    from settlement.matching.kept import Suggestion, SuggestionState
    from settlement.statements.kept import BankLine, LineKey

CANDIDATES_MAX: Final = 20
TRANSFERS_MAX: Final = 100
PARTITIONS: Final = 64
DAYS_BEFORE: Final = (2, 7, 30)
"""How far back open items are looked for; further where few are found, as over Lebaran."""
FEW: Final = 3
DAYS_AFTER: Final = 1
_Row = namedtuple("_Row", list(ROW.names or ()))  # type: ignore[misc]  # noqa: PYI024  the names are the journal's own
"""A row from the archive, as one of the table is."""


def line_of(connection: Connection, key: LineKey) -> BankLine | None:
    """A line by its place; None where there is none."""
    query = sa.select(lines).where(
        lines.c.partition == WHOLE, lines.c.sha256 == key.sha256, lines.c.statement == key.statement,
        lines.c.number == key.number,
    )  # fmt: skip
    row = connection.execute(query).first()
    return line_of_row(row) if row else None


def item_of(connection: Connection, reference: str) -> Item | None:
    """An expected item by its reference."""
    query = sa.select(items).where(items.c.partition == WHOLE, items.c.reference == reference)
    row = connection.execute(query).first()
    return item_of_row(row) if row else None


def items_with(connection: Connection, references: tuple[str, ...]) -> list[Item]:
    """Expected items by their references."""
    query = sa.select(items).where(
        items.c.partition == WHOLE, items.c.reference.in_(references[:CANDIDATES_MAX])
    )
    return [item_of_row(row) for row in connection.execute(query.order_by(items.c.reference))]


def candidates(connection: Connection, line: BankLine) -> list[Item]:
    """Open items of the line's bank from the days before its value date, the nearest amounts first."""
    found: list[Item] = []
    for days in DAYS_BEFORE:
        found = _candidates(connection, line, days)
        if len(found) >= FEW:
            break
    return found


def _candidates(connection: Connection, line: BankLine, days: int) -> list[Item]:
    day = day_of(line.line.value_date)
    taken = sa.select(match_items.c.reference).where(
        match_items.c.partition == WHOLE, match_items.c.active.is_(sa.true()), match_items.c.reference == items.c.reference
    )  # fmt: skip
    query = (
        sa.select(items)
        .where(
            items.c.partition == WHOLE, items.c.business_date.between(day - days, day + DAYS_AFTER),
            items.c.bank == line.bank, ~taken.exists(),
        )
        .order_by(sa.func.abs(items.c.amount - line.line.amount), items.c.reference)
        .limit(CANDIDATES_MAX)
    )  # fmt: skip
    return [item_of_row(row) for row in connection.execute(query)]


def suggestions_of(connection: Connection, key: LineKey, waiting: SuggestionState) -> list[Suggestion]:
    """Suggestions for a line that wait for somebody."""
    here = (
        suggestions.c.partition == WHOLE, suggestions.c.sha256 == key.sha256, suggestions.c.statement == key.statement,
        suggestions.c.line == key.number, suggestions.c.state == waiting.value,
    )  # fmt: skip
    query = sa.select(suggestions).where(*here).order_by(suggestions.c.score.desc(), suggestions.c.number)
    return [suggestion_of_row(row) for row in connection.execute(query)]


def transfers_of(connection: Connection, item: Item) -> list[Any]:
    """The journal's rows of a window that credit or debit an item's party: its taps and what settled them, by position.

    Raises ArchiveMissing or ArchiveDamaged where the window is in an archive that does not read.
    """
    accounts = [account_id(item.code, Partition(number), item.party) for number in range(PARTITIONS)]
    archived = archived_day(connection, item.window)
    if archived is not None:
        mine = (
            rows[np.isin(rows["credit"], accounts) | np.isin(rows["debit"], accounts)] for rows in archived
        )
        found = (_Row(*row) for rows in mine for row in rows.tolist())
        return list(islice(found, TRANSFERS_MAX))
    table = journal.transfers
    query = (
        sa.select(table)
        .where(table.c.business_date == item.window, sa.or_(table.c.credit.in_(accounts), table.c.debit.in_(accounts)))
        .order_by(table.c.position)
        .limit(TRANSFERS_MAX)
    )  # fmt: skip
    return list(connection.execute(query))
