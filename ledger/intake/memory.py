"""What the writer's thread remembers between batches, so that a batch that goes on where its terminal stopped asks the database for nothing.

The database holds all of it; what is not here is looked up there. Nothing is kept of a batch that was not planned and settled by this process.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from ledger.intake.columnar.counters import Counters

if TYPE_CHECKING:
    from keys.clock import Day, UnixMs

DAYS_MAX: Final = 200_000
"""Sums by terminal and service day that are kept; past that the memory starts afresh."""


@dataclass(frozen=True, slots=True)
class Tail:
    """The end of a terminal's chain of batches."""

    last_sequence: int
    digest: bytes
    last_occurred_at: UnixMs


class Memory:
    """Chains by terminal, sums by terminal and service day, counters by card."""

    def __init__(self) -> None:
        self.tails: dict[int, Tail] = {}
        self.counters = Counters()
        self._sums: dict[tuple[int, Day], int] = {}

    def forget(self) -> None:
        """Some of what was settled is not in the books: ask the database for all of it again.

        Counters stay: one too many marked is a candidate, which the table of taps decides.
        """
        self.tails.clear()
        self._sums.clear()

    def sum_of(self, terminal: int, day: Day) -> int | None:
        """What a terminal has moved in a service day, in sen; None where it has to be looked up."""
        return self._sums.get((terminal, day))

    def keep_sum(self, terminal: int, day: Day, amount: int) -> None:
        """What a terminal has moved by now."""
        if len(self._sums) >= DAYS_MAX:
            self._sums.clear()
        self._sums[terminal, day] = amount
