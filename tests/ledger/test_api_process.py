"""`hebat serve` as a process of its own: flooded, told to stop in the middle, killed in the middle. No answer that was given is untrue."""

from __future__ import annotations

import asyncio
import contextlib
import http.client
import json
import os
import signal
import subprocess
import threading
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from hebat.folder import Folder
from keys.clock import SystemClock, UnixMs
from ledger.book import Ledger
from ledger.chain import store
from ledger.clients.register import add_client
from ledger.clients.scopes import Scope
from ledger.snapshots.store import stored
from ledger.store import Database
from tests.founding import found
from tests.ledger.served import BANK, order, wallet
from tests.system.ready import Started

if TYPE_CHECKING:
    from collections.abc import Iterator

STOP_SECONDS_MAX = 25
CALLERS = 8
FLOOD = 1400
"""Calls at once: more than the door lets in."""


@dataclass
class Town:
    """A city on disk, and somebody with a token."""

    folder: Folder
    token: str

    @contextlib.contextmanager
    def served(self) -> Iterator[tuple[Started, int]]:
        """Its server's process, and the port."""
        words = ("serve", "--data", self.folder.root, "--port", "0")
        with (
            (self.folder.root / "log").open("a") as log,
            Started(*words, stdout=subprocess.PIPE, stderr=log) as process,
        ):
            try:
                assert process.stdout is not None
                yield process, int(process.stdout.readline().split("/night")[0].rpartition(":")[2])
            finally:
                process.kill()

    def request(self, body: dict[str, object], key: str) -> tuple[bytes, dict[str, str]]:
        headers = {
            "Authorization": f"Bearer {self.token}",
            "Content-Type": "application/json",
            "Idempotency-Key": key,
        }
        return json.dumps(body).encode(), headers

    def debited(self) -> int:
        """What the books took from the callers' wallets, counted once the server has gone."""
        with Ledger.open(self.folder.database_url, SystemClock()) as ledger:
            return sum(ledger.balance(wallet(serial)).debits_posted for serial in range(1, CALLERS + 1))


@pytest.fixture(scope="module")
def town(tmp_path_factory: pytest.TempPathFactory) -> Town:
    folder = Folder(tmp_path_factory.mktemp("process") / "city")
    found(folder, SystemClock(), "demo")
    database = Database(folder.database_url)
    token = add_client(database, "caller", tuple(Scope), UnixMs(1))
    database.close()
    return Town(folder, token)


@dataclass
class Caller(threading.Thread):
    """Takes one sen after another from a wallet until the line is cut; every answer, by its key."""

    town: Town
    port: int
    serial: int
    run_name: str
    answers: dict[str, tuple[int, bytes]] = field(default_factory=dict)
    cut: str = ""

    def __post_init__(self) -> None:
        threading.Thread.__init__(self, daemon=True)

    def __hash__(self) -> int:
        return id(self)

    def run(self) -> None:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        with contextlib.closing(connection):
            for number in range(1_000_000):
                key = f"{self.run_name}-{self.serial}-{number}"
                try:
                    self.answers[key] = self.ask(connection, key)
                except (OSError, http.client.HTTPException):
                    self.cut = key
                    return

    def ask(self, connection: http.client.HTTPConnection, key: str) -> tuple[int, bytes]:
        """The answer; who is told to come back in a second, by a server that is late on a busy machine, comes back."""
        body, headers = self.town.request(order(self.serial, 1), key)
        while True:
            connection.request("POST", "/v1/debits", body, headers)
            answer = connection.getresponse()
            status, told = answer.status, answer.read()
            if status != http.HTTPStatus.TOO_MANY_REQUESTS:
                return status, told
            time.sleep(int(answer.headers["Retry-After"]))


def fund(town: Town, port: int) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    with contextlib.closing(connection):
        for serial in range(1, CALLERS + 1):
            body, headers = town.request(order(serial, 1_000_000, BANK), f"fund-{time.time_ns()}")
            connection.request("POST", "/v1/credits", body, headers)
            answer = connection.getresponse()
            assert answer.status == 201, answer.read()
            answer.read()


def called_until(town: Town, name: str, end: signal.Signals) -> tuple[list[Caller], int, float]:
    """Callers at work on a server that gets a signal in the middle: what they saw, its exit code, how long it took to go."""
    with town.served() as (process, port):
        fund(town, port)
        callers = [Caller(town, port, serial, name) for serial in range(1, CALLERS + 1)]
        for caller in callers:
            caller.start()
        while min(len(caller.answers) for caller in callers) < 20:
            time.sleep(0.01)
        process.send_signal(end)
        began = time.monotonic()
        code = process.wait(STOP_SECONDS_MAX)
        took = time.monotonic() - began
        for caller in callers:
            caller.join(60)
    return callers, code, took


def test_a_server_that_is_told_to_stop_answers_what_it_accepted_and_keeps_a_snapshot(town: Town) -> None:
    before = town.debited()
    callers, code, took = called_until(town, "stop", signal.SIGTERM)
    assert code == 0
    assert took < STOP_SECONDS_MAX
    statuses = Counter(status for caller in callers for status, _ in caller.answers.values())
    assert set(statuses) == {201}
    database = Database(town.folder.database_url)
    with database.transaction() as connection:
        position = stored(connection)[0].position
        head = store.last_block(connection)
    database.close()
    assert head is not None
    assert position == head.last_position
    assert town.debited() - before == statuses[201]


def test_law_04_a_killed_server_has_every_answer_that_it_gave_and_gives_it_again(town: Town) -> None:
    before = town.debited()
    callers, code, _ = called_until(town, "kill", signal.SIGKILL)
    assert code == -signal.SIGKILL
    with town.served() as (process, port):
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
        with contextlib.closing(connection):
            for caller in callers:
                for key, answer in caller.answers.items():
                    assert caller.ask(connection, key) == answer
                # The one whose answer was lost, whatever became of it: done now, and once.
                assert caller.ask(connection, caller.cut)[0] == 201
        process.send_signal(signal.SIGTERM)
        assert process.wait(STOP_SECONDS_MAX) == 0
    assert town.debited() - before == sum(len(caller.answers) + 1 for caller in callers)


def resident(pid: int) -> int:
    """Bytes of memory that a process holds."""
    lines = Path(f"/proc/{pid}/status").read_text(encoding="ascii").splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("VmRSS"))


async def flooded(town: Town, port: int, pid: int, name: str) -> Counter[tuple[int, bool]]:
    """All at once: connect first, then everybody speaks while the server stands still, then it hears them all. Status, and whether it says when to come back, by number."""
    lines = [await asyncio.open_connection("127.0.0.1", port) for _ in range(FLOOD)]
    os.kill(pid, signal.SIGSTOP)
    try:
        for number, (_, writer) in enumerate(lines):
            body, headers = town.request(order(number % CALLERS + 1, 1), f"{name}-{number}")
            head = "".join(f"{key}: {value}\r\n" for key, value in headers.items())
            length = f"POST /v1/debits HTTP/1.1\r\nHost: x\r\nContent-Length: {len(body)}\r\n"
            writer.write(f"{length}{head}\r\n".encode() + body)
    finally:
        os.kill(pid, signal.SIGCONT)

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> tuple[int, bool]:
        told = await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), 60)
        writer.close()
        return int(told.split()[1]), b"retry-after: 1\r\n" in told.lower()

    return Counter(await asyncio.gather(*(answer(*line) for line in lines)))


def test_law_10_a_flood_is_answered_at_once_and_memory_stays(town: Town) -> None:
    before = town.debited()
    with town.served() as (process, port):
        fund(town, port)
        asyncio.run(flooded(town, port, process.command_pid, "warm"))
        resting = resident(process.command_pid)
        answers: Counter[tuple[int, bool]] = Counter()
        for number in range(3):
            answers += asyncio.run(flooded(town, port, process.command_pid, f"flood-{number}"))
        grown = resident(process.command_pid) - resting
        process.send_signal(signal.SIGTERM)
        assert process.wait(STOP_SECONDS_MAX) == 0
    assert set(answers) == {(201, False), (429, True)}
    assert sum(answers.values()) == 3 * FLOOD
    assert grown < 64 << 20
    taken = town.debited() - before
    assert taken >= answers[201, False]
    assert taken <= answers[201, False] + FLOOD
