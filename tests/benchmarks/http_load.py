"""A light HTTP client in a process of its own: so many connections, each with its next request as soon as it has its answer.

Reads one JSON document on standard input: address, seconds, and for each connection the parts of its requests. Prints one: how many
answers of which status, and every latency's percentiles in milliseconds.
"""

from __future__ import annotations

import asyncio
import itertools
import json
import sys
import time
from collections import Counter
from typing import Any

import uvloop


class Caller(asyncio.Protocol):
    """One connection; `{n}` in a request is replaced by a number that no other request has."""

    numbers = itertools.count()

    def __init__(self, request: dict[str, str], until: float, load: Load) -> None:
        self._head, self._body = request["head"], request["body"]
        self._until = until
        self._load = load
        self._buffer = b""
        self._sent_at = 0.0
        self._transport: Any = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport
        self._next()

    def _next(self) -> None:
        now = time.perf_counter()
        if now > self._until:
            self._transport.close()
            return
        head = self._head.replace("{n}", f"{self._load.run}-{next(self.numbers)}")
        self._sent_at = now
        self._transport.write(head.encode() + self._body.encode())

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        head, split, rest = self._buffer.partition(b"\r\n\r\n")
        if not split:
            return
        at = head.lower().find(b"content-length:")
        length = int(head[at + 15 :].split(b"\r\n", 1)[0])
        if len(rest) < length:
            return
        self._load.latencies.append(time.perf_counter() - self._sent_at)
        self._load.statuses[int(head[9:12])] += 1
        self._buffer = b""
        self._next()

    def connection_lost(self, _error: Exception | None) -> None:
        self._load.open -= 1
        if not self._load.open:
            self._load.done.set()


class Load:
    """All connections of one run."""

    def __init__(self) -> None:
        self.latencies: list[float] = []
        self.statuses: Counter[int] = Counter()
        self.done = asyncio.Event()
        self.open = 0
        self.run = str(time.time_ns())

    async def go(self, asked: dict[str, Any]) -> dict[str, Any]:
        until = time.perf_counter() + asked["seconds"]
        loop = asyncio.get_running_loop()
        self.open = len(asked["requests"])
        began = time.perf_counter()
        for request in asked["requests"]:
            await loop.create_connection(lambda r=request: Caller(r, until, self), "127.0.0.1", asked["port"])  # type: ignore[misc]
        await self.done.wait()
        return self.told(time.perf_counter() - began)

    def told(self, seconds: float) -> dict[str, Any]:
        ordered = sorted(self.latencies)
        ms = {
            f"p{percent}": round(ordered[min(len(ordered) - 1, len(ordered) * percent // 100)] * 1000, 2)
            for percent in (50, 90, 99)
        }
        answers = len(ordered)
        return {
            "answers": answers,
            "seconds": seconds,
            "rate": answers / seconds,
            "statuses": self.statuses,
            **ms,
            "max": round(ordered[-1] * 1000, 2),
        }


if __name__ == "__main__":
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        print(json.dumps(runner.run(Load().go(json.load(sys.stdin)))))  # noqa: T201
