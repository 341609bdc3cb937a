"""What a night says of missing counters: an exception for each hole in a card's counters, explained by itself once the tap has come."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from ledger.intake.quarantine.store import ExceptionRow, insert_exceptions
from ledger.intake.reasons import ExceptionKind
from settlement.breaks.explanations.store import Explanation, Of, insert
from settlement.night.counters import store as counters
from settlement.people import NIGHT

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from keys.clock import Day, UnixMs
    from ledger.store import Database
    from ledger.writer import Transaction
    from settlement.night.card_side import CardSide, Gap
    from settlement.night.counters.store import Hole

AT_ONCE: Final = 10_000
"""Cards that are noted in one transaction: the ledger's writer never waits for all of them."""
_CAME: Final = "the counter came in since"


def raise_holes(tx: Transaction, gaps: Sequence[Gap]) -> None:
    """Raise an exception for each hole that has none, and explain those whose first counter came in."""
    known = {(one.partition, one.uid, one.tmc) for one in counters.raised(tx.connection)} if gaps else set()
    insert_exceptions(
        tx,
        (
            _row(gap, hole, tx.received_at)
            for gap in gaps
            for hole in gap.holes
            if (gap.card.partition, gap.card.uid, hole.missing.start) not in known
        ),
    )
    for one in counters.raised(tx.connection, came=True):
        insert(tx.connection, Of.EXCEPTION, one.key, Explanation(NIGHT, tx.received_at, _CAME))


def _row(gap: Gap, hole: Hole, now: UnixMs) -> ExceptionRow:
    first, last = hole.missing.start, hole.missing.stop - 1
    told = f"counter {first} of the card" if first == last else f"counters {first} to {last} of the card"
    return ExceptionRow(
        gap.card.partition, gap.card.uid, first, ExceptionKind.COUNTER_MISSING, hole.terminal, hole.sequence,
        f"{told} came from no terminal; counter {last + 1} did: find the terminal that has not sent", now,
    )  # fmt: skip


def note_known(database: Database, day: Day, side: CardSide) -> None:
    """Keep up to which counter nothing is missing, for the next night to read on from."""
    holes = {(gap.card.partition, gap.card.uid): gap.holes[0] for gap in side.gaps}
    for some in _chunks([(card, _known(card, holes)) for card in side.cards]):
        with database.writing() as connection:
            counters.note(connection, day, some)


def _known(card: counters.Card, holes: dict[tuple[int, int], Hole]) -> int:
    hole = holes.get((card.partition, card.uid))
    return card.last if hole is None else hole.missing.start - 1


def _chunks(rows: list[tuple[counters.Card, int]]) -> Iterator[list[tuple[counters.Card, int]]]:
    for first in range(0, len(rows), AT_ONCE):
        yield rows[first : first + AT_ONCE]
