"""The simulated network between terminals and the ledger: real requests as bytes, lost, doubled, late, or cut off."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING

import httpx2

if TYPE_CHECKING:
    from collections.abc import Callable

    from keys.clock import UnixMs

BATCHES = "/v1/batches"
BUNDLES = "/v1/bundles"
FARES = f"{BUNDLES}/tariff"
HOTLIST = f"{BUNDLES}/hotlist"


class Mishap(StrEnum):
    """What becomes of one request."""

    NONE = "none"
    REQUEST_LOST = "request lost"
    ANSWER_LOST = "answer lost"
    DOUBLED = "doubled"
    LATE = "late"


@dataclass(frozen=True, slots=True)
class Request:
    """A request as it travels."""

    method: str
    target: str
    headers: tuple[tuple[bytes, bytes], ...]
    body: bytes

    @property
    def path(self) -> str:
        """Its path, without the query."""
        return self.target.partition("?")[0]


@dataclass(frozen=True, slots=True)
class Reply:
    """An answer as it travels."""

    status: int
    headers: tuple[tuple[bytes, bytes], ...]
    body: bytes


class ServerAway(Exception):
    """Nobody listens, or whoever did has stopped before it answered."""


@dataclass(slots=True)
class Network:
    """What is on its way, and what befalls it. `struck` is told of each mishap; `answered` of each reply that arrives."""

    serve: Callable[[Request], Reply]
    now: Callable[[], UnixMs]
    struck: Callable[[Mishap], object]
    answered: Callable[[int, Request, Reply], object]
    twice: Callable[[Request, Reply, Reply], object]
    late: list[Request] = field(default_factory=list)
    messages: int = 0

    def deliver_late(self) -> None:
        """What was held up arrives now, in the order of the dice that held it up; nobody waits for the answer."""
        held, self.late = self.late, []
        for one in held:
            self.messages += 1
            try:
                self.serve(one)
            except ServerAway:
                continue


class Line(httpx2.BaseTransport):
    """One terminal's line. `mishaps` are taken one a request; until `cut_until` nothing passes."""

    def __init__(self, network: Network, terminal: int) -> None:
        self._network = network
        self._terminal = terminal
        self.mishaps: list[Mishap] = []
        self.cut_until = 0

    def handle_request(self, request: httpx2.Request) -> httpx2.Response:
        """Carry one request; raises httpx2.TransportError as a real line would."""
        network = self._network
        if network.now() < self.cut_until:
            raise httpx2.ConnectError("no network", request=request)
        target = request.url.raw_path.decode()
        asked = Request(request.method, target, tuple(request.headers.raw), request.read())
        mishap = self.mishaps.pop(0) if self.mishaps else Mishap.NONE
        if mishap is not Mishap.NONE:
            network.struck(mishap)
        network.messages += 1
        try:
            reply = self._carried(asked, mishap)
        except ServerAway:
            raise httpx2.ReadError("the connection was cut", request=request) from None
        if reply is None:
            raise httpx2.ReadTimeout("no answer", request=request)
        network.answered(self._terminal, asked, reply)
        return httpx2.Response(reply.status, headers=list(reply.headers), content=reply.body, request=request)

    def _carried(self, asked: Request, mishap: Mishap) -> Reply | None:
        network = self._network
        if mishap is Mishap.REQUEST_LOST:
            return None
        if mishap is Mishap.LATE:
            network.late.append(asked)
            return None
        reply = network.serve(asked)
        if mishap is Mishap.DOUBLED:
            again = network.serve(asked)
            network.twice(asked, reply, again)
        return None if mishap is Mishap.ANSWER_LOST else reply
