"""Transactions whose commit nobody saw: kept until the card itself tells."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING

from card.batch import RecordStatus, decode_record

if TYPE_CHECKING:
    from collections.abc import Iterable

    from card.batch import TapRecord
    from ledger.intake.quarantine.store import QuarantineRow


@dataclass(frozen=True, slots=True)
class OpenIntent:
    """An unconfirmed record, as its terminal sent it."""

    terminal: int
    record: TapRecord
    raw: bytes


class Verdict(Enum):
    """What a later sight of the card says of an intent."""

    HAPPENED = "happened"
    NEVER_HAPPENED = "never happened"


class Intents:
    """Open intents by card; the database holds the same rows in quarantine."""

    def __init__(self, rows: Iterable[QuarantineRow]) -> None:
        self._open: dict[int, list[OpenIntent]] = defaultdict(list)
        self.begin_anew(rows)

    def begin_anew(self, rows: Iterable[QuarantineRow]) -> None:
        """These are open, and no others."""
        self._open.clear()
        for row in rows:
            self.add(row.uid, OpenIntent(row.terminal, decode_record(row.raw, row.sequence), row.raw))

    def add(self, uid: int, intent: OpenIntent) -> None:
        """Wait for the card to tell."""
        self._open[uid].append(intent)

    def remove(self, uid: int, intent: OpenIntent) -> None:
        """The card has told."""
        self._open[uid].remove(intent)
        if not self._open[uid]:
            del self._open[uid]

    def uids(self) -> list[int]:
        """The cards that have open intents."""
        return list(self._open)

    def of(self, uid: int) -> list[OpenIntent]:
        """The open intents of a card."""
        return list(self._open.get(uid, ()))


def verdict(intent: TapRecord, tmv: bytes, sight: TapRecord) -> Verdict | None:
    """What a record of the same card says of an intent whose chip value would be `tmv`; None: nothing.

    The chip's own value proves that it happened, whoever saw it. That it never happened is proven only by another transaction,
    signed by the chip, at the same counter: what a terminal merely says that it saw must not undo a payment.
    """
    if (intent.tmc, tmv) in {(sight.seen_tmc, sight.seen_tmv), (sight.tmc, sight.tmv)}:
        return Verdict.HAPPENED
    if sight.status is RecordStatus.CONFIRMED and sight.tmc == intent.tmc:
        return Verdict.NEVER_HAPPENED
    return None
