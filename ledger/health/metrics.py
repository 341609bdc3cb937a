"""Prometheus metrics of one server: counts, times and lengths. No label names a card, an account or a client."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram
from prometheus_client.exposition import CONTENT_TYPE_LATEST, generate_latest

from ledger.health.tallies import Counts, Times

if TYPE_CHECKING:
    from collections.abc import Mapping

CONTENT_TYPE: Final = CONTENT_TYPE_LATEST
_SECONDS: Final = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1.0, 2.5)
_SIZES: Final = (1, 2, 4, 8, 16, 32, 64, 128, 256, 512)
_RESULTS: Final = ("posted", "duplicate", "quarantined")
_STATES: Final = {
    "queue_length": "Orders that wait for a commit",
    "calls_under_way": "HTTP calls under way",
    "position": "Last position of the journal",
    "block": "Last block of the journal",
    "quarantine_open": "Records in quarantine that nobody has settled",
    "exceptions": "Exceptions raised by posted records",
    "hotlist_number": "Number of the newest hotlist for buses and gates",
    "last_checkpoint_seconds": "When the business date of the newest checkpoint was closed, Unix time; 0 before the first",
    "ready": "1 where the ledger can take work",
}


class Metrics:
    """What this server counts. Safe to use from several threads."""

    def __init__(self) -> None:
        self._registry = CollectorRegistry()
        of = self._registry
        self._taps = Counter("ledger_taps", "Taps by what became of them", ["result"], registry=of)
        self._orders = Counts("ledger_orders", "Orders by kind and answer", ["kind", "status"], of)
        self._calls = Counts("ledger_http_calls", "HTTP calls", ["method", "route", "status"], of)
        self._call_seconds = Times("ledger_http_seconds", "How long calls take", "route", _SECONDS, of)
        self._commit_seconds = Histogram(
            "ledger_commit_seconds", "From an order's submission to its commit", registry=of, buckets=_SECONDS
        )
        self._group_size = Histogram(
            "ledger_commit_group_size", "Orders that one unit takes", registry=of, buckets=_SIZES
        )
        self._states = {name: Gauge(f"ledger_{name}", told, registry=of) for name, told in _STATES.items()}
        for result in _RESULTS:
            self._taps.labels(result)

    def called(self, method: str, route: str, status: int, seconds: float) -> None:
        """A call was answered."""
        self._calls.add((method, route, str(status)))
        self._call_seconds.add(route, seconds)

    def took(self, counts: Mapping[str, int]) -> None:
        """A batch was taken in: how many records had each result."""
        for result, times in counts.items():
            self._taps.labels(result).inc(times)

    def committed(self, orders: int, seconds: float) -> None:
        """A unit of orders became durable."""
        self._group_size.observe(orders)
        self._commit_seconds.observe(seconds)

    def ordered(self, kind: str, status: int) -> None:
        """An order was answered."""
        self._orders.add((kind, str(status)))

    def state(self, **values: float) -> None:
        """Set what is true now, by the names above."""
        for name, value in values.items():
            self._states[name].set(value)

    def exposition(self) -> bytes:
        """Everything in Prometheus's text format."""
        return generate_latest(self._registry)
