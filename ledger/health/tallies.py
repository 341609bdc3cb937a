"""Counts and times of what happens thousands of times a second: added up in plain numbers, told to Prometheus when somebody asks."""

from __future__ import annotations

import time
from bisect import bisect_left
from threading import Lock
from typing import TYPE_CHECKING

from prometheus_client.core import CounterMetricFamily, HistogramMetricFamily
from prometheus_client.utils import floatToGoString

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from prometheus_client import CollectorRegistry
    from prometheus_client.core import Metric

    Labels = tuple[str, ...]


class Counts:
    """A counter by its labels' values. Safe to use from several threads."""

    def __init__(self, name: str, told: str, labels: Sequence[str], registry: CollectorRegistry) -> None:
        self._about = (name, told)
        self._labels = labels
        self._lock = Lock()
        self._found: dict[Labels, int] = {}
        self._since: dict[Labels, float] = {}
        registry.register(self)

    def add(self, labels: Labels) -> None:
        """It has happened once more."""
        with self._lock:
            try:
                self._found[labels] += 1
            except KeyError:
                self._found[labels], self._since[labels] = 1, time.time()

    def collect(self) -> Iterator[Metric]:
        """What there is now, as Prometheus's client asks for it."""
        family = CounterMetricFamily(*self._about, labels=self._labels)
        with self._lock:
            for labels, times in self._found.items():
                family.add_metric(labels, times, created=self._since[labels])
        yield family


class Times:
    """A histogram of seconds by one label's value. Safe to use from several threads."""

    def __init__(
        self, name: str, told: str, label: str, bounds: Sequence[float], registry: CollectorRegistry
    ) -> None:
        self._about = (name, told)
        self._label = label
        self._bounds = bounds
        self._lock = Lock()
        self._found: dict[str, list[int]] = {}
        self._sums: dict[str, float] = {}
        self._since: dict[str, float] = {}
        registry.register(self)

    def add(self, label: str, seconds: float) -> None:
        """It took so long."""
        at = bisect_left(self._bounds, seconds)
        with self._lock:
            try:
                counts = self._found[label]
            except KeyError:
                counts = self._found[label] = [0] * (len(self._bounds) + 1)
                self._sums[label], self._since[label] = 0.0, time.time()
            counts[at] += 1
            self._sums[label] += seconds

    def collect(self) -> Iterator[Metric]:
        """What there is now, as Prometheus's client asks for it."""
        family = HistogramMetricFamily(*self._about, labels=[self._label])
        bounds = [floatToGoString(bound) for bound in (*self._bounds, float("inf"))]  # type: ignore[no-untyped-call]
        with self._lock:
            for label, counts in self._found.items():
                upto = [sum(counts[: at + 1]) for at in range(len(counts))]
                family.add_metric([label], list(zip(bounds, upto, strict=True)), self._sums[label])
                family.add_sample(f"{family.name}_created", {self._label: label}, self._since[label])
        yield family
