"""The balance engine alone: transfers a second with few and many accounts, memory an account, and what growing costs.

Run with `pytest tests/benchmarks/test_bench_engine.py --benchmark-only`. Nothing is durable here: the journal has a benchmark of its own.
"""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from ledger.engine import Engine
from ledger.transfer import ROW
from tests.ledger.entries import DAY, unjitted

if TYPE_CHECKING:
    import numpy.typing as npt
    from pytest_benchmark.fixture import BenchmarkFixture

    Rows = npt.NDArray[np.void]

BATCH = 8_189
FILL = 50_000
MANY = 1_000_000
ROUNDS = 40
FIRST_CARD = 936_000_090_000_000


def fares(cards: npt.NDArray[np.int64], tmc: int) -> Rows:
    """A fare of each of these cards, to one operator's sub-accounts."""
    rows, partitions = np.zeros(len(cards), ROW), cards % 64
    rows["debit"] = (1 << 56) | (partitions << 50) | (FIRST_CARD + cards)
    rows["credit"] = (4 << 56) | (partitions << 50) | 12
    rows["amount"], rows["kind"], rows["business_date"] = 350_000, 1, DAY
    rows["uid"], rows["tmc"] = 0x04A10000000000 + cards, tmc
    rows["terminal"], rows["sequence"] = 1001, tmc * len(cards) + np.arange(len(cards))
    return rows


def filled(accounts: int, engine: Engine) -> Engine:
    for first in range(0, accounts, FILL):
        engine.apply(fares(np.arange(first, min(first + FILL, accounts)), 1))
        engine.publish()
    return engine


@pytest.mark.benchmark(group="engine: 8,189 fares of cards taken at random")
@pytest.mark.parametrize("accounts", [10_000, MANY])
@pytest.mark.parametrize("hot", [0.0, 0.5], ids=["uniform", "half on one card"])
def test_transfers(benchmark: BenchmarkFixture, accounts: int, hot: float) -> None:
    engine, random = filled(accounts, Engine()), np.random.default_rng(1)
    batches = []
    for number in range(ROUNDS):
        cards = random.integers(0, accounts, BATCH)
        cards[random.random(BATCH) < hot] = 7
        batches.append(fares(cards, number + 2))
    made = iter(batches)

    def once() -> None:
        applied = engine.apply(next(made))
        engine.publish()
        assert not applied.results.any()

    benchmark.pedantic(once, rounds=ROUNDS)  # type: ignore[no-untyped-call]
    fastest, middle = benchmark.stats.stats.min, benchmark.stats.stats.median  # type: ignore[union-attr]
    benchmark.extra_info |= {
        "accounts": accounts, "batch": BATCH, "share of one card": hot, "durable": False,
        "transfers a second, best round": round(BATCH / fastest), "median round": round(BATCH / middle),
    }  # fmt: skip


@pytest.mark.benchmark(group="engine: 8,189 fares of cards taken at random")
def test_transfers_by_the_plain_source(benchmark: BenchmarkFixture) -> None:
    engine = filled(10_000, Engine())
    plain = Engine.of(engine.keep())
    plain._apply = unjitted()
    batch = fares(np.random.default_rng(1).integers(0, 10_000, BATCH), 2)
    benchmark.pedantic(plain.apply, args=(batch,), rounds=2)  # type: ignore[no-untyped-call]


MEMORY = """
import resource, sys
sys.path.insert(0, sys.argv[1])
from ledger.engine import Engine, warm
from tests.benchmarks.test_bench_engine import MANY, fares, filled
warm()
filled(10_000, Engine())
def resident():
    return int(open("/proc/self/statm").read().split()[1]) * resource.getpagesize()
before = resident()
engine = filled(MANY, Engine())
print((resident() - before) / MANY)
"""


@pytest.mark.benchmark(group="engine: memory")
def test_memory_an_account_with_a_card_of_its_own(benchmark: BenchmarkFixture) -> None:
    root = str(Path(__file__).parents[2])

    def measured() -> float:
        said = subprocess.run(
            [sys.executable, "-c", MEMORY, root], check=True, capture_output=True, text=True
        )
        return float(said.stdout.split()[-1])

    each: float = benchmark.pedantic(measured, rounds=1)  # type: ignore[no-untyped-call]
    benchmark.extra_info |= {"accounts": MANY, "bytes an account (resident)": round(each)}
    assert each < 300


@pytest.mark.benchmark(group="engine: growth")
def test_the_longest_batch_while_a_million_accounts_come(benchmark: BenchmarkFixture) -> None:
    """New accounts and cards in every batch: tables grow on the way; the raw limit is the median of the same run."""
    took: list[float] = []

    def fill() -> None:
        engine = Engine()
        for first in range(0, MANY + 100_000, 1000):
            rows = fares(np.arange(first, first + 1000), 1)
            started = time.thread_time()
            engine.apply(rows)
            took.append(time.thread_time() - started)

    benchmark.pedantic(fill, rounds=1)  # type: ignore[no-untyped-call]
    longest: Any = sorted(took)[-4:]
    benchmark.extra_info |= {
        "accounts": MANY + 100_000, "batch": 1000, "milliseconds of processor time, median": round(1000 * float(np.median(took)), 2),
        "longest four": [round(1000 * one, 2) for one in longest],
    }  # fmt: skip
