"""Opening and closing breaks within a unit, for what people do between two runs of matching."""

from __future__ import annotations

from typing import TYPE_CHECKING

from settlement.breaks import store
from settlement.breaks.causes import Named, severity
from settlement.breaks.kept import Cause, What
from settlement.breaks.model import undone
from settlement.matching.loading import store as loading
from settlement.matching.sides import told_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ledger.writer import Transaction
    from settlement.breaks.kept import Severity
    from settlement.breaks.model import Break
    from settlement.people import Person
    from settlement.statements.kept import LineKey


def open_breaks(tx: Transaction, found: Sequence[tuple[Break, Cause, Severity]], by: Person) -> None:
    """Open breaks, or open them again."""
    connection, at = tx.connection, tx.received_at
    kept = store.known(connection, [one.break_id for one, _, _ in found])
    new = [(one, Named(cause, "", weight)) for one, cause, weight in found if one.break_id not in kept]
    store.insert_breaks(connection, new, tx.business_date)
    store.note_first(connection, ((one.break_id, one.evidence) for one, _ in new), by, at)
    for one, _, _ in found:
        if one.break_id in kept and not kept[one.break_id].is_open:
            store.change(connection, one.break_id, closed_night=None, evidence=one.evidence, proposal=0)
            store.note(connection, one.break_id, What.REOPENED, one.evidence, by, at)


def close_of(
    tx: Transaction,
    references: Sequence[str],
    lines: Sequence[LineKey],
    why: str,
    by: Person,
    proposal: int = 0,
) -> None:
    """Close the open breaks that some items and lines stand in; `proposal` is the approved one that resolves them.

    A line of such a break that is none of these has lost its item, and gets a break of its own.
    """
    bereft: list[LineKey] = []
    for found in store.open_of(tx.connection, references, lines):
        alone = found.line != store.NO_LINE and found.line not in lines
        bereft += [found.line] if alone else []
        store.change(
            tx.connection, found.break_id, closed_night=tx.business_date, proposal=0 if alone else proposal
        )
        store.note(tx.connection, found.break_id, What.CLOSED, why, by, tx.received_at)
    told = told_of(loading.lines_with(tx.connection, bereft))
    opened = [one for line in told for one in undone(line, f"its item went another way: {why}")]
    open_breaks(tx, [(one, Cause.NONE, severity(one, Cause.NONE)) for one in opened], by)
