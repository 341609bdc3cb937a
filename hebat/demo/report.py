"""What a demo day left, in figures, as people and machines are shown it; `figures` gathers them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from keys.money import Sen

DEMO_PIN = "135790"
"""The PIN of the card that is shown: a demo's, known to everybody."""
CARDHOLDER = f"a cardholder's balance (PIN {DEMO_PIN})"


@dataclass(frozen=True, slots=True)
class KindLine:
    """Transfers of one kind: how many, how much in sen, and how many of them in a later window than their service day's."""

    kind: str
    transfers: int
    sen: Sen
    late: int


@dataclass(frozen=True, slots=True)
class PositionLine:
    """What one bank pays to one party, in sen."""

    bank: str
    party: str
    gross: Sen
    fee: Sen
    net: Sen


@dataclass(frozen=True, slots=True)
class BreakLine:
    """A break, and whether a bank of the demo made it on purpose."""

    reason: str
    bank: str
    difference: Sen
    evidence: str
    planted: bool


@dataclass(frozen=True, slots=True)
class PocketLine:
    """A pocket at the day's end: how many there are, what they hold in sen, and what happened."""

    pocket: str
    count: int
    sen: Sen
    told: str


@dataclass(frozen=True, slots=True)
class Report:
    """A demo day in figures."""

    day: str
    seed: int
    seconds: float
    cards: int
    screens: dict[str, dict[str, int]]
    free_transfers: int
    kinds: tuple[KindLine, ...]
    records: int
    quarantine: tuple[tuple[str, str, int], ...]
    exceptions: dict[str, int]
    attacks: tuple[tuple[str, int, str], ...]
    positions: tuple[PositionLine, ...]
    payment_files: int
    payments: int
    paid: Sen
    statements: int
    matched: int
    breaks: tuple[BreakLine, ...]
    unplanted: int
    missed: int
    pockets: tuple[PocketLine, ...]
    trial: tuple[tuple[str, int, Sen, Sen], ...]
    debits: Sen
    credits: Sen
    head: tuple[int, int, str]
    database: str
    laws: tuple[tuple[int, str, bool, str], ...]
    night: dict[str, Any]
    pages: tuple[tuple[str, str], ...]

    @property
    def sound(self) -> bool:
        """True where every law held and the breaks are exactly the planted ones."""
        return all(held for _, _, held, _ in self.laws) and not self.unplanted and not self.missed

    def as_json(self) -> dict[str, Any]:
        """The same for machines; money in sen."""
        from dataclasses import asdict  # noqa: PLC0415  only --json and --keep need it

        return {**asdict(self), "sound": self.sound}
