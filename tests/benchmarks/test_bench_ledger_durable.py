"""How many transfers a second become durable, in process, beside what the bare database does with the same table in the same run.

The bare database gets rows made ready beforehand and commits as many at a time as the ledger does; it alternates with the ledger,
round by round. Durability: SQLite in WAL mode with synchronous=FULL, PostgreSQL with fsync and synchronous_commit on. With
HEBAT_LONG=1 rounds are ten times as long, and the long runs and the full sizes are measured too.
"""

from __future__ import annotations

import os
import threading
import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Final

import numpy as np
import pytest

from keys.clock import SystemClock
from ledger.book import Ledger
from ledger.chart import AccountId
from tests.benchmarks.ledger_load import (
    A_COMMIT,
    BATCH,
    bare,
    compared,
    fares,
    post,
    post_by_clients,
    tell,
    timed,
)
from tests.ledger.crash.cluster import Cluster

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from pytest_benchmark.fixture import BenchmarkFixture

LONG: Final = os.environ.get("HEBAT_LONG") == "1"
COUNT: Final = (40 if LONG else 4) * A_COMMIT
CLIENTS: Final = 64
DURABILITY: Final = {
    "sqlite": "WAL, synchronous=FULL",
    "postgresql": "fsync=on, synchronous_commit=on, shared_buffers=512MB, max_wal_size=4GB, wal_init_zero=off",
}
LONG_RUN: Final = 10_000_000 if LONG else 1_000_000


@pytest.fixture(scope="module")
def cluster() -> Iterator[Cluster]:
    """A PostgreSQL as it comes, but for memory and checkpoints that fit a server of this size, and new segments of its log written once
    (deploy/postgresql.conf), as a server's are that has run long enough to use old ones again.
    """
    with Cluster(shared_buffers="512MB", max_wal_size="4GB", wal_init_zero="off", io_method="worker") as made:
        yield made


@pytest.fixture(params=["sqlite", "postgresql"])
def kind(request: pytest.FixtureRequest) -> str:
    found: str = request.param
    return found


@pytest.fixture
def url(kind: str, request: pytest.FixtureRequest, tmp_path: Path) -> Callable[[], str]:
    """Makes URLs of empty databases."""
    made = [0]

    def make() -> str:
        made[0] += 1
        if kind == "sqlite":
            return f"sqlite:///{tmp_path / f'{made[0]}.db'}"
        postgresql: Cluster = request.getfixturevalue("cluster")
        return postgresql.database()

    return make


@contextmanager
def opened(url: str) -> Iterator[Ledger]:
    """A ledger that has posted once: its kernels are loaded, its day begun."""
    Ledger.create(url).close()
    with Ledger.open(url, SystemClock()) as ledger:
        post(ledger, fares(3_000), 3_000)
        yield ledger


@pytest.mark.benchmark(group="durable transfers, batches of 8,189")
@pytest.mark.parametrize("accounts", [10_000, 1_000_000])
def test_durable_transfers(
    benchmark: BenchmarkFixture, kind: str, url: Callable[[], str], accounts: int
) -> None:
    rows, raw = fares(COUNT, accounts), bare(url())
    with opened(url()) as ledger:
        compared(
            benchmark, COUNT, lambda: post(ledger, rows, BATCH), {"bare": lambda: raw.write(rows.copy(), A_COMMIT)},
            database=kind, batch=BATCH, durability=DURABILITY[kind], accounts=accounts, hot_share=0,
        )  # fmt: skip


@pytest.mark.benchmark(group="durable transfers, batches of 8,189")
def test_durable_transfers_half_of_them_on_one_account(
    benchmark: BenchmarkFixture, kind: str, url: Callable[[], str]
) -> None:
    hot, even = fares(COUNT, hot_share=0.5), fares(COUNT)
    with opened(url()) as ledger, opened(url()) as other:
        compared(
            benchmark, COUNT, lambda: post(ledger, hot, BATCH), {"uniform": lambda: timed(lambda: post(other, even, BATCH))},
            database=kind, batch=BATCH, durability=DURABILITY[kind], accounts=10_000, hot_share=0.5,
        )  # fmt: skip


@pytest.mark.benchmark(group="durable transfers, batches of 8,189")
def test_durable_transfers_over_a_long_run(
    benchmark: BenchmarkFixture, kind: str, url: Callable[[], str]
) -> None:
    rows = fares(500_000)
    times, resident = LONG_RUN // len(rows), [0.0, 0.0]
    with opened(url()) as other:
        short = timed(lambda: post(other, rows, BATCH, times=2)) / 1_000_000 * LONG_RUN
    with opened(url()) as ledger:
        post(ledger, rows, BATCH, times=2)
        resident[0] = resident_bytes()
        compared(
            benchmark, LONG_RUN, lambda: post(ledger, rows, BATCH, times=times), {"short": lambda: short}, rounds=1,
            database=kind, batch=BATCH, durability=DURABILITY[kind], accounts=10_000, hot_share=0,
        )  # fmt: skip
        resident[1] = resident_bytes()
    benchmark.extra_info["memory_grew_mb"] = round((resident[1] - resident[0]) / 1e6, 1)


@pytest.mark.benchmark(group="durable transfers, batches of 100")
def test_durable_transfers_in_batches_of_100(
    benchmark: BenchmarkFixture, kind: str, url: Callable[[], str]
) -> None:
    count = COUNT // 4
    rows, raw, a_commit = fares(count), bare(url()), 100 * CLIENTS
    with opened(url()) as ledger:
        compared(
            benchmark, count, lambda: post(ledger, rows, 100, a_commit * 4),
            {"bare": lambda: raw.write(rows.copy(), a_commit)},
            database=kind, batch=100, durability=DURABILITY[kind], accounts=10_000, hot_share=0, in_flight=a_commit * 4,
        )  # fmt: skip


@pytest.mark.benchmark(group="durable transfers one by one, 64 clients")
def test_durable_transfers_one_by_one_from_64_clients(
    benchmark: BenchmarkFixture, kind: str, url: Callable[[], str]
) -> None:
    count = CLIENTS * (400 if LONG else 100)
    rows, raw = fares(count), bare(url())
    with opened(url()) as ledger:
        compared(
            benchmark, count, lambda: post_by_clients(ledger, rows, CLIENTS),
            {"bare": lambda: raw.write(rows.copy(), CLIENTS)},
            database=kind, batch=1, durability=DURABILITY[kind], accounts=10_000, hot_share=0, clients=CLIENTS,
        )  # fmt: skip


@pytest.mark.benchmark(group="balance read during full posting load")
def test_balance_reads_under_full_load(
    benchmark: BenchmarkFixture, kind: str, url: Callable[[], str]
) -> None:
    rows, stop = fares(COUNT), threading.Event()
    taken: list[float] = []
    accounts = [AccountId(number) for number in rows["debit"][:1000].tolist()]

    def read(ledger: Ledger) -> None:
        at = 0
        while not stop.is_set():
            began = time.perf_counter()
            ledger.balance(accounts[at % len(accounts)])
            taken.append(time.perf_counter() - began)
            at += 1
            time.sleep(0.001)  # a client's pause: a loop without one would be load itself

    with opened(url()) as ledger:
        reader = threading.Thread(target=read, args=(ledger,))
        reader.start()
        compared(
            benchmark, COUNT, lambda: post(ledger, rows, BATCH), {},
            database=kind, batch=BATCH, durability=DURABILITY[kind], accounts=10_000, hot_share=0,
        )  # fmt: skip
        stop.set()
        reader.join()
    median, high, most = (round(float(np.percentile(taken, share)) * 1000, 3) for share in (50, 99, 100))
    benchmark.extra_info |= {"reads": len(taken), "p50_ms": median, "p99_ms": high, "max_ms": most}
    tell(f"{len(taken)} reads: p50 {median} ms, p99 {high} ms, max {most} ms")


@pytest.mark.benchmark(group="start")
def test_start_from_a_snapshot_and_a_tail(
    benchmark: BenchmarkFixture, kind: str, url: Callable[[], str]
) -> None:
    accounts = tail = 1_000_000 if LONG else 100_000
    place = url()
    with opened(place) as ledger:
        opening = fares(accounts, accounts)
        opening["debit"] = (opening["debit"] >> 50 << 50) | (936_000_090_000_000 + np.arange(accounts))
        post(ledger, opening, BATCH)
        ledger.snapshot()
        post(ledger, fares(tail, accounts), BATCH)
        cut_short(ledger)

    def start() -> None:
        with Ledger.open(place, SystemClock()) as again:
            assert again.started.replayed == tail
            cut_short(again)

    benchmark.pedantic(start, rounds=3)  # type: ignore[no-untyped-call]
    benchmark.extra_info |= {"database": kind, "accounts": accounts, "tail": tail}
    tell(f"{kind}: {accounts} accounts, a tail of {tail}: {benchmark.stats.stats.median:.2f} s")  # type: ignore[union-attr]


def cut_short(ledger: Ledger) -> None:
    """End as a crash does: without a last snapshot."""
    ledger.writer.close()
    ledger._keep_last_snapshot = lambda: None  # type: ignore[method-assign]


def resident_bytes() -> float:
    """Memory of this process."""
    with Path("/proc/self/statm").open(encoding="ascii") as file:
        return int(file.read().split()[1]) * float(os.sysconf("SC_PAGE_SIZE"))
