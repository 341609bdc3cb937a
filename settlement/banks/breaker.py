"""A circuit breaker: a bank that fails again and again is left alone for a while, then asked once to see whether it is back."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Final

from keys.clock import UnixMs
from settlement.errors import CircuitOpen

if TYPE_CHECKING:
    from keys.clock import Clock

FAILURES_MAX: Final = 5
"""Failures in a row that open the circuit."""
REST_MS: Final = 30_000


class Breaker:
    """Counts failures of one bank; safe to use from several threads."""

    def __init__(self, clock: Clock, failures_max: int = FAILURES_MAX, rest_ms: int = REST_MS) -> None:
        self._clock = clock
        self._failures_max = failures_max
        self._rest_ms = rest_ms
        self._failures = 0
        self._closed_from: UnixMs | None = None
        self._gate = threading.Lock()

    def check(self) -> None:
        """Let a call through, or raise CircuitOpen; after the rest, one call is let through to try."""
        with self._gate:
            if self._closed_from is None:
                return
            left = self._closed_from - self._clock.now()
            if left > 0:
                raise CircuitOpen(
                    f"the bank failed {self._failures} times in a row: the next try is in {left} ms"
                )
            self._rest()

    def worked(self) -> None:
        """A call was answered, with a yes or a no."""
        with self._gate:
            self._failures, self._closed_from = 0, None

    def failed(self) -> None:
        """A call did not get through, or got no answer."""
        with self._gate:
            self._failures += 1
            if self._failures >= self._failures_max:
                self._rest()

    def _rest(self) -> None:
        self._closed_from = UnixMs(self._clock.now() + self._rest_ms)
