"""What the ledger's benchmarks share: fares as columns, ways to post them, the bare database beside, and how figures are told."""

from __future__ import annotations

import os
import sqlite3
import statistics
import sys
import threading
import time
from collections import deque
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Protocol

import numpy as np
import psycopg2

from keys.clock import Day
from ledger import rowbytes
from ledger.bulk.binary import integer_tuples, stream
from ledger.chart import Code
from ledger.rows.store import begin_day
from ledger.store import Database
from ledger.transfer import ROW

if TYPE_CHECKING:
    from collections.abc import Callable

    import numpy.typing as npt
    from pytest_benchmark.fixture import BenchmarkFixture

    from ledger.answer import Answer
    from ledger.book import Ledger

    Rows = npt.NDArray[np.void]

BATCH: Final = 8_189
"""Transfers a batch, as in TigerBeetle's 1 MiB messages: the usual measure."""
A_COMMIT: Final = 7 * BATCH
"""Rows of a full commit: what the ledger's group limit lets in with batches of that size. The bare database commits as many."""
IN_FLIGHT: Final = 150_000
"""Transfers that a client of large batches has under way."""
DAY: Final = Day(20_254)
_MARKS: Final = ",".join("?" * len(ROW.names or ()))


def fares(count: int, accounts: int = 10_000, hot_share: float = 0.0, seed: int = 1) -> Rows:
    """Fares of so many purses, taken by chance, to one operator; that share of them all to one account of his.

    The operator has a sub-account in each partition, as merchants do: the hot one is that of partition 0, and so are its cards.
    """
    dice = np.random.default_rng(seed)
    number = dice.integers(0, accounts, count)
    hot = dice.random(count) < hot_share
    number[hot] -= number[hot] % 64
    partition = number % 64
    rows = np.zeros(count, ROW)
    rows["debit"] = (int(Code.PURSE) << 56) | (partition << 50) | (936_000_090_000_000 + number)
    rows["credit"] = (int(Code.OPERATOR_PAYABLE) << 56) | (partition << 50) | 12
    rows["amount"], rows["kind"] = 350_000, 1
    rows["occurred_at"], rows["service_day"], rows["business_date"] = 1_750_000_000_000, DAY, DAY
    rows["partition"] = partition
    rows["uid"], rows["tmc"] = 0x04A10000000000 + number, np.arange(1, count + 1)
    rows["terminal"], rows["sequence"] = 1001, np.arange(1, count + 1)
    return rows


def post(ledger: Ledger, rows: Rows, batch: int, in_flight: int = IN_FLIGHT, times: int = 1) -> None:
    """Post rows in batches, so many transfers under way at once, until all are durable; the whole again, `times` in all."""
    under_way: deque[Answer] = deque()
    units = [ledger.columns(rows[start : start + batch]) for start in range(0, len(rows), batch)]
    for _ in range(times):
        for unit in units:
            under_way.append(ledger.writer.submit(unit))
            if len(under_way) * batch >= in_flight:
                assert under_way.popleft().result().all_posted
    for answer in under_way:
        assert answer.result().all_posted


def post_by_clients(ledger: Ledger, rows: Rows, clients: int) -> None:
    """Post rows one by one from threads that each wait for an answer before they send the next."""

    def client(mine: Rows) -> None:
        for at in range(len(mine)):
            assert ledger.writer.submit(ledger.columns(mine[at : at + 1])).result().all_posted

    threads = [threading.Thread(target=client, args=(rows[number::clients],)) for number in range(clients)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


class Bare(Protocol):
    """The same table without a ledger."""

    def write(self, rows: Rows, a_commit: int) -> float:
        """Write rows, so many a commit; the seconds that it took, without making them ready."""


class BareSqlite:
    """`executemany` of tuples made beforehand, with the ledger's own pragmas."""

    def __init__(self, url: str) -> None:
        database = Database(url)
        database.create()
        self._connection = sqlite3.connect(database.path, isolation_level=None)
        database.close()
        self._connection.execute("PRAGMA synchronous=FULL")
        self._position = 0

    def write(self, rows: Rows, a_commit: int) -> float:
        rows["position"] = np.arange(1, len(rows) + 1) + self._position
        self._position += len(rows)
        parts = [rows[start : start + a_commit].tolist() for start in range(0, len(rows), a_commit)]
        began = time.perf_counter()
        for part in parts:
            self._connection.execute("BEGIN IMMEDIATE")
            self._connection.executemany(f"INSERT INTO transfers VALUES ({_MARKS})", part)
            self._connection.execute("COMMIT")
        return time.perf_counter() - began


class Stream:
    """Bytes as the file that the driver's COPY reads from: one copy fewer than `io.BytesIO`."""

    def __init__(self, octets: bytes) -> None:
        self._octets = memoryview(octets)
        self._at = 0

    def read(self, size: int) -> bytes:
        """The next bytes; b"" at the end."""
        self._at += size
        return bytes(self._octets[self._at - size : self._at])


class BarePostgres:
    """Binary COPY of bytes made beforehand."""

    def __init__(self, url: str) -> None:
        database = Database(url)
        database.create()
        with database.writing() as connection:
            begin_day(connection, DAY)
        database.close()
        name, folder = database.url.database, database.url.query["host"]
        self._connection = psycopg2.connect(host=str(folder), user="postgres", dbname=name)
        self._position = 0

    def write(self, rows: Rows, a_commit: int) -> float:
        rows["position"] = np.arange(1, len(rows) + 1) + self._position
        self._position += len(rows)
        table = rowbytes.table_of(rows)
        parts = [
            stream(
                integer_tuples(table[start : start + a_commit], np.arange(min(a_commit, len(rows) - start)))
            )
            for start in range(0, len(rows), a_commit)
        ]
        began = time.perf_counter()
        for part in parts:
            with closing(self._connection.cursor()) as cursor:
                cursor.copy_expert("COPY transfers FROM STDIN (FORMAT BINARY)", Stream(part), 1 << 18)  # type: ignore[arg-type]
            self._connection.commit()
        return time.perf_counter() - began


def bare(url: str) -> Bare:
    """The bare database of the kind that a URL names."""
    return BareSqlite(url) if url.startswith("sqlite") else BarePostgres(url)


def cpu_seconds(database: Database) -> float:
    """Processor time so far: this process's, and on PostgreSQL that of its backends."""
    mine = time.process_time()
    if database.is_sqlite:
        return mine
    with database.engine.connect() as connection:
        query = "SELECT pid FROM pg_stat_activity WHERE backend_type = 'client backend'"
        stats = [
            Path(f"/proc/{pid}/stat").read_text(encoding="ascii")
            for pid in connection.exec_driver_sql(query).scalars()
        ]
    ticks = sum(int(one) for stat in stats for one in stat.rpartition(")")[2].split()[11:13])
    return mine + ticks / os.sysconf("SC_CLK_TCK")


def compared(
    benchmark: BenchmarkFixture,
    count: int,
    measured: Callable[[], Any],
    beside: dict[str, Callable[[], float]],
    *,
    rounds: int = 3,
    **conditions: Any,
) -> None:
    """Measure with others beside it, each once before each round; tell medians a second, ratios, and the conditions.

    A function of `beside` gives the seconds that it took for as many transfers. Each begins with a disk that has nothing left to write of the one before.
    """
    seconds: dict[str, list[float]] = {name: [] for name in beside}

    def others_first() -> None:
        for name, other in beside.items():
            os.sync()
            seconds[name].append(other())
        os.sync()

    benchmark.pedantic(measured, setup=others_first, rounds=rounds)  # type: ignore[no-untyped-call]
    mine = benchmark.stats.stats.median  # type: ignore[union-attr]
    told: dict[str, Any] = {**conditions, "transfers": count, "a_second": round(count / mine)}
    for name, taken in seconds.items():
        other = statistics.median(taken)
        told |= {f"{name}_a_second": round(count / other), f"ratio_to_{name}": round(other / mine, 2)}
    benchmark.extra_info.update(told)
    tell(", ".join(f"{name} {value}" for name, value in told.items()))


def tell(line: str) -> None:
    """A line beside the table of pytest-benchmark; seen with `-s`."""
    sys.stdout.write(f"\n  {line}\n")


def timed(act: Callable[[], Any]) -> float:
    """The seconds that something took, with a disk that has nothing left to write of what was before."""
    os.sync()
    began = time.perf_counter()
    act()
    return time.perf_counter() - began
