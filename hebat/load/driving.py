"""Terminals that send their batches when they fall due, over connections of their own, and behave as terminals do when the server is busy.

A batch's latency counts from when it was *due*, not from when it was sent: a terminal that waits behind a slow answer is not left out (what is called
coordinated omission). A terminal sends one batch at a time, for each is chained to the one before; told to come back later, it does, with the same bytes.
"""

from __future__ import annotations

import asyncio
import heapq
import random
import ssl
import time
from collections import deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

from hebat.errors import BatchesSpent, InputRefused
from hebat.load.histogram import Histogram
from hebat.load.schedule import due

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from hebat.load.kit import Body

TARGET: Final = "POST /v1/batches HTTP/1.1\r\nHost: ledger\r\nContent-Type: application/cose\r\nContent-Length: {}\r\n\r\n"
BUSY: Final = frozenset({429, 502, 503, 504})
AGAIN_S: Final = 0.5
"""How long a terminal waits whose line broke, or that is not told how long."""
LATE_MAX: Final = 0.5
"""Terminals that were told the same time do not all come back at once: each comes up to half as long again later."""
OK: Final = 200
PORTS: Final = {"http": 80, "https": 443}


@dataclass(slots=True)
class Step:
    """What a rate did: batches and taps due, answered and posted; `shed` says how often a terminal was told to come back, `cut` how often a line broke.

    `latency` is from due to answered, `served` from sent to answered. `ended` is when the last one was answered, in seconds from the beginning.
    """

    rate: float
    seconds: float
    due: int = 0
    answered: int = 0
    taps: int = 0
    posted: int = 0
    repeated: int = 0
    shed: int = 0
    told_when: int = 0
    cut: int = 0
    ended: float = 0.0
    refused: list[str] = field(default_factory=list)
    latency: Histogram = field(default_factory=Histogram)
    served: Histogram = field(default_factory=Histogram)


class Fleet:
    """All terminals, each with what it has not sent yet."""

    def __init__(
        self, address: str, streams: Sequence[Sequence[Body]], patience: float = 60.0, ca: Path | None = None
    ) -> None:
        """`ca` as for `trusting`."""
        where, tls = urlsplit(address), trusting(address, ca)
        if where.scheme not in PORTS or not where.hostname:
            raise InputRefused(
                f"{address!r} is no address of a server: it looks like http://127.0.0.1:8460 or https://127.0.0.1:8460"
            )
        self._streams = [deque(stream) for stream in streams]
        self._lines = [_Line(where.hostname, where.port or PORTS[where.scheme], tls) for _ in streams]
        self._patience = patience

    @property
    def left(self) -> int:
        """Batches that nobody has sent yet."""
        return sum(map(len, self._streams))

    async def drive(self, rate: float, seconds: float, seed: int) -> Step:
        """Let batches fall due at a rate for some seconds, then wait until each is answered, or for as long as the patience lasts.

        Raises BatchesSpent, with nothing sent, where the batches do not suffice.
        """
        step, times = Step(rate, seconds), list(due(rate, seconds, seed))
        if len(times) > self.left:
            raise BatchesSpent(
                f"{self.left} batches are left, too few for {rate:.0f} a second: prepare more of them, or go for fewer --seconds"
            )
        plan, step.due = self._shared(times), len(times)
        began = time.perf_counter()
        tasks = [
            asyncio.create_task(self._work(terminal, times, began, step))
            for terminal, times in enumerate(plan)
            if times
        ]
        _, late = await asyncio.wait(tasks, timeout=seconds + self._patience) if tasks else ((), ())
        for task in late:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        return step

    def _shared(self, times: Sequence[float]) -> list[list[float]]:
        """Which terminal's batch falls due when: each time that of the terminal which has the most left."""
        plan = [list[float]() for _ in self._streams]
        most = [(-len(stream), terminal) for terminal, stream in enumerate(self._streams)]
        heapq.heapify(most)
        for at in times:
            left, terminal = most[0]
            plan[terminal].append(at)
            heapq.heapreplace(most, (left + 1, terminal))
        return plan

    async def close(self) -> None:
        """Hang up, all of them."""
        for line in self._lines:
            line.close()
        await asyncio.sleep(0)  # a transport closes in the loop's next turn

    async def _work(self, terminal: int, times: list[float], began: float, step: Step) -> None:
        stream, line, dice = self._streams[terminal], self._lines[terminal], random.Random(terminal)  # noqa: S311  dice of a rehearsal
        for at in times:
            await asyncio.sleep(max(0.0, began + at - time.perf_counter()))
            body = stream[0]
            while True:  # the same bytes, until there is an answer
                wait = await _tried(line, body, step)
                if wait is None:
                    break
                await asyncio.sleep(wait * (1 + LATE_MAX * dice.random()))
            stream.popleft()
            now = time.perf_counter()
            step.latency.add(now - began - at)
            step.answered += 1
            step.ended = max(step.ended, now - began)


def trusting(address: str, ca: Path | None) -> ssl.SSLContext | None:
    """What an https server must prove: a certificate for its name, signed by an authority that this machine knows, or by those of a file (PEM).

    None for plain http; raises InputRefused where the file holds none.
    """
    if not address.startswith("https:"):
        return None
    try:
        return ssl.create_default_context(cafile=ca)
    except (OSError, ssl.SSLError) as error:
        raise InputRefused(f"{ca} holds no certificates (PEM): {error.strerror or error}") from None


async def _tried(line: _Line, body: Body, step: Step) -> float | None:
    """Send a batch once: None where it was answered, else how long to wait before it is sent again."""
    sent = time.perf_counter()
    try:
        status, head, answer = await line.ask(body.octets)
    except (OSError, asyncio.IncompleteReadError, ValueError):
        line.close()
        step.cut += 1
        return AGAIN_S
    if status in BUSY:
        step.shed += 1
        wait = _header(head, b"retry-after")
        step.told_when += wait.isdigit()
        return float(wait) if wait.isdigit() else AGAIN_S
    if status != OK:
        step.refused.append(f"{status}: {answer[:200].decode(errors='replace')}")
        return None
    step.served.add(time.perf_counter() - sent)
    step.taps += body.taps
    step.posted += answer.count(b'"posted"')
    step.repeated += answer.count(b'"duplicate"')
    return None


def _header(head: bytes, name: bytes) -> str:
    for line in head.split(b"\r\n"):
        said, _, value = line.partition(b":")
        if said.lower() == name:
            return value.strip().decode(errors="replace")
    return ""


class _Line:
    """A connection that is kept open between batches."""

    def __init__(self, host: str, port: int, tls: ssl.SSLContext | None) -> None:
        self._where, self._tls = (host, port), tls
        self._open: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None

    async def ask(self, body: bytes) -> tuple[int, bytes, bytes]:
        """Status, head and body of the answer to a batch; raises OSError, IncompleteReadError or ValueError where the line breaks."""
        if self._open is None:
            self._open = await asyncio.open_connection(*self._where, limit=1 << 20, ssl=self._tls)
        reader, writer = self._open
        writer.write(TARGET.format(len(body)).encode() + body)
        await writer.drain()
        head = await reader.readuntil(b"\r\n\r\n")
        answer = await reader.readexactly(int(_header(head, b"content-length") or 0))
        if _header(head, b"connection").lower() == "close":
            self.close()
        return int(head.split(b" ", 2)[1]), head, answer

    def close(self) -> None:
        """Hang up; the next batch opens it again."""
        if self._open is not None:
            self._open[1].close()
            self._open = None
