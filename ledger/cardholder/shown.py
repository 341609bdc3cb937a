"""What a card's page shows: its taps, months and pockets, as they were read."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from card.layout import TapKind

if TYPE_CHECKING:
    from card.evidence import CardTransaction
    from keys.clock import Day, UnixMs
    from keys.money import Sen
    from ledger.bundles.store import Block
    from ledger.intake.cards.issued import Card
    from ledger.intake.store import TapRow

REPEATING: Final = frozenset({"sale", "refund", "locked"})
"""What terminals note of a tap whose kind says it already."""


@dataclass(frozen=True, slots=True)
class Transfers:
    """What is left of a transfer window: until when, and how many (None: as many as one likes)."""

    until: UnixMs
    left: int | None


@dataclass(frozen=True, slots=True)
class Month:
    """What was spent in a month (its first day), in sen."""

    first: Day
    spent: Sen


@dataclass(frozen=True, slots=True)
class Tap:
    """A tap as the page shows it; `corrected` is what the night put right, in sen (positive: more)."""

    row: TapRow
    payee: str
    corrected: Sen

    @property
    def is_ride(self) -> bool:
        """True for what happens on a bus or at its stop."""
        return self.row.kind in {TapKind.FARE, TapKind.TAP_IN, TapKind.TAP_OUT}

    @property
    def rules(self) -> tuple[str, ...]:
        """The codes of the rules that made the fare, or of how it was paid; none that says again what kind of tap it is."""
        return tuple(code for code in self.row.rules.split() if code not in REPEATING)


@dataclass(frozen=True, slots=True)
class Summary:
    """What a bare scan tells: the band that the balance lies in (upper None: no end), and whether the card is blocked."""

    low: Sen
    high: Sen | None
    blocked: bool


@dataclass(frozen=True, slots=True)
class Shown:
    """All that a view tells. Amounts in sen; `ordered` waits in the wallet for the card's next tap, `arriving` and `leaving` are what else does."""

    card: Card
    purse: Sen
    wallet: Sen
    arriving: Sen
    leaving: Sen
    ordered: Sen
    missing: int
    taps: tuple[Tap, ...]
    months: tuple[Month, ...]
    signed: CardTransaction | None
    transfers: Transfers | None
    block: Block | None
