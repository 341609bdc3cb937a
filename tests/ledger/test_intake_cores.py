"""Batches are verified on as many cores as there are: the kernels that read their records and check their MACs hold no lock of the interpreter's.

A third thread holds that lock without a pause, and looks at the two others' own processor clocks meanwhile: both can only run on where they
need no lock. How busy the machine is makes no difference but to how soon that is seen.
"""

from __future__ import annotations

import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import TYPE_CHECKING, Any, Final

import httpx2
import numpy as np
import pytest

from card.batch import Context, encode_record
from card.layout import TapKind
from hebat.application import application
from hebat.load.riders import riders
from hebat.serving import LoopbackServer
from keys import cardmacs
from keys.clock import UnixMs
from keys.filevault import FileVault
from keys.vault import Role
from ledger.intake.columnar import reading
from ledger.intake.examining import Examining

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from tests.ledger.desk import Scene

    Work = Callable[[], object]

TRIES: Final = 20
HELD_SECONDS: Final = 2.0
GROWN_SECONDS: Final = 0.005
"""Processor time that each of the two must have had while the third held the lock: hundreds of records' worth."""
WORK_SECONDS: Final = 0.15
FOREVER_SECONDS: Final = 600.0
AT: Final = UnixMs(1_795_000_000_000)


@pytest.fixture
def kept() -> Iterator[None]:
    """Nobody has to give the interpreter's lock up but who waits for something."""
    before = sys.getswitchinterval()
    sys.setswitchinterval(FOREVER_SECONDS)
    yield
    sys.setswitchinterval(before)


class Worker(threading.Thread):
    """A thread that does some work each time that it is told to."""

    def __init__(self, work: Work, start: threading.Barrier) -> None:
        super().__init__(daemon=True)
        self._work, self._start = work, start
        self.inside = self.over = False
        self.done = 0

    def run(self) -> None:
        while True:
            self._start.wait()
            if self.over:
                return
            self.inside = True
            self._work()
            self.inside = False
            self.done += 1

    def clock(self) -> float:
        """Its own processor time."""
        assert self.ident is not None
        return time.clock_gettime(time.pthread_getcpuclockid(self.ident))


def both_ran(one: Worker, other: Worker) -> bool:
    """Whether both got on with their work while this thread held the lock: it waits for nothing in here."""
    before, until = (one.clock(), other.clock()), time.monotonic() + HELD_SECONDS
    while one.inside and other.inside and time.monotonic() < until:
        if min(one.clock() - before[0], other.clock() - before[1]) > GROWN_SECONDS:
            return True
    return False


def needs_no_lock(work: Work) -> bool:
    """Whether two threads that do this were seen to run while a third held the interpreter's lock."""
    start = threading.Barrier(3)
    one, other = Worker(work, start), Worker(work, start)
    for worker in (one, other):
        worker.start()
    seen = False
    for at in range(TRIES + 1):
        one.over = other.over = seen or at == TRIES
        start.wait()
        if one.over:
            break
        while not (one.inside and other.inside) and one.done + other.done == 2 * at:
            time.sleep(0.0001)
        seen = both_ran(one, other)
        while one.done + other.done < 2 * (at + 1):
            time.sleep(0.001)
    for worker in (one, other):
        worker.join()
    return seen


def lasting(prepared: Callable[[int], Work]) -> Work:
    """The work for so many records that it takes a good while of processor time; nothing else is done in it, for NumPy gives the lock up too."""
    count, took = 1_000, 0.0
    prepared(count)()  # what is compiled is loaded by the first call
    while took < WORK_SECONDS:
        count *= 2
        work = prepared(count)
        began = time.thread_time()
        work()
        took = time.thread_time() - began
    return work


@pytest.fixture
def record(tmp_path: Path) -> bytes:
    vault = FileVault.create(tmp_path / "vault", "x", 16)
    vault.add_master(Role.TRANSACTION_MAC, 1, bytes(range(16)))
    (holder,) = riders(vault, 1)
    place = Context("1", "Simpang Lima", "H 1234 AB", "2026-1", ("transfer",))
    return encode_record(holder.tap(TapKind.FARE, 3_500, AT, 1001, 7, place))


def reads(record: bytes, count: int) -> Work:
    """Have so many records read."""
    data, ends = np.frombuffer(record * count, np.uint8), np.arange(1, count + 1) * len(record)
    starts = ends - len(record)
    return lambda: reading.read(data, starts, ends, 7)


def checks(record: bytes, count: int) -> Work:
    """Have so many MACs computed, over the bytes of a record."""
    data, uids = np.frombuffer(record, np.uint8), np.ones((count, 7), np.uint8)
    ones = np.ones(count, np.int64)
    starts, ends = 0 * ones, 64 * ones
    return lambda: cardmacs.transaction_macs(bytes(16), 1, 1, uids, ones, data, starts, ends)


@pytest.mark.usefixtures("kept")
@pytest.mark.parametrize("of", [reads, checks])
def test_two_batches_are_verified_at_once_whatever_else_the_interpreter_does(
    record: bytes, of: Callable[[bytes, int], Work]
) -> None:
    assert needs_no_lock(lasting(partial(of, record)))


@pytest.mark.usefixtures("kept")
def test_work_that_needs_the_lock_is_told_from_work_that_does_not(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(globals(), "TRIES", 2)
    monkeypatch.setitem(globals(), "HELD_SECONDS", 0.5)
    assert not needs_no_lock(lasting(lambda count: lambda: sum(range(10 * count))))


def test_two_batches_that_come_at_once_are_looked_at_at_once(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each waits within its own verification for the other's: none of them would get there behind the other."""
    cards = [scene.card(loaded=50_000) for _ in range(2)]
    together, examined = threading.Barrier(2), Examining.examined

    def waiting(examining: Examining, *words: Any) -> Any:
        together.wait(60)
        return examined(examining, *words)

    monkeypatch.setattr(Examining, "examined", waiting)
    bodies = []
    for number in (1001, 1002):
        desk = scene.desk(number)
        desk.tap(cards[number - 1001], TapKind.FARE, 3_500)
        bodies.append(desk.body())
    with LoopbackServer(application(scene.city)) as server, ThreadPoolExecutor() as callers:

        def sent(body: bytes) -> httpx2.Response:
            address = f"{server.address}/v1/batches"
            return httpx2.post(
                address, content=body, headers={"Content-Type": "application/cose"}, timeout=60
            )

        answers = list(callers.map(sent, bodies))
    assert [answer.status_code for answer in answers] == [200, 200]
