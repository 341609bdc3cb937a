"""How fast the ledger's core is: the kernel beside its plain source, durable transfers beside the bare database.

Run with `pytest tests/benchmarks --benchmark-only`. Compare figures of one run only.
"""

from __future__ import annotations

import sqlite3
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from keys.clock import Day, SystemClock, UnixMs
from keys.money import Sen
from ledger import journal, tables
from ledger.book import Ledger
from ledger.chart import Code, Partition, account_id
from ledger.engine import Engine
from ledger.store import Database
from ledger.transfer import ROW, Kind, Transfer
from tests.ledger.entries import unjitted

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

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


@pytest.mark.benchmark(group="durable: 16,000 transfers in SQLite, 500 a unit")
def test_durable_transfers_through_the_ledger(benchmark: BenchmarkFixture, tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'ledger.db'}"
    Ledger.create(url).close()
    made = fares(16_000)
    with Ledger.open(url, SystemClock()) as ledger:
        units = [ledger.unit(made[start : start + 500]) for start in range(0, len(made), 500)]

        def post() -> int:
            answers = [ledger.writer.submit(unit) for unit in units]
            return sum(len(answer.result()) for answer in answers)

        assert rounds(benchmark, post) == len(made)
        assert len(ledger.rows()) == 3 * len(made)


@pytest.mark.benchmark(group="durable: 16,000 transfers in SQLite, 500 a unit")
def test_durable_rows_by_bare_executemany(benchmark: BenchmarkFixture, tmp_path: Path) -> None:
    """The floor: the same table and pragmas, tuples made beforehand, a commit for as many units as the ledger groups."""
    database = Database(f"sqlite:///{tmp_path / 'bare.db'}")
    database.create()
    database.close()
    connection = sqlite3.connect(tmp_path / "bare.db", isolation_level=None)
    connection.execute("PRAGMA synchronous=FULL")
    insert = f"INSERT INTO {tables.transfers.name} VALUES ({','.join('?' * len(ROW.names or ()))})"
    batch = rows(16_000)

    def groups() -> tuple[tuple[list[list[tuple[int, ...]]]], dict[str, object]]:
        batch["position"] = np.arange(len(batch)) + groups_made[0] * len(batch) + 1
        groups_made[0] += 1
        return ([batch[:500].tolist(), batch[500:].tolist()],), {}

    def write(parts: list[list[tuple[int, ...]]]) -> None:
        for part in parts:
            connection.execute("BEGIN")
            connection.executemany(insert, part)
            connection.execute("COMMIT")

    groups_made = [0]
    rounds(benchmark, write, setup=groups)
    assert connection.execute("SELECT count(*) FROM transfers").fetchone() == (3 * len(batch),)
    connection.close()
