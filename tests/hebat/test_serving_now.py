"""Calls that are answered on the spot: in their order among others, counted as others, and left to the endpoint where it takes longer."""

from __future__ import annotations

import asyncio
import socket
import time
from contextlib import closing
from typing import TYPE_CHECKING, Any

import pytest
from fastapi import FastAPI, Request

from hebat.serving import LoopbackServer
from ledger.errors import ScopeMissing
from ledger.http.api import answered_by, install_problems
from ledger.http.asgi import Reply
from ledger.http.front import NO_ROUTE, Front, HotRoutes

if TYPE_CHECKING:
    from collections.abc import Iterator


class Called:
    """A server with one route that can answer at once, and what it was asked."""

    def __init__(self) -> None:
        self.tasks: list[str] = []
        self.noted: list[tuple[str, str, int]] = []
        application, hot = FastAPI(), HotRoutes()
        install_problems(application)
        hot.add("GET", "/of/{what}", answered_by(self._slowly), self._now)
        hot.add("POST", "/of/{what}", answered_by(self._slowly), self._now)
        front = Front(application, hot, lambda *told: self.noted.append(told[:3]), calls_max=100)
        self.server = LoopbackServer(front)

    async def _slowly(self, request: Request) -> Reply:
        what = request.path_params["what"]
        self.tasks.append(what)
        await asyncio.sleep(0.02)
        if what == "refused":
            raise ScopeMissing("you may not do this")
        return Reply(b"%s, in time" % what.encode())

    def _now(self, scope: Any) -> Reply | None:
        what = scope["path_params"]["what"]
        if what == "refused":
            raise ScopeMissing("you may not do this")
        if what == "broken":
            raise ZeroDivisionError
        return None if what == "later" else Reply(b"%s, at once" % what.encode())


@pytest.fixture
def called() -> Iterator[Called]:
    made = Called()
    with made.server:
        yield made


def said(called: Called, *sent: bytes, answers: int) -> list[bytes]:
    """The bodies of so many answers to bytes that are sent piece by piece."""
    host, port = called.server.address.removeprefix("http://").split(":")
    heard = b""
    with closing(socket.create_connection((host, int(port)), timeout=60)) as line:
        line.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for piece in sent:
            line.sendall(piece)
        while heard.count(b"HTTP/1.1 ") < answers or not heard.endswith((b"once", b"time", b"}")):
            more = line.recv(65536)
            if not more:
                break
            heard += more
    return [one.partition(b"\r\n\r\n")[2] for one in heard.split(b"HTTP/1.1 ")[1:]]


def noted(called: Called) -> list[tuple[str, str, int]]:
    """What was noted of calls. A caller has its answer a moment before; the loop has done with it once another's call is answered."""
    said(called, b"GET /nothing HTTP/1.1\r\nHost: x\r\n\r\n", answers=1)
    return [one for one in called.noted if one[1] != NO_ROUTE]


def get(what: str) -> bytes:
    return f"GET /of/{what} HTTP/1.1\r\nHost: x\r\n\r\n".encode()


def test_it_needs_no_task_and_is_noted_all_the_same(called: Called) -> None:
    assert said(called, get("a"), answers=1) == [b"a, at once"]
    assert called.tasks == []
    assert noted(called) == [("GET", "/of/{what}", 200)]


@pytest.mark.parametrize("what", ["later", "broken"])
def test_what_cannot_be_had_at_once_is_the_endpoints(called: Called, what: str) -> None:
    assert said(called, get(what), answers=1) == [f"{what}, in time".encode()]
    assert called.tasks == [what]
    assert noted(called) == [("GET", "/of/{what}", 200)]


def test_a_refusal_is_the_endpoints_too_and_noted_once(called: Called) -> None:
    [body] = said(called, get("refused"), answers=1)
    assert b"/problems/" in body
    assert noted(called) == [("GET", "/of/{what}", 403)]


def test_calls_in_one_piece_are_answered_in_their_order_whichever_way(called: Called) -> None:
    kinds = ["a", "later", "b", "c", "later", "d"]
    heard = said(called, b"".join(map(get, kinds)), answers=len(kinds))
    assert [one.partition(b",")[0].decode() for one in heard] == kinds


def test_calls_one_after_the_other_on_one_line_are_answered_at_once(called: Called) -> None:
    for _ in range(3):
        assert said(called, get("a"), answers=1) == [b"a, at once"]
    assert called.tasks == []


def test_a_call_whose_body_is_on_its_way_waits_for_it(called: Called) -> None:
    head = b"POST /of/a HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\n"
    assert said(called, head + b"abc", answers=1) == [b"a, at once"]
    assert said(called, head, b"abc", answers=1) in ([b"a, in time"], [b"a, at once"])


def test_bytes_that_are_no_request_behind_one_that_is_end_the_line_and_not_the_call(called: Called) -> None:
    assert said(called, get("later") + b"\0\0\r\n\r\n", answers=1) == []
    until = time.monotonic() + 60
    while not called.noted and time.monotonic() < until:
        time.sleep(0.01)
    assert called.tasks == ["later"]
    assert noted(called) == [("GET", "/of/{what}", 200)]


def test_a_line_that_is_to_be_closed_is(called: Called) -> None:
    asked = b"GET /of/a HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
    [body] = said(called, asked, answers=1)
    assert body == b"a, in time"
    assert called.tasks == ["a"]
