"""What cards signed at their counters, as a batch finds it: in the books, and entered by the batch itself."""

from __future__ import annotations

from typing import TYPE_CHECKING

from card.batch import TapRecord
from ledger.intake.columnar import store as lookups

if TYPE_CHECKING:
    from ledger.intake.assess import Assessed
    from ledger.intake.cards.issued import Card
    from ledger.writer import Transaction


class Identities:
    """Identities by UID and counter; the books are asked once for each."""

    def __init__(self) -> None:
        self._planned: dict[tuple[int, int], bytes] = {}
        self._known: dict[tuple[int, int], bytes | None] = {}

    def look_up(self, some: list[Assessed], tx: Transaction) -> None:
        """Ask once for what the books have at the counters of these records."""
        wanted = {
            (one.card.partition, one.card.uid, one.record.tmc)
            for one in some
            if one.card is not None and isinstance(one.record, TapRecord) and one.record.kind is not None
        }
        self._known = dict.fromkeys((uid, tmc) for _, uid, tmc in wanted)
        if wanted:
            self._known |= lookups.tap_identities(tx.reading, wanted)

    def at(self, card: Card, tmc: int, tx: Transaction) -> bytes | None:
        """What a card signed at a counter; None where nothing is known of it."""
        name = (card.uid, tmc)
        if name in self._planned:
            return self._planned[name]
        if name not in self._known:
            self._known[name] = lookups.tap_identities(tx.reading, {(card.partition, *name)}).get(name)
        return self._known[name]

    def plan(self, card: Card, tmc: int, identity: bytes) -> None:
        """This batch enters a card's transaction."""
        self._planned[card.uid, tmc] = identity
