"""How long a small commit waits for company: whoever posts one by one sends the next transfer as soon as the last one is answered.

Without a wait they part into two halves that take turns, one submitting while the other's commit runs, and each commit serves but
one of them. With it all of them share one. Nobody waits who is alone, nor longer than a share of what the wait can save: a commit.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable

WAIT_SHARE: Final = 0.25
"""How much of the time that the last commit took may be waited."""
STEP_SECONDS: Final = 0.0001
"""How long nobody must come for the wait to end sooner."""


class Gathering:
    """What is known of those who post: how many they are, and how long a commit keeps them."""

    def __init__(
        self, sleep: Callable[[float], object] = time.sleep, ticks: Callable[[], float] = time.perf_counter
    ) -> None:
        self._sleep = sleep
        self.ticks = ticks
        self._around = 0
        self._seconds = 0.0

    def ended(self, around: int, seconds: float) -> None:
        """A commit has ended: so many were answered by it or wait already, so long did it take."""
        self._around, self._seconds = around, seconds

    def wait(self, taken: int, waiting: Callable[[], int]) -> None:
        """Wait until as many are here as were around, nobody comes any more, or the time is over; `taken` are here besides the waiting."""
        until, before, here = self.ticks() + WAIT_SHARE * self._seconds, -1, waiting()
        while before < here < self._around - taken and self.ticks() < until:
            self._sleep(STEP_SECONDS)
            before, here = here, waiting()
