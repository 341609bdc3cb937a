"""The wire's bounds, over raw sockets: who is slow, too long, too many or unreadable gets a problem or is let go, and others go on."""

from __future__ import annotations

import json
import re
import socket
import time
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import pytest
from fastapi import FastAPI, Request

from hebat import wire
from hebat.serving import LoopbackServer
from ledger.http import api
from ledger.http.api import install_problems, limited_body
from ledger.http.front import GUARDS

if TYPE_CHECKING:
    from collections.abc import Iterator

BIG = "x" * 200_000


@pytest.fixture
def server() -> Iterator[LoopbackServer]:
    application = FastAPI()
    install_problems(application)

    @application.get("/big")
    def get_big() -> str:
        return BIG

    @application.post("/body")
    async def post_body(request: Request) -> int:
        return len(await limited_body(request, "text/plain", 1000))

    with LoopbackServer(application) as opened:
        yield opened


def connect(server: LoopbackServer) -> socket.socket:
    host, port = server.address.removeprefix("http://").split(":")
    return socket.create_connection((host, int(port)), timeout=60)


def until_end(sock: socket.socket) -> bytes:
    """Everything until the server hangs up, or cuts the line."""
    found = b""
    try:
        while chunk := sock.recv(65536):
            found += chunk
    except ConnectionResetError:
        pass
    return found


def told(answer: bytes) -> dict[str, Any]:
    """The problem of an answer."""
    head, _, body = answer.partition(b"\r\n\r\n")
    assert b"content-type: application/problem+json" in head.lower(), answer[:200]
    found: dict[str, Any] = json.loads(body)
    assert found["status"] == int(head.split()[1])
    return found


def get(sock: socket.socket, path: str = "/big") -> int:
    sock.sendall(f"GET {path} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
    return int(sock.recv(65536).split()[1])


def answer_of(sock: socket.socket) -> bytes:
    """One whole answer, in however many pieces it comes; what there is of it where the server hangs up."""
    found = b""
    while True:
        head, there, body = found.partition(b"\r\n\r\n")
        length = re.search(rb"(?i)^content-length: (\d+)", head, re.MULTILINE)
        if there and length is not None and len(body) >= int(length[1]):
            return found
        if not (chunk := sock.recv(65536)):
            return found
        found += chunk


def is_cut(sock: socket.socket, sent: bytes) -> bool:
    """True once the server has cut the line on somebody who goes on sending."""
    for _ in range(100):
        try:
            sock.sendall(sent)
        except (BrokenPipeError, ConnectionResetError):
            return True
        time.sleep(0.1)
    return False


def until_let_in(server: LoopbackServer) -> int:
    """The answer once there is room: the server hears of a line that was closed a moment later."""
    for _ in range(100):
        with suppress(ConnectionError), connect(server) as sock:
            if (status := get(sock, "/nothing")) != 429:
                return status
        time.sleep(0.1)
    return 429


@pytest.mark.parametrize("sent", [b"", b"GET /big HT", b"GET /big HTTP/1.1\r\nHost: x\r\nX-A: "])
def test_a_head_that_does_not_come_whole_is_given_up(
    server: LoopbackServer, monkeypatch: pytest.MonkeyPatch, sent: bytes
) -> None:
    monkeypatch.setattr(wire, "HEAD_SECONDS_MAX", 0.3)
    with connect(server) as sock:
        sock.sendall(sent)
        assert told(until_end(sock))["type"] == "/problems/request-too-slow"


def test_a_head_that_drips_is_given_up_however_often_a_byte_comes(
    server: LoopbackServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(wire, "HEAD_SECONDS_MAX", 0.5)
    with connect(server) as sock:
        sock.sendall(b"GET /big HTTP/1.1\r\n")
        assert is_cut(sock, b"X"), (
            "with a byte ten times a second, a bound on the pause between two would never be reached"
        )


@pytest.mark.parametrize(
    "sent",
    [
        b"GET /" + b"a" * 20_000 + b" HTTP/1.1\r\nHost: x\r\n\r\n",
        b"GET /big HTTP/1.1\r\nX-A: " + b"a" * 20_000 + b"\r\n\r\n",
        b"GET /big HTTP/1.1\r\n" + b"".join(b"X-%d: %d\r\n" % (n, n) for n in range(2000)) + b"\r\n",
        b"GET /big HTTP/1.1\r\nX-A: " + b"a" * 40_000,
    ],
    ids=["address", "header", "headers", "endless"],
)
def test_a_head_that_is_too_long_is_refused(server: LoopbackServer, sent: bytes) -> None:
    with connect(server) as sock:
        sock.sendall(sent)
        assert told(until_end(sock))["type"] == "/problems/head-too-large"


@pytest.mark.parametrize(
    "sent",
    [
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
        b"HELO x\r\n\r\n",
        b"GET /big HTTP/1.1\r\nContent-Length: x\r\n\r\n",
        b"GET /big HTTP/1.1\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n",
        b"GET http:// HTTP/1.1\r\nHost: x\r\n\r\n",
        b"GET /\xff\xfe HTTP/1.1\r\nHost: x\r\n\r\n",
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        b"GET /big HTTP/1.1\r\nHost: x\r\nConnection: upgrade\r\nUpgrade: h2c\r\n\r\n",
    ],
    ids=["tls", "smtp", "length", "smuggling", "address", "bytes", "http2", "upgrade"],
)
def test_bytes_that_are_no_request_get_a_problem_and_the_next_caller_an_answer(
    server: LoopbackServer, sent: bytes
) -> None:
    with connect(server) as sock:
        sock.sendall(sent)
        answer = answer_of(sock)
        assert answer.split()[1] in {b"400", b"404", b"200"}, answer[:200]
        if not answer.startswith(b"HTTP/1.1 200"):
            assert told(answer)["status"] in {400, 404}
    with connect(server) as sock:
        assert get(sock) == 200


def test_a_body_that_does_not_come_is_given_up(
    server: LoopbackServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(api, "BODY_SECONDS_MAX", 0.3)
    with connect(server) as sock:
        sock.sendall(
            b"POST /body HTTP/1.1\r\nHost: x\r\nContent-Type: text/plain\r\nContent-Length: 10\r\n\r\n12345"
        )
        assert told(until_end(sock))["type"] == "/problems/request-too-slow"


@pytest.mark.parametrize("how", ["declared", "chunked"])
def test_a_body_that_is_too_large_is_refused_before_it_is_whole(server: LoopbackServer, how: str) -> None:
    head = "POST /body HTTP/1.1\r\nHost: x\r\nContent-Type: text/plain\r\n"
    head += (
        "Content-Length: 999999\r\n\r\n" if how == "declared" else "Transfer-Encoding: chunked\r\n\r\n7d0\r\n"
    )
    with connect(server) as sock:
        sock.sendall(head.encode() + b"x" * 2000)
        assert told(answer_of(sock))["type"] == "/problems/batch-too-large"


def test_who_does_not_take_its_answers_is_let_go(
    server: LoopbackServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(wire, "WRITE_SECONDS_MAX", 0.3)
    with connect(server) as sock:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        assert is_cut(sock, b"GET /big HTTP/1.1\r\nHost: x\r\n\r\n" * 20)
    with connect(server) as sock:
        assert get(sock) == 200


def test_one_connection_too_many_is_sent_away_at_once(
    server: LoopbackServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(wire, "CONNECTIONS_MAX", 3)
    kept = [connect(server) for _ in range(3)]
    try:
        assert [get(sock, "/nothing") for sock in kept] == [404] * 3
        with connect(server) as sock:
            answer = until_end(sock)
            assert told(answer)["status"] == 429
            assert b"Retry-After: 1" in answer
        kept.pop().close()
        assert until_let_in(server) == 404
    finally:
        for sock in kept:
            sock.close()


def test_what_the_wire_itself_refuses_is_guarded_as_answers_of_routes_are(server: LoopbackServer) -> None:
    with connect(server) as sock:
        sock.sendall(b"this is no request\r\n\r\n")
        head = until_end(sock).partition(b"\r\n\r\n")[0]
    assert all(name + b": " + value in head for name, value in GUARDS.items())
