"""How fast the ledger's kernel is, beside its plain source; durable transfers are in `test_bench_ledger_durable`.

Run with `pytest tests/benchmarks --benchmark-only`. Compare figures of one run only.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from keys.clock import Day, UnixMs
from keys.money import Sen
from ledger import journal
from ledger.chart import Code, Partition, account_id
from ledger.engine import Engine
from ledger.transfer import Kind, Transfer
from tests.ledger.entries import unjitted

if TYPE_CHECKING:
    from collections.abc import Callable

    import numpy as np
    import numpy.typing as npt
    from pytest_benchmark.fixture import BenchmarkFixture

BATCH = 8_189
"""Transfers a batch, as in TigerBeetle's 1 MiB messages: the usual measure."""
CARDS = 10_000
FARE = Sen(350_000)


def rounds(benchmark: BenchmarkFixture, measured: Callable[..., Any], **how: Any) -> Any:
    """Three rounds of what is too slow, or too costly to set up, for the benchmark's own calibration."""
    return benchmark.pedantic(measured, rounds=3, **how)  # type: ignore[no-untyped-call]


def fares(count: int) -> list[Transfer]:
    """Fares of many cards to one operator's sub-accounts."""
    at, day = UnixMs(1_750_000_000_000), Day(20_254)
    made = []
    for number in range(count):
        partition = Partition(number % 64)
        purse = account_id(Code.PURSE, partition, 936_000_090_000_000 + number % CARDS)
        operator = account_id(Code.OPERATOR_PAYABLE, partition, 12)
        uid, tmc = 0x04A10000000000 + number % CARDS, number // CARDS + 1
        made.append(
            Transfer(
                purse, operator, FARE, Kind.FARE, at, day, uid=uid, tmc=tmc, terminal=1001, sequence=number
            )
        )
    return made


def rows(count: int) -> npt.NDArray[np.void]:
    return journal.rows_of(fares(count), UnixMs(1_750_000_000_000), Day(20_254))


@pytest.mark.benchmark(group="engine: apply 8,189 transfers")
def test_engine_jitted(benchmark: BenchmarkFixture) -> None:
    batch, engine = rows(BATCH), Engine()
    engine.apply(batch)
    applied = benchmark(engine.apply, batch)
    assert not applied.results.any()


@pytest.mark.benchmark(group="engine: apply 8,189 transfers")
def test_engine_plain_source(benchmark: BenchmarkFixture) -> None:
    batch, engine = rows(BATCH), Engine(unjitted())
    applied = rounds(benchmark, engine.apply, args=(batch,))
    assert not applied.results.any()
