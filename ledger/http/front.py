"""The front door: every call is counted, bounded and logged here; hot routes are answered without the framework between.

A route that is asked thousands of times a second is an endpoint that this door knows by its address. The framework describes the same
route, and would answer it the same way.
"""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING, Final

import structlog

from ledger.http.access import AccessLog, Lines
from ledger.http.asgi import problem_reply, whole
from ledger.problems import BUSY, CONTENT_TYPE, UNKNOWN, name_of

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from ledger.http.asgi import App, Endpoint, Message, Now, Receive, Reply, Scope, Send
    from ledger.problems import Problem

CALLS_MAX: Final = 1024
"""Calls that may be under way in one server."""
NO_ROUTE: Final = "(none)"
PROBLEM: Final = "ledger.problem"
"""Where a call's state has the name of the problem that it was answered with."""
_REFUSED_FROM: Final = 400
GUARDS: Final = {
    b"x-content-type-options": b"nosniff",
    b"cache-control": b"no-store",
    b"referrer-policy": b"no-referrer",
    b"content-security-policy": b"default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
}
"""What each answer says where its page says nothing else: data, that no browser shows as a page of ours."""
_TLS_ONLY: Final = (b"strict-transport-security", b"max-age=63072000; includeSubDomains")
"""RFC 6797: said over TLS alone; two years."""
_log = structlog.get_logger("ledger.http")


class HotRoutes:
    """Which addresses are answered directly: exact ones, and those with one parameter at the end."""

    def __init__(self) -> None:
        self._exact: dict[tuple[str, str], tuple[str, Endpoint]] = {}
        self._prefixed: dict[tuple[str, str], tuple[str, str, Endpoint]] = {}
        self._now: dict[str, Now] = {}

    def add(self, method: str, path: str, endpoint: Endpoint, now: Now | None = None) -> None:
        """Answer a path, such as /v1/debits or /v1/accounts/{account}, with what an endpoint replies, or `now` replies at once."""
        if now is not None:
            self._now[f"{method} {path}"] = now
        head, _, parameter = path.partition("{")
        if parameter:
            self._prefixed[method, head] = (path, parameter.rstrip("}"), endpoint)
        else:
            self._exact[method, path] = (path, endpoint)

    def find(self, scope: Scope) -> tuple[str, Endpoint] | None:
        """The route of a call and its endpoint; the call's parameter is put into its scope."""
        method, path = scope["method"], scope["path"]
        found = self._exact.get((method, path))
        if found is not None:
            return found
        cut = path.rfind("/") + 1
        prefixed = self._prefixed.get((method, path[:cut]))
        if prefixed is None or cut == len(path):
            return None
        route, parameter, endpoint = prefixed
        scope["path_params"] = {parameter: path[cut:]}
        return route, endpoint

    def now(self, scope: Scope) -> tuple[str, Reply] | None:
        """The route of a call and its reply, where that is to be had without waiting for anything."""
        found = self.find(scope)
        at_once = None if found is None else self._now.get(f"{scope['method']} {found[0]}")
        reply = None if at_once is None else at_once(scope)
        return None if reply is None or found is None else (found[0], reply)


class Front:
    """An ASGI application before another one. `seen` is told of every answer: method, route, status, seconds.

    `tls`: callers reach it over TLS alone, which each answer tells their browsers to keep to.
    """

    def __init__(
        self,
        application: App,
        hot: HotRoutes,
        seen: Callable[[str, str, int, float], None],
        calls_max: int = CALLS_MAX,
        *,
        tls: bool = False,
    ) -> None:
        self.application = application
        self._sure = GUARDS | dict([_TLS_ONLY] if tls else [])
        self._lines: dict[str, bytes] = {}
        self._hot = hot
        self._seen = seen
        self._calls_max = calls_max
        self._log = AccessLog(Lines())
        self.under_way = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one call."""
        if scope["type"] != "http":
            await self.application(scope, receive, send)
            return
        began = time.perf_counter()
        scope.setdefault("state", {})
        self.under_way += 1
        route, telling = NO_ROUTE, _Telling(send, self._sure)
        try:
            if self.under_way > self._calls_max:
                busy = BUSY.problem(f"{self._calls_max} calls are under way: come back in a second")
                scope["state"][PROBLEM] = busy.name
                await problem_reply(busy, CONTENT_TYPE)(scope, receive, telling)
                return
            hot = self._hot.find(scope)
            if hot is None:
                await self.application(scope, receive, telling)
                route = _route_of(scope)
            else:
                route, endpoint = hot
                reply = await _answered(endpoint, scope, receive)
                telling.status = reply.status
                _note_problem(reply, scope)
                if not self._said(reply, scope):
                    await reply(scope, receive, telling)
        finally:
            self.under_way -= 1
            self._note(scope, route, telling.status, time.perf_counter() - began)

    def answer_now(self, scope: Scope) -> bool:
        """Answer a call that is all here on the spot, where that needs no waiting: no task, and no further turn of the event loop.

        False, with nothing said or noted, where it is to be called as any other.
        """
        began = time.perf_counter()
        if self.under_way >= self._calls_max:
            return False
        scope.setdefault("state", {})
        try:
            found = self._hot.now(scope)
        except Exception:  # noqa: BLE001  whatever it is, the endpoint comes upon it too, and tells it as it should be told
            return False
        if found is None or not self._said(found[1], scope):
            return False
        _note_problem(found[1], scope)
        self._note(scope, found[0], found[1].status, time.perf_counter() - began)
        return True

    def _said(self, reply: Reply, scope: Scope) -> bool:
        """Answer in one piece, where the server can and the reply has no headers of its own."""
        call = whole(scope)
        if call is None or reply.headers:
            return False
        lines = self._lines.get(reply.media_type)
        if lines is None:
            told = [(b"content-type", reply.media_type.encode()), *self._sure.items()]
            lines = self._lines[reply.media_type] = b"".join(b"%s: %s\r\n" % one for one in told)
        return call.say(reply.status, b"%scontent-length: %d\r\n" % (lines, len(reply.body)), reply.body)

    def _note(self, scope: Scope, route: str, status: int, seconds: float) -> None:
        """One line in the log: the route's pattern and never the path, which may hold a cardholder's token."""
        method = scope["method"]
        self._seen(method, route, status, seconds)
        client = scope["state"].get("client")
        name = client.name if client is not None else ""
        self._log.call(method, route, status, name, seconds, scope["state"].get(PROBLEM, ""))


def _note_problem(reply: Reply, scope: Scope) -> None:
    """What refused a call, for its line: who tries doors shows in the log by which of them were shut."""
    if reply.status >= _REFUSED_FROM and reply.media_type == CONTENT_TYPE:
        scope["state"][PROBLEM] = name_of(json.loads(reply.body)["type"])


class _Telling:
    """Sends on what an application says, with our headers where it lacks them, and remembers the status."""

    __slots__ = ("_send", "_sure", "status")

    def __init__(self, send: Send, sure: Mapping[bytes, bytes]) -> None:
        self._send = send
        self._sure = sure
        self.status = 0

    async def __call__(self, message: Message) -> None:
        """One message."""
        if message["type"] == "http.response.start":
            self.status = message["status"]
            headers = list(message.get("headers", ()))
            names = {name for name, _ in headers}
            headers += [one for one in self._sure.items() if one[0] not in names]
            message["headers"] = headers
        await self._send(message)


async def _answered(endpoint: Endpoint, scope: Scope, receive: Receive) -> Reply:
    """The reply of a hot route; to a mistake in it a problem too."""
    try:
        return await endpoint(scope, receive)
    except Exception:  # noqa: BLE001  logged with its traceback; the caller gets a problem and not a cut line
        _log.exception("a route failed", route=scope["path"])
        return problem_reply(fault(), CONTENT_TYPE)


def fault() -> Problem:
    """What is told of a mistake of the server's own: never what it was."""
    return UNKNOWN.problem("the server made a mistake: its log has it; ask again with the same key or bytes")


def _route_of(scope: Scope) -> str:
    """The pattern of the route that the framework chose."""
    found = scope.get("route")
    return str(getattr(found, "path", NO_ROUTE)) if found is not None else NO_ROUTE
