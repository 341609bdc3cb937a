"""Cards' pages a second on one core while the ledger posts: balance, ten taps, months, transfers, rendered anew for each look.

Server, writer and the thread that posts share one core; the callers have another. Run with
`pytest tests/benchmarks/test_bench_cardholder.py --benchmark-only`.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from hebat.allocating import keep_memory
from hebat.logs import configure
from hebat.serving import set_aside, take_short_turns
from hebat.settings import LogLevel
from keys.clock import service_day
from keys.money import Sen
from ledger.cardholder.views import Door
from ledger.chart import Code, account_id
from ledger.transfer import Kind, Transfer
from tests.cardholder.town import Town

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pytest_benchmark.fixture import BenchmarkFixture

LOAD = Path(__file__).with_name("http_load.py")
CARDS = 24
CALLERS = 8
SECONDS = 5.0
RATE_MIN = 500
P99_MS_MAX = 40
POSTED_AT_ONCE = 200


@pytest.fixture(scope="module")
def town(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Town]:
    configure(LogLevel.INFO)  # as `hebat serve` does: the access log is part of the cost
    take_short_turns()
    keep_memory()
    with Town.open(tmp_path_factory.mktemp("looks") / "city") as opened:
        set_aside()
        yield opened


@contextmanager
def on_one_core() -> Iterator[set[int]]:
    """All threads of this process on one core; the others, for the callers."""
    every = os.sched_getaffinity(0)
    mine = min(every)
    threads = [int(one.name) for one in Path("/proc/self/task").iterdir()]
    for one in threads:
        os.sched_setaffinity(one, {mine})
    try:
        yield every - {mine} or every
    finally:
        for one in threads:
            with suppress(ProcessLookupError):  # a thread that ended meanwhile
                os.sched_setaffinity(one, every)


@contextmanager
def posting(town: Town) -> Iterator[list[int]]:
    """The ledger posts, a few hundred transfers at a time, fifty times a second; how many there were."""
    stop, done = threading.Event(), [0]
    city, at = town.city, town.scene.clock.now()
    debit, credit = account_id(Code.AGENT_CASH, 0, 601), account_id(Code.MERCHANT_PAYABLE, 0, 502)  # type: ignore[arg-type]
    batch = [Transfer(debit, credit, Sen(100), Kind.LOAD, at, service_day(at)) for _ in range(POSTED_AT_ONCE)]

    def run() -> None:
        while not stop.wait(0.02):
            city.ledger.post(batch)
            done[0] += len(batch)

    thread = threading.Thread(target=run)
    thread.start()
    try:
        yield done
    finally:
        stop.set()
        thread.join()


def looks(town: Town, cpus: set[int], seconds: float) -> dict[str, Any]:
    """What callers saw who look at cards, each again as soon as it has its page."""
    rooms = town.city.cardholders
    requests = []
    for at in range(CALLERS):
        value = rooms.views.made(town.city.registry.cards()[at % CARDS].uid, Door.PIN)
        head = f"GET /card?l=id HTTP/1.1\r\nHost: kartu\r\nCookie: {rooms.outside.cookie}={value}\r\n\r\n"
        requests.append({"head": head, "body": ""})
    asked = json.dumps(
        {"port": int(town.server.address.rpartition(":")[2]), "seconds": seconds, "requests": requests}
    )
    done = subprocess.run(
        [sys.executable, str(LOAD)], input=asked, capture_output=True, text=True, check=True,
        preexec_fn=lambda: os.sched_setaffinity(0, cpus),
    )  # fmt: skip
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def test_five_hundred_pages_a_second_while_the_ledger_posts(town: Town, benchmark: BenchmarkFixture) -> None:
    for _ in range(CARDS):
        town.rides(town.card(), [3_500] * 11)
    with on_one_core() as others, posting(town) as posted:
        looks(town, others, 1.0)
        found = benchmark.pedantic(looks, args=(town, others, SECONDS), rounds=1)  # type: ignore[no-untyped-call]
    told = {name: found[name] for name in ("rate", "p50", "p90", "p99", "max")} | {"posted": posted[0]}
    benchmark.extra_info.update(told)
    print(f"\n{told}")  # noqa: T201
    assert set(found["statuses"]) == {"200"}
    assert found["rate"] >= RATE_MIN
    assert found["p99"] <= P99_MS_MAX
