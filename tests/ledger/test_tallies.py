"""Plain numbers instead of Prometheus's own counters: what is told of them is the same, and none is lost between threads."""

from __future__ import annotations

import threading
from typing import Final

from hypothesis import given
from hypothesis import strategies as st
from prometheus_client import CollectorRegistry, Counter, Histogram
from prometheus_client.exposition import generate_latest

from ledger.health.tallies import Counts, Times

BOUNDS: Final = (0.001, 0.01, 0.5, 2.5)
THREADS, TIMES = 8, 2_000
NAMES = st.sampled_from(["/a", "/b/{c}", 'with "quotes"\n', ""])
SECONDS = st.sampled_from([0.0, *BOUNDS, 99.0]) | st.floats(0, 5)


def told(registry: CollectorRegistry) -> list[str]:
    """All lines but the moments at which a count began."""
    lines = generate_latest(registry).decode().splitlines()
    return [line.rpartition(" ")[0] if "_created{" in line else line for line in lines]


@given(st.lists(st.tuples(NAMES, st.sampled_from(["200", "404"]), SECONDS), max_size=30))
def test_what_is_told_is_what_the_clients_own_counters_tell(calls: list[tuple[str, str, float]]) -> None:
    ours, theirs = CollectorRegistry(), CollectorRegistry()
    counts = Counts("calls", "Calls", ["route", "status"], ours)
    times = Times("seconds", "How long", "route", BOUNDS, ours)
    counter = Counter("calls", "Calls", ["route", "status"], registry=theirs)
    histogram = Histogram("seconds", "How long", ["route"], registry=theirs, buckets=BOUNDS)
    for route, status, seconds in calls:
        counts.add((route, status))
        times.add(route, seconds)
        counter.labels(route, status).inc()
        histogram.labels(route).observe(seconds)
    assert told(ours) == told(theirs)


def test_no_count_is_lost_between_threads() -> None:
    registry = CollectorRegistry()
    counts, times = Counts("calls", "Calls", ["at"], registry), Times("s", "How long", "at", BOUNDS, registry)

    def count() -> None:
        for number in range(TIMES):
            counts.add((str(number % 3),))
            times.add("x", 0.25)

    threads = [threading.Thread(target=count) for _ in range(THREADS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    found = {
        line.split(" ")[0]: float(line.split(" ")[1])
        for line in told(registry)
        if line[0] != "#" and "_created" not in line
    }
    assert sum(value for name, value in found.items() if name.startswith("calls_total")) == THREADS * TIMES
    assert found['s_count{at="x"}'] == found['s_bucket{at="x",le="0.5"}'] == THREADS * TIMES
    assert found['s_sum{at="x"}'] == THREADS * TIMES / 4
