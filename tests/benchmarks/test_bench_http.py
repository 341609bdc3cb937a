"""How fast the API is over real sockets: online debits of 64 callers, and balance reads while the writer posts all it can.

The caller is another process with sockets of its own. Beside each figure stands an empty route of the same server in the same run: what
HTTP alone allows on this machine at this moment. `cpu_us` is what a call costs the server's process, whatever else the machine does.

Run with `pytest tests/benchmarks/test_bench_http.py --benchmark-only`. Compare figures of one run only.
"""

from __future__ import annotations

import json
import subprocess
import sys
import threading
import time
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from hebat.allocating import keep_memory
from hebat.logs import configure
from hebat.serving import set_aside, take_short_turns
from hebat.settings import LogLevel
from keys.clock import SystemClock
from ledger.book import Ledger
from ledger.chart import PARTITIONS, Code
from ledger.http.asgi import Reply
from ledger.transfer import ROW, Kind
from tests.ledger.crash.cluster import Cluster
from tests.ledger.served import Served, order, wallet

if TYPE_CHECKING:
    from collections.abc import Iterator

    import numpy.typing as npt
    from pytest_benchmark.fixture import BenchmarkFixture

    from ledger.http.asgi import Receive, Scope

LOAD = Path(__file__).with_name("http_load.py")
CALLERS = 64
READERS = 8
SECONDS = 4.0
ROUNDS = 3
BATCH = 8_189
"""Transfers a unit while balances are read."""


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def served(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """A durable ledger: SQLite with synchronous=FULL, PostgreSQL with fsync on."""
    configure(LogLevel.INFO)  # as `hebat serve` does: the access log is part of the cost
    take_short_turns()
    keep_memory()
    with ExitStack() as stack:
        if request.param == "sqlite":
            url = f"sqlite:///{tmp_path_factory.mktemp('http') / 'ledger.db'}"
        else:
            url = stack.enter_context(Cluster()).database()
        Ledger.create(url).close()
        ledger = stack.enter_context(Ledger.open(url, SystemClock()))
        opened = stack.enter_context(Served(ledger))
        opened.rooms.hot.add("GET", "/empty", empty)
        set_aside()
        yield opened


async def empty(_scope: Scope, _receive: Receive) -> Reply:
    """Nothing but HTTP itself."""
    return Reply(b"{}")


def call(method: str, path: str, token: str, body: dict[str, Any] | None = None) -> dict[str, str]:
    """A request as the caller's process wants it: `{n}` becomes a key that no other call has."""
    text = "" if body is None else json.dumps(body)
    head = f"{method} {path} HTTP/1.1\r\nHost: ledger\r\nAuthorization: {token}\r\n"
    if text:
        head += f"Idempotency-Key: {{n}}\r\nContent-Type: application/json\r\nContent-Length: {len(text)}\r\n"
    return {"head": head + "\r\n", "body": text}


def load(served: Served, calls: list[dict[str, str]], seconds: float = SECONDS) -> dict[str, Any]:
    """What so many callers saw, one a call, each asking again as soon as it has its answer."""
    port = int(served.server.address.rpartition(":")[2])
    asked = json.dumps({"port": port, "seconds": seconds, "requests": calls})
    before = time.process_time()
    done = subprocess.run(
        [sys.executable, str(LOAD)], input=asked, capture_output=True, text=True, check=True
    )
    told: dict[str, Any] = json.loads(done.stdout)
    told["cpu_us"] = (time.process_time() - before) / told["answers"] * 1e6
    return told


def shown(told: list[dict[str, Any]]) -> dict[str, Any]:
    """The median round of each figure."""
    middle = {
        name: sorted(one[name] for one in told)[len(told) // 2] for name in ("rate", "p50", "p99", "cpu_us")
    }
    return {name: round(value, 2) for name, value in middle.items()}


@pytest.mark.benchmark(group="http: single online debits, 64 callers")
def test_online_debits(benchmark: BenchmarkFixture, served: Served) -> None:
    partner = served.client("debits")
    token = partner.http.headers["authorization"]
    for serial in range(1, CALLERS + 1):
        partner.fund(serial, 100_000_000_000)
    debits = [call("POST", "/v1/debits", token, order(serial, 100)) for serial in range(1, CALLERS + 1)]
    empty = [call("GET", "/empty", token)] * CALLERS
    load(served, debits, 1.0)
    answers: list[dict[str, Any]] = []
    raw: list[dict[str, Any]] = []

    def measured() -> None:
        raw.append(load(served, empty, SECONDS / 2))
        answers.append(load(served, debits))

    benchmark.pedantic(measured, rounds=ROUNDS)  # type: ignore[no-untyped-call]
    for told in answers:
        assert set(told["statuses"]) == {"201"}
    benchmark.extra_info.update(
        conditions="64 callers, a key and a commit each, durable before the answer, access log on",
        debits=shown(answers), empty_route=shown(raw),
        share_of_empty=round(shown(answers)["rate"] / shown(raw)["rate"], 3),
    )  # fmt: skip


@pytest.mark.benchmark(group="http: balance reads during full posting, 8 callers")
def test_balance_reads_during_full_posting(benchmark: BenchmarkFixture, served: Served) -> None:
    partner = served.client("reads")
    token = partner.http.headers["authorization"]
    partner.fund(9_000, 1_000)
    reads = [call("GET", f"/v1/accounts/{wallet(9_000)}", token)] * READERS
    load(served, reads, 1.0)
    quiet: list[dict[str, Any]] = []
    loaded: list[dict[str, Any]] = []
    rates: list[float] = []

    def measured() -> None:
        quiet.append(load(served, reads, SECONDS / 2))
        with full_posting(served.ledger, rates):
            loaded.append(load(served, reads))

    benchmark.pedantic(measured, rounds=ROUNDS)  # type: ignore[no-untyped-call]
    for told in loaded + quiet:
        assert set(told["statuses"]) == {"200"}
    benchmark.extra_info.update(
        conditions=f"8 callers; the writer posts durable units of {BATCH} transfers without a pause meanwhile",
        loaded=shown(loaded), quiet=shown(quiet), transfers_a_second=round(sorted(rates)[len(rates) // 2]),
    )  # fmt: skip


def fares() -> npt.NDArray[np.void]:
    """Fares of 10,000 cards, spread over the partitions."""
    rows = np.zeros(BATCH, ROW)
    card, partition = np.arange(BATCH) % 10_000, np.arange(BATCH) % PARTITIONS
    rows["debit"] = (Code.PURSE << 56) | (partition << 50) | (936_000_090_000_000 + card)
    rows["credit"] = (Code.OPERATOR_PAYABLE << 56) | (partition << 50) | 12
    rows["amount"], rows["kind"], rows["service_day"] = 350_000, Kind.FARE, 20_254
    return rows


@contextmanager
def full_posting(ledger: Ledger, rates: list[float]) -> Iterator[None]:
    """Two units in the writer's queue at any time, until the context ends."""
    stop = threading.Event()
    posted = [0]

    def post() -> None:
        rows = fares()
        waiting = [ledger.writer.submit(ledger.columns(rows)) for _ in range(2)]
        while not stop.is_set():
            waiting.pop(0).result()
            waiting.append(ledger.writer.submit(ledger.columns(rows)))
            posted[0] += BATCH
        for one in waiting:
            one.result()

    thread = threading.Thread(target=post)
    began = time.monotonic()
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()
        rates.append(posted[0] / (time.monotonic() - began))
