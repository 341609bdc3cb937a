"""The front door: one line a call in the log, with no secret in it; a bound on calls; a mistake is a problem and not a cut line."""

from __future__ import annotations

import asyncio
import json
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest
import structlog
from fastapi import FastAPI

from hebat.logs import configure
from hebat.settings import LogLevel
from ledger.http.access import HELD_MAX, AccessLog, Lines
from ledger.http.api import answered_by, install_problems
from ledger.http.asgi import Reply
from ledger.http.front import Front, HotRoutes
from ledger.problems import BUSY, UNKNOWN

if TYPE_CHECKING:
    from collections.abc import Iterator

    from fastapi import Request


class Called:
    """A front door without a socket: what it answers and what it tells."""

    def __init__(self, calls_max: int = 10, *, tls: bool = False) -> None:
        configure(LogLevel.INFO)
        application = FastAPI()
        install_problems(application)
        self.told: list[tuple[str, str, int]] = []
        self.release = asyncio.Event()
        hot = HotRoutes()

        @application.get("/c/{token}")
        def get_page(token: str) -> int:
            return len(token)

        async def slow(_request: Request) -> Reply:
            await self.release.wait()
            return Reply(b"{}")

        async def broken(_request: Request) -> Reply:
            raise ZeroDivisionError("the secret of the house")

        hot.add("GET", "/slow", answered_by(slow))
        hot.add("GET", "/broken/{what}", answered_by(broken))
        self.front = Front(application, hot, self._seen, calls_max, tls=tls)

    def _seen(self, method: str, route: str, status: int, _seconds: float) -> None:
        self.told.append((method, route, status))

    async def get(self, path: str, method: str = "GET") -> tuple[int, dict[bytes, bytes], bytes]:
        said: list[Any] = []

        async def send(message: Any) -> None:
            said.append(message)

        async def receive() -> dict[str, Any]:
            return {"type": "http.request", "body": b"", "more_body": False}

        headers = [(b"authorization", b"Bearer ksh.shop.secret-token")]
        scope = {
            "type": "http", "method": method, "path": path, "headers": headers, "query_string": b"q=secret-query", "state": {},
            "http_version": "1.1", "scheme": "http", "server": ("x", 1), "client": ("127.0.0.1", 1), "root_path": "",
        }  # fmt: skip
        await self.front(scope, receive, send)
        body = b"".join(message.get("body", b"") for message in said[1:])
        return said[0]["status"], dict(said[0]["headers"]), body


@pytest.fixture
def logged(capsys: pytest.CaptureFixture[str]) -> Iterator[Any]:
    yield lambda: [json.loads(line) for line in capsys.readouterr().err.splitlines() if line.startswith("{")]
    configure(LogLevel.ERROR)


def test_a_call_is_a_line_with_its_route_and_never_its_address_or_token(logged: Any) -> None:
    async def run() -> Called:
        called = Called()
        await called.get("/c/secret-page")
        await called.get("/nothing/secret-path")
        await asyncio.sleep(0.4)
        return called

    called = asyncio.run(run())
    lines = logged()
    assert [(line["route"], line["status"]) for line in lines] == [("/c/{token}", 200), ("(none)", 404)]
    assert {"event", "level", "timestamp", "method", "ms", "client"} <= lines[0].keys()
    assert "secret" not in json.dumps(lines)
    assert called.told == [("GET", "/c/{token}", 200), ("GET", "(none)", 404)]


def test_a_refused_call_says_in_its_line_what_refused_it_and_nothing_of_what_was_sent(logged: Any) -> None:
    """By the framework, by a hot route, by the bound on calls, and by a mistake of our own."""

    async def run() -> None:
        called = Called(calls_max=1)
        await called.get("/c/secret-page")
        await called.get("/nothing/secret-path")
        await called.get("/broken/secret-door")
        waits = asyncio.create_task(called.get("/slow"))
        await asyncio.sleep(0)
        await called.get("/c/secret-page")
        called.release.set()
        await waits
        await asyncio.sleep(0.4)

    asyncio.run(run())
    lines = [line for line in logged() if line["event"] == "call"]
    told = [(line["status"], line["problem"]) for line in lines]
    assert told == [(200, ""), (404, "not-found"), (500, UNKNOWN.name), (429, BUSY.name), (200, "")]
    assert "secret" not in json.dumps(lines)


def test_each_line_of_a_kind_is_rendered_as_the_first_with_a_time_and_duration_of_its_own(
    logged: Any,
) -> None:
    configure(LogLevel.INFO)
    lines = Lines()
    log = AccessLog(lines)
    before = datetime.now(UTC)

    async def run() -> None:
        for seconds in (0.0015, 2.0):
            log.call("GET", "/100%/{of}", 200, "shop", seconds)
            await asyncio.sleep(0.001)  # a quick machine tells two in one microsecond
        structlog.wrap_logger(lines).info(
            "call", method="GET", route="/100%/{of}", status=200, ms=7.5, client="shop", problem=""
        )
        lines.flush()

    asyncio.run(run())
    told = logged()
    times = [datetime.fromisoformat(line.pop("timestamp")) for line in told]
    assert [line.pop("ms") for line in told] == [1.5, 2000.0, 7.5]
    assert told[0] == told[1] == told[2]
    assert before <= times[0] < times[1] <= datetime.now(UTC)


def test_a_call_is_told_in_whatever_form_the_log_has(capsys: pytest.CaptureFixture[str]) -> None:
    structlog.configure(processors=[structlog.processors.KeyValueRenderer()])

    async def run() -> None:
        lines = Lines()
        AccessLog(lines).call("GET", "/slow", 200, "", 0.002)
        lines.flush()

    asyncio.run(run())
    configure(LogLevel.ERROR)
    assert "route='/slow'" in capsys.readouterr().err


def test_many_lines_are_written_before_their_time(logged: Any) -> None:
    async def run() -> None:
        called = Called()
        for _ in range(HELD_MAX):
            await called.get("/nothing")

    asyncio.run(run())
    assert len(logged()) == HELD_MAX


def test_a_server_that_stops_writes_the_lines_that_wait(logged: Any) -> None:
    async def run() -> None:
        await Called().get("/nothing")

    asyncio.run(run())  # which cancels what is left, as a server's does
    assert [line["status"] for line in logged()] == [404]


def test_a_mistake_of_the_server_is_a_problem_that_tells_nothing_of_it(logged: Any) -> None:
    async def run() -> tuple[int, dict[bytes, bytes], bytes]:
        return await Called().get("/broken/thing")

    status, headers, body = asyncio.run(run())
    assert (status, headers[b"content-type"]) == (500, b"application/problem+json")
    assert json.loads(body)["type"] == "/problems/ledger-error"
    assert b"secret" not in body
    assert "ZeroDivisionError" in json.dumps(logged())


def test_calls_over_the_bound_are_sent_away_at_once_and_the_others_answered(logged: Any) -> None:
    async def run() -> tuple[list[int], dict[bytes, bytes]]:
        called = Called(calls_max=3)
        waiting = [asyncio.ensure_future(called.get("/slow")) for _ in range(3)]
        await asyncio.sleep(0)
        status, headers, _ = await called.get("/c/x")
        called.release.set()
        answers = await asyncio.gather(*waiting)
        after, _, _ = await called.get("/c/x")
        return [status, after, *(answer[0] for answer in answers)], headers

    statuses, headers = asyncio.run(run())
    assert statuses == [429, 200, 200, 200, 200]
    assert headers[b"retry-after"] == b"1"
    assert logged() is not None


@pytest.mark.parametrize("path", ["/c/page", "/nothing", "/broken/thing", "/slow"])
@pytest.mark.parametrize("tls", [False, True])
def test_every_answer_tells_browsers_to_keep_load_and_show_nothing_of_it(path: str, *, tls: bool) -> None:
    async def run() -> dict[bytes, bytes]:
        called = Called(tls=tls)
        called.release.set()
        return (await called.get(path))[1]

    headers = asyncio.run(run())
    assert headers[b"x-content-type-options"] == b"nosniff"
    assert headers[b"cache-control"] == b"no-store"
    assert headers[b"referrer-policy"] == b"no-referrer"
    assert b"default-src 'none'" in headers[b"content-security-policy"]
    assert b"frame-ancestors 'none'" in headers[b"content-security-policy"]
    assert (headers.get(b"strict-transport-security") == b"max-age=63072000; includeSubDomains") == tls


@pytest.mark.parametrize("method", ["TRACE", "CONNECT", "PUT"])
def test_a_method_that_no_route_has_is_refused(method: str) -> None:
    status, _, body = asyncio.run(Called().get("/c/page", method))
    assert (status, b"secret" in body) == (405, False)
