"""Calls that are heard and answered in one piece, over raw sockets: they say what the framework would say, whatever the caller is like."""

from __future__ import annotations

import re
import socket
import subprocess
import sys
from contextlib import closing
from typing import TYPE_CHECKING

import pytest
from fastapi import FastAPI, Request
from fastapi.responses import Response  # noqa: TC002  FastAPI reads it

from hebat.serving import LoopbackServer
from ledger.http.api import answered_by, as_response, install_problems, limited_body
from ledger.http.asgi import Reply
from ledger.http.front import Front, HotRoutes

if TYPE_CHECKING:
    from collections.abc import Iterator

LIMIT = 1_000


async def length(request: Request) -> Reply:
    """How long the body is, as a partner's system is answered."""
    return Reply(b"%d" % len(await limited_body(request, "text/plain", LIMIT)), 201)


@pytest.fixture(scope="module")
def server() -> Iterator[LoopbackServer]:
    application, hot = FastAPI(), HotRoutes()
    install_problems(application)

    @application.post("/framework")
    async def post_length(request: Request) -> Response:
        return as_response(await length(request))

    hot.add("POST", "/hot", answered_by(length))
    with LoopbackServer(Front(application, hot, lambda *_: None)) as opened:
        yield opened


def request(path: str, body: bytes = b"abc", *more: str, version: str = "1.1") -> bytes:
    lines = [f"POST {path} HTTP/{version}", "Host: x", "Content-Type: text/plain", *more]
    if not any("chunked" in one for one in more):
        lines.append(f"Content-Length: {len(body)}")
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


def whole(heard: bytes, count: int) -> bool:
    """Whether so many answers are all there, by the lengths that they state."""
    for _ in range(count):
        head, there, heard = heard.partition(b"\r\n\r\n")
        length = re.search(rb"(?i)^content-length: (\d+)", head, re.MULTILINE)
        octets = int(length[1]) if length is not None else 0
        if not there or len(heard) < octets:
            return False
        heard = heard[octets:]
    return True


def answers(server: LoopbackServer, *sent: bytes, each: int = 1) -> list[bytes]:
    """What a server says to bytes that are sent one after the other: so many answers to each, and what comes behind them in a moment; its clock aside."""
    host, port = server.address.removeprefix("http://").split(":")
    with closing(socket.create_connection((host, int(port)), timeout=60)) as line:
        found = []
        for part in sent:
            line.sendall(part)
            heard = b""
            line.settimeout(60)
            while not whole(heard, each) and (more := line.recv(65536)):
                heard += more
            line.settimeout(0.05)
            try:
                while more := line.recv(65536):
                    heard += more
            except TimeoutError:
                pass
            found.append(heard)
    return [
        b"\r\n".join(one for one in heard.split(b"\r\n") if not one.startswith(b"date:")) for heard in found
    ]


def parted(answer: bytes) -> tuple[bytes, set[bytes], bytes]:
    """Status line, headers in any order, body."""
    head, _, body = answer.partition(b"\r\n\r\n")
    first, *lines = head.split(b"\r\n")
    return first, set(lines), body


@pytest.mark.parametrize(
    "sent",
    [
        request("/hot"),
        request("/hot", b"3\r\nabc\r\n0\r\n\r\n", "Transfer-Encoding: chunked"),
        request("/hot", b"abc", "Connection: close"),
        request("/hot", b"abc", version="1.0"),
        request("/hot", b"x" * LIMIT),
        request("/hot", b"x" * (LIMIT + 1)),
        request("/hot", b"5dc\r\n" + b"x" * 1500 + b"\r\n0\r\n\r\n", "Transfer-Encoding: chunked"),
        request("/hot", b""),
        request("/hot", b"abc", "Content-Type: text/html"),
        request("/hot").replace(b"text/plain", b"Text/Plain; charset=utf-8"),
        request("/hot").replace(b"text/plain", b"text/html"),
    ],
    ids=["plain", "chunked", "closing", "1.0", "full", "over", "chunked over", "empty", "typed twice", "typed widely", "typed wrong"],
)  # fmt: skip
def test_it_says_what_the_framework_would_say(server: LoopbackServer, sent: bytes) -> None:
    [hot] = answers(server, sent)
    [framed] = answers(server, sent.replace(b"/hot", b"/framework", 1))
    assert parted(hot) == parted(framed)


def test_calls_that_come_in_one_piece_are_answered_in_their_order(server: LoopbackServer) -> None:
    [heard] = answers(
        server,
        request("/hot", b"x" * 2) + request("/framework", b"x" * 3) + request("/hot", b"x" * 4),
        each=3,
    )
    assert [one[-1:] for one in heard.split(b"HTTP/1.1 201 Created")[1:]] == [b"2", b"3", b"4"]


def test_a_caller_that_asks_before_it_sends_its_body_is_told_to_go_on(server: LoopbackServer) -> None:
    asked = request("/hot", b"abc", "Expect: 100-continue")
    first, last = answers(server, asked[:-3], asked[-3:])
    assert first == b"HTTP/1.1 100 Continue\r\n\r\n"
    assert parted(last)[0] == b"HTTP/1.1 201 Created"
    assert last.endswith(b"\r\n\r\n3")


def test_a_body_that_comes_in_parts_is_one(server: LoopbackServer) -> None:
    host, port = server.address.removeprefix("http://").split(":")
    whole = request("/hot", b"x" * 900)
    with closing(socket.create_connection((host, int(port)), timeout=60)) as line:
        line.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for at in range(0, len(whole), 200):
            line.sendall(whole[at : at + 200])
            line.settimeout(0.02)
            if at + 200 < len(whole):
                with pytest.raises(TimeoutError):
                    line.recv(1)
        line.settimeout(60)
        assert line.recv(65536).endswith(b"\r\n\r\n900")


def test_a_process_that_serves_looks_no_more_through_what_it_began_with() -> None:
    told = "import gc; from hebat.serving import set_aside; set_aside(); print(gc.get_freeze_count(), len(gc.get_objects()))"
    done = subprocess.run([sys.executable, "-c", told], capture_output=True, text=True, check=True)
    aside, others = map(int, done.stdout.split())
    assert aside > 100 * others
