"""What a fare decision is: where it was asked for, the steps that make its amount, and what the card remembers. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from keys.money import Rupiah

if TYPE_CHECKING:
    from card.journey import Journey


@dataclass(frozen=True, slots=True)
class Place:
    """Where a terminal stands: names for people, numbers for the card; `vehicle` is the terminal's own number.

    Route and stop number are places in the tariff's lists, from 1; 0 where the terminal does not know.
    """

    route: str
    stop: str
    route_number: int
    stop_number: int
    vehicle: int


@dataclass(frozen=True, slots=True)
class Step:
    """One rule that fired: its code (`terminals.fares.words` says it in words), and what it added to the fare."""

    code: str
    amount: Rupiah


@dataclass(frozen=True, slots=True)
class FareDecision:
    """What the rules made of a tap. `journey` is what the card remembers afterwards; one that is not `known` is not written."""

    journey: Journey
    steps: tuple[Step, ...]

    @property
    def amount(self) -> Rupiah:
        """What to charge: the sum of the steps."""
        return Rupiah(sum(step.amount for step in self.steps))

    @property
    def rules(self) -> tuple[str, ...]:
        """The codes of the rules that fired, in order."""
        return tuple(step.code for step in self.steps)


class FareRefused(Exception):  # a decision of the rules, shown on the screen: no error of the program
    """The rules do not let this card ride here now."""

    def __init__(self, rule: str, reason: str) -> None:
        super().__init__(reason)
        self.rule = rule


class CardBlocked(FareRefused):
    """The hotlist names this card: it is refused, and locked on the spot."""
