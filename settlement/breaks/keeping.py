"""Breaks after a night's run: those that are new are opened, those that are gone closed, those that are back opened again."""

from __future__ import annotations

from typing import TYPE_CHECKING

from settlement.breaks import store as breaks
from settlement.breaks.causes import Facts, name_causes
from settlement.breaks.kept import What
from settlement.people import NIGHT

if TYPE_CHECKING:
    from collections.abc import Sequence

    from keys.clock import Day
    from ledger.writer import Transaction
    from settlement.breaks.causes import Named
    from settlement.breaks.kept import KeptBreak
    from settlement.breaks.model import Break


def keep_breaks(tx: Transaction, found: Sequence[Break], facts: Facts, night: Day) -> bool:
    """Open the breaks that are new, close those that are gone, reopen those that are back; whether anything changed.

    One that an approved entry resolved stays closed.
    """
    present = {one.break_id: one for one in found}
    named = dict(zip(present, name_causes(list(present.values()), facts), strict=True))
    kept = breaks.known(tx.connection, list(present))
    opened = breaks.open_ids(tx.connection)
    changes = (
        _open(tx, [(one, named[key]) for key, one in present.items() if key not in kept], night),
        _reopen(tx, [key for key, one in kept.items() if not one.is_open and not one.proposal]),
        _close(tx, sorted(opened - present.keys()), night),
        _rename(tx, [(one, named[key]) for key, one in kept.items() if one.is_open]),
    )
    return any(changes)


def _open(tx: Transaction, new: Sequence[tuple[Break, Named]], night: Day) -> bool:
    breaks.insert_breaks(tx.connection, new, night)
    breaks.note_first(tx.connection, ((one.break_id, one.evidence) for one, _ in new), NIGHT, tx.received_at)
    return bool(new)


def _reopen(tx: Transaction, back: Sequence[str]) -> bool:
    for key in back:
        breaks.change(tx.connection, key, closed_night=None)
        breaks.note(tx.connection, key, What.REOPENED, "it is there again", NIGHT, tx.received_at)
    return bool(back)


def _close(tx: Transaction, gone: Sequence[str], night: Day) -> bool:
    why = "the statements and the books explain it now"
    for key in gone:
        breaks.change(tx.connection, key, closed_night=night)
        breaks.note(tx.connection, key, What.CLOSED, why, NIGHT, tx.received_at)
    return bool(gone)


def _rename(tx: Transaction, still: Sequence[tuple[KeptBreak, Named]]) -> bool:
    """Give breaks that stay the causes that the data shows now, where those are others."""
    told = [(one, now) for one, now in still if now.cause.value and now.cause is not one.cause]
    for one, now in told:
        values = {"cause": now.cause.value, "cause_evidence": now.evidence, "severity": int(now.severity)}
        breaks.change(tx.connection, one.break_id, **values)
        said = f"{now.cause.value}: {now.evidence}"
        breaks.note(tx.connection, one.break_id, What.CAUSE, said, NIGHT, tx.received_at)
    return bool(told)
