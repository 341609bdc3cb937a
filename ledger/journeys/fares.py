"""What the ledger asks of the fare rules, which live with the terminals: the composition root hands them in (docs/decisions/0027-journeys.md)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from keys.clock import UnixMs

if TYPE_CHECKING:
    from collections.abc import Sequence

    from card.evidence import CardTransaction
    from keys.money import Rupiah


@dataclass(frozen=True, slots=True)
class Ride:
    """A tap for a ride that is in the books: what the chip signed, and under which tariff and rules the terminal took it."""

    partition: int
    uid: int
    tmc: int
    terminal: int
    transaction: CardTransaction
    tariff: str
    rules: tuple[str, ...]

    @property
    def occurred_at(self) -> UnixMs:
        """When the chip was told it happened."""
        return UnixMs(self.transaction.record.at * 1000)


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a tap was charged too little (or, negative, too much), in rupiah, and the rule that says so."""

    tmc: int
    amount: Rupiah
    code: str


class Fares(Protocol):
    """The fare rules over one card's taps."""

    def corrections(self, rides: Sequence[Ride], now: UnixMs) -> Sequence[Wanted]:
        """What is to be corrected; a tap that is not named was charged rightly. Pure: the same taps give the same answer."""
