"""HTTP/1.1 within limits: who sends a head too slowly, too long, or nothing at all, or takes no answer, is let go.

uvicorn's own protocol, with the bounds that it leaves to a proxy. A cardholder's phone and a terminal stay far inside them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import httptools
from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol

from hebat.whole import WholeCall
from ledger import problems
from ledger.http.asgi import WHOLE
from ledger.http.front import GUARDS
from ledger.problems import CONTENT_TYPE

if TYPE_CHECKING:
    import asyncio

    from uvicorn.protocols.http.httptools_impl import RequestResponseCycle

    from ledger.problems import Problem

CONNECTIONS_MAX: Final = 2048
HEAD_BYTES_MAX: Final = 16 * 1024
"""Bytes of a request's line and headers."""
HEAD_SECONDS_MAX: Final = 10.0
"""How long a head may take, and how long a new connection may say nothing."""
WRITE_SECONDS_MAX: Final = 20.0
"""How long a caller may leave its answer unread."""


class BoundedProtocol(HttpToolsProtocol):
    """One connection."""

    _head_bytes = 0
    _in_head = True
    _completed = False
    _feeding = False
    _waits: tuple[RequestResponseCycle, Any] | None = None
    _timer: asyncio.TimerHandle | None = None
    _stalled: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Take a connection, where there is room for one more."""
        super().connection_made(transport)
        if len(self.connections) > CONNECTIONS_MAX:
            self._refuse(
                problems.BUSY.problem(f"{CONNECTIONS_MAX} connections are open: come back in a second")
            )
            return
        self._await_head()

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget the timers."""
        self._heard()
        self.resume_writing()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Bytes of a request; a head that grows too long is refused before it is whole."""
        if self.transport.is_closing():
            return
        self._unset_keepalive_if_required()
        self._completed = False
        self._feeding = True
        try:
            self.parser.feed_data(data)
        except httptools.HttpParserError:
            self._refuse(problems.NOT_HTTP.problem("the bytes are no HTTP/1.1 request"))
            return
        except httptools.HttpParserUpgrade:
            # A server may go on in HTTP/1.1 (RFC 9110 section 7.8); behind this call nothing can be read any more.
            if self._cycle is not None:
                self._cycle.keep_alive = False
        finally:
            self._feeding = False
            self._begin()
        if self._in_head and not self._completed:  # else these were a body's last bytes, however many
            if self._timer is None:
                self._await_head()
            self._head_bytes += len(data)
            if self._head_bytes > HEAD_BYTES_MAX:
                self._refuse(_too_long())

    def _start_asgi_task(self, cycle: RequestResponseCycle, app: Any) -> None:
        """Begin to answer a call; one whose bytes are being read, once they are: it may be all here by then."""
        if self._feeding:
            self._waits = (cycle, app)
        else:
            super()._start_asgi_task(cycle, app)

    def _begin(self) -> None:
        """Begin with the call that was waiting: on the spot where the application can, as a task of its own otherwise."""
        if self._waits is None:
            return
        (cycle, app), self._waits = self._waits, None
        at_once = None if cycle.more_body or self.transport.is_closing() else getattr(app, "answer_now", None)
        if at_once is None or not at_once(cycle.scope):
            super()._start_asgi_task(cycle, app)

    def on_header(self, name: bytes, value: bytes) -> None:
        """One header; as uvicorn takes it, and counted."""
        name = name.lower()
        if name == b"expect" and value.lower() == b"100-continue":
            self.expect_100_continue = True
        self.headers.append((name, value))
        self._head_bytes += len(name) + len(value)

    def on_headers_complete(self) -> None:
        """The head is whole: no timer runs while the call is worked on."""
        self._heard()
        self._in_head = False
        if self._head_bytes > HEAD_BYTES_MAX or len(self.url) > HEAD_BYTES_MAX:
            self._refuse(_too_long())
            return
        try:
            super().on_headers_complete()
        except (UnicodeDecodeError, httptools.HttpParserInvalidURLError):
            self._refuse(problems.NOT_HTTP.problem("the request's address is none"))
            return
        if self._cycle is not None:
            self.scope["extensions"] = {WHOLE: WholeCall(self._cycle)}  # type: ignore[dict-item]

    def on_message_complete(self) -> None:
        """The body is whole: what follows is the next head."""
        self._in_head = self._completed = True
        self._head_bytes = 0
        if self._cycle is not None:
            super().on_message_complete()

    def on_body(self, body: bytes) -> None:
        """A part of the body; of a request that was refused, nothing is kept."""
        if self._cycle is not None and not self.transport.is_closing():
            super().on_body(body)

    def pause_writing(self) -> None:
        """The caller takes its answer slowly."""
        super().pause_writing()
        self._stalled = self.loop.call_later(WRITE_SECONDS_MAX, self.transport.abort)

    def resume_writing(self) -> None:
        """The caller has taken enough."""
        if self._stalled is not None:
            self._stalled.cancel()
            self._stalled = None
        super().resume_writing()

    @property
    def _cycle(self) -> RequestResponseCycle | None:
        """The newest call of this connection; none before the first."""
        return self.cycle

    def _await_head(self) -> None:
        self._timer = self.loop.call_later(HEAD_SECONDS_MAX, self._late)

    def _heard(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _late(self) -> None:
        self._timer = None
        self._refuse(
            problems.TOO_SLOW.problem(f"no whole request came within {HEAD_SECONDS_MAX:.0f} seconds")
        )

    def _refuse(self, problem: Problem) -> None:
        """Answer with a problem, where nothing else is being answered, and hang up."""
        self._heard()
        if self.transport.is_closing():
            return
        if self._cycle is None or self._cycle.response_complete:
            self.transport.write(_raw(problem))
        self.transport.close()


def _too_long() -> Problem:
    return problems.HEAD_TOO_LARGE.problem(
        f"a request's line and headers have at most {HEAD_BYTES_MAX} bytes"
    )


def _raw(problem: Problem) -> bytes:
    """A problem as the bytes of an answer."""
    body = problem.encoded()
    guards = {name.decode(): value.decode() for name, value in GUARDS.items()}
    headers: dict[str, Any] = {
        "content-type": CONTENT_TYPE, "content-length": len(body), "connection": "close", **guards, **problem.headers,
    }  # fmt: skip
    lines = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
    return STATUS_LINE[problem.status] + lines.encode() + b"\r\n" + body
