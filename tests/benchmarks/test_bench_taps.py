"""Signed taps over HTTP into PostgreSQL: COSE, chip's MAC, posting, durable, receipt. Beside it what the bare database makes of the same rows.

Server, database and terminals are processes of their own. `HEBAT_LONG=1` sends four times as many. The same without pytest, for one run: `python -m tests.benchmarks.taps.rush`.
"""

from __future__ import annotations

import os
import statistics
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any

import pytest

from tests.benchmarks.ledger_load import tell
from tests.benchmarks.taps.city import Rush
from tests.benchmarks.taps.rush import Rushed

if TYPE_CHECKING:
    from pytest_benchmark.fixture import BenchmarkFixture

LONG = os.environ.get("HEBAT_LONG") == "1"
RUSH = Rush(batches=32 if LONG else 8)
ROUNDS = 3
DURABILITY = "fsync=on, synchronous_commit=on, shared_buffers=256MB, max_wal_size=8GB, wal_init_zero=off"


@pytest.mark.benchmark(group="signed taps over HTTP")
@pytest.mark.parametrize("connections", [16, 32])
def test_signed_taps_over_http(benchmark: BenchmarkFixture, connections: int) -> None:
    told: list[dict[str, Any]] = []
    bare: list[float] = []
    with ExitStack() as end:
        here: list[Rushed] = []

        def done() -> None:
            """Leave a city, once the bare database has had its rows too."""
            bare.extend(rushed.bare() for rushed in here)
            here.clear()
            end.pop_all().close()

        def prepared() -> tuple[tuple[Rushed], dict[str, Any]]:
            done()
            here.append(end.enter_context(Rushed(RUSH, connections)))
            return (here[0],), {}

        benchmark.pedantic(lambda rushed: told.append(rushed.send()), setup=prepared, rounds=ROUNDS)  # type: ignore[no-untyped-call]
        done()
    told.sort(key=lambda one: float(one["taps_a_second"]))
    median, raw = told[ROUNDS // 2], RUSH.total / statistics.median(bare)
    benchmark.extra_info |= median | {
        "durability": DURABILITY, "hot_share": 0, "bare_a_second": round(raw), "ratio_to_bare": round(median["taps_a_second"] / raw, 2),
    }  # fmt: skip
    tell(", ".join(f"{name} {value}" for name, value in benchmark.extra_info.items()))
    assert all(one["posted"] == RUSH.total and not one["odd"] for one in told)
