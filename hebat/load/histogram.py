"""Latencies by their logarithm: fixed memory however many there are, and no percentile off by more than five in a hundred."""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterator

GROWTH: Final = 1.05
"""Each bucket ends five in a hundred later than the one before."""
LEAST_S: Final = 1e-5


@dataclass(slots=True)
class Histogram:
    """How often each latency came. `slowest` in seconds, exactly."""

    counts: Counter[int] = field(default_factory=Counter)
    slowest: float = 0.0

    def add(self, seconds: float) -> None:
        """One latency."""
        self.counts[max(0, math.ceil(math.log(max(seconds, LEAST_S) / LEAST_S, GROWTH)))] += 1
        self.slowest = max(self.slowest, seconds)

    @property
    def total(self) -> int:
        """How many there are."""
        return self.counts.total()

    def percentile(self, share: float) -> float:
        """Seconds within which so many of a hundred are, or five in a hundred less; 0 where there are none."""
        wanted, seen = math.ceil(self.total * share / 100), 0
        for ends, count in self.buckets():
            seen += count
            if seen >= wanted:
                return min(ends, self.slowest)
        return 0.0

    def buckets(self) -> Iterator[tuple[float, int]]:
        """Where each bucket that holds any ends, in seconds, and how many it holds."""
        for number in sorted(self.counts):
            yield LEAST_S * GROWTH**number, self.counts[number]
