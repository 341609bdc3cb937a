"""How long it takes to close and net a window on PostgreSQL, beside the raw read of the same rows in the same run.

With HEBAT_LONG=1 the window has 10,000,000 transfers, else 200,000; the same is measured at a tenth of that, so that the ratio for ten times
the work is told. Rows come from the server by COPY; what is timed is closing, reading, netting, and the commit of the entries.
"""

from __future__ import annotations

import os
import time
from datetime import date, datetime
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import pytest

from hebat.schema import TABLES
from keys.clock import CITY, Day, day_of, moment
from ledger.book import Ledger
from ledger.chart import Code
from ledger.rows.store import MOVES_A_CHUNK
from ledger.transfer import ROW
from settlement.fees import qris_rates
from settlement.night.running import Night
from settlement.participants import Bank, City, Merchant, MerchantClass, Operator, Participants
from tests.benchmarks.ledger_load import post
from tests.ledger.crash.cluster import Cluster
from tests.settlement.town import StoppedClock

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    import numpy.typing as npt
    from pytest_benchmark.fixture import BenchmarkFixture

    from ledger.rows.moves import Moves

    Rows = npt.NDArray[np.void]

COUNT: Final = 10_000_000 if os.environ.get("HEBAT_LONG") == "1" else 200_000
BATCH: Final = 50_000
DATE: Final = date(2026, 11, 18)
DAY: Final = day_of(DATE)
BANKS: Final = (8, 9, 113)
OPERATORS: Final = 20
MERCHANTS: Final = 1_000
CARDS: Final = 200_000


@pytest.fixture(scope="module")
def cluster() -> Iterator[Cluster]:
    """A PostgreSQL as it comes, but for memory that fits a server."""
    with Cluster(shared_buffers="512MB", max_wal_size="4GB", io_method="worker") as made:
        yield made


def city() -> Participants:
    """Three banks, and parties spread over them."""
    bank = [BANKS[number % 3] for number in range(MERCHANTS + OPERATORS + 2)]
    return Participants(
        banks=[Bank(code, f"Bank {code}", "BNINIDJA", f"{code:010d}") for code in BANKS],
        operators=[Operator(one, f"Operator {one}", bank[one], f"2{one:08d}") for one in range(1, OPERATORS + 1)],
        merchants=[
            Merchant(one, f"Merchant {one}", bank[one], f"3{one:08d}", MerchantClass.UKE) for one in range(1, MERCHANTS + 1)
        ],
        agents=[],
        city=City(1, "City", 9, "1"),
    )  # fmt: skip


def sales(count: int, seed: int) -> Rows:
    """Fares and sales of many cards, half of each."""
    dice = np.random.default_rng(seed)
    serial = dice.integers(0, CARDS, count)
    number = 9360_0000_0000_000 + np.array(BANKS)[serial % 3] * 10_000_000 + serial
    partition = serial % 64
    fare = dice.random(count) < 0.5
    party = np.where(fare, dice.integers(1, OPERATORS + 1, count), dice.integers(1, MERCHANTS + 1, count))
    code = np.where(fare, int(Code.OPERATOR_PAYABLE), int(Code.MERCHANT_PAYABLE))
    rows = np.zeros(count, ROW)
    rows["debit"] = (int(Code.PURSE) << 56) | (partition << 50) | number
    rows["credit"] = (code << 56) | (partition << 50) | party
    rows["amount"] = np.where(fare, 350_000, dice.integers(100_000, 9_000_000, count))
    rows["kind"] = np.where(fare, 1, 3)
    rows["occurred_at"], rows["service_day"] = 1_795_000_000_000, DAY
    return rows


def filled(url: str, count: int, clock: StoppedClock) -> Ledger:
    """A ledger with so many transfers in one window, just past its cut-off."""
    database = Ledger.create(url, *TABLES)
    ledger = Ledger.open(database, clock, snapshot_every=1 << 60)
    for start in range(0, count, 1_000_000):
        post(ledger, sales(min(1_000_000, count - start), start), BATCH)
    clock.at = moment(datetime(2026, 11, 18, 23, 5, tzinfo=CITY))
    return ledger


def raw_read(ledger: Ledger) -> float:
    """Seconds to take the same columns of the same rows, and do nothing with them."""
    started, rows = time.perf_counter(), 0

    def take(moves: Moves) -> None:
        nonlocal rows
        rows += len(moves.position)

    ledger.each_moves(DAY, take)
    assert rows > 0
    return time.perf_counter() - started


def settled(cluster: Cluster, count: int, out: Path) -> dict[str, Any]:
    """Close and net one window; seconds, and the raw read of the same rows before and behind it."""
    clock = StoppedClock()
    with filled(cluster.database(), count, clock) as ledger:
        raw = [raw_read(ledger)]
        started = time.perf_counter()
        Night(ledger, city(), qris_rates(), out).settle(DAY)
        seconds = time.perf_counter() - started
        raw.append(raw_read(ledger))
        entries = len(ledger.rows(Day(DAY + 1)))
    return {
        "transfers": count,
        "seconds": round(seconds, 2),
        "raw_read": round(min(raw), 2),
        "entries": entries,
    }


@pytest.mark.benchmark(group="close and net a window on PostgreSQL")
def test_closing_and_netting_a_window(benchmark: BenchmarkFixture, cluster: Cluster, tmp_path: Path) -> None:
    settled(cluster, BATCH, tmp_path)  # kernels are loaded, and the server has seen its queries
    small = settled(cluster, COUNT // 10, tmp_path)
    large: dict[str, Any] = {}
    benchmark.pedantic(lambda: large.update(settled(cluster, COUNT, tmp_path)), rounds=1)  # type: ignore[no-untyped-call]
    per = {name: one["seconds"] / one["raw_read"] for name, one in (("small", small), ("large", large))}
    benchmark.extra_info.update(
        small=small, large=large, ratio_to_raw_read=round(per["large"], 2),
        ratio_for_ten_times=round(large["seconds"] / small["seconds"], 2), chunk=MOVES_A_CHUNK,
        durability="fsync=on, synchronous_commit=on",
    )  # fmt: skip
    assert large["transfers"] < 10_000_000 or large["seconds"] < 60
