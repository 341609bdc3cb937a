"""A real HTTP server on loopback, in a thread of this process: what terminals of a demo or a day speak to."""

from __future__ import annotations

import gc
import socket
import ssl
import sys
import threading
import time
from typing import TYPE_CHECKING, Self

import uvicorn

from hebat.errors import HebatError
from hebat.wire import BoundedProtocol

if TYPE_CHECKING:
    from types import TracebackType

    from ledger.http.asgi import App

START_SECONDS_MAX = 20
STOP_SECONDS_MAX = 20
ANSWER_SECONDS_MAX = 15
"""How long a server that stops works on calls that it has accepted."""
IDLE_SECONDS_MAX = 75
"""How long a connection may rest between two calls."""
TURN_SECONDS = 0.0005
YOUNG_MAX = 10_000
"""Objects that may be new before the garbage collector looks at them: more than the calls of some hundred callers hold at once."""
BACKLOG_MAX = 1024
"""Connections that the system may hold until they are accepted."""


def listening_socket(host: str, port: int) -> socket.socket:
    """A socket that listens at an address; port 0 takes any free one.

    Raises HebatError where the address is taken.
    """
    # asyncio turns Nagle's delay off only for sockets that say they are TCP: without it each answer waits 40 ms.
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
    except OSError as error:
        listener.close()
        raise HebatError(f"cannot listen at {host}:{port}: {error.strerror}; choose another --port") from None
    return listener


def take_short_turns() -> None:
    """Let the event loop have the interpreter soon when the writer computes: a process that serves and nothing else calls this.

    Python's own 5 ms between two threads' turns would be the worst part of every answer.
    """
    sys.setswitchinterval(TURN_SECONDS)


def set_aside() -> None:
    """Have the garbage collector look through nothing that is here now: a process that serves and nothing else calls this once all is made.

    It would go through a few hundred thousand objects that stay, while every caller waits; and it would begin anew whenever some dozens of
    calls hold 700 objects between them.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(YOUNG_MAX)


def tls_between(certificate: str, key: str) -> ssl.SSLContext:
    """TLS 1.3 under a certificate and its key (PEM files): what the proxy on this machine, and nobody else, speaks to.

    Raises HebatError where they cannot be read, or are no pair.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    try:
        context.load_cert_chain(certificate, key)
    except (OSError, ssl.SSLError) as error:
        raise HebatError(
            f"HEBAT_TLS_CERTIFICATE and HEBAT_TLS_KEY are no certificate and its key: {error.strerror or error}"
        ) from None
    return context


class LoopbackServer:
    """Serves an application from a background thread while the context lasts; with a context for it, over TLS alone."""

    def __init__(self, application: App, port: int = 0, tls: ssl.SSLContext | None = None) -> None:
        self._socket = listening_socket("127.0.0.1", port)
        self._tls = tls
        settings = uvicorn.Config(
            application, loop="uvloop", http=BoundedProtocol, ws="none", lifespan="off", interface="asgi3",
            log_level="warning", access_log=False, server_header=False, proxy_headers=False, backlog=BACKLOG_MAX,
            timeout_keep_alive=IDLE_SECONDS_MAX, timeout_graceful_shutdown=ANSWER_SECONDS_MAX,
            ssl_context_factory=None if tls is None else lambda _settings, _usual: tls,
        )  # fmt: skip
        self._server = uvicorn.Server(settings)
        self._thread = threading.Thread(target=self._run, name="loopback-server", daemon=True)

    @property
    def address(self) -> str:
        """The base address, such as http://127.0.0.1:40123."""
        host, port = self._socket.getsockname()
        return f"{'http' if self._tls is None else 'https'}://{host}:{port}"

    def _run(self) -> None:
        self._server.run(sockets=[self._socket])

    def __enter__(self) -> Self:
        """Start, and return once the server answers."""
        self._thread.start()
        deadline = time.monotonic() + START_SECONDS_MAX
        while not self._server.started:
            if time.monotonic() > deadline or not self._thread.is_alive():
                raise HebatError("the HTTP server did not start; look at the log above")
            time.sleep(0.005)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop taking requests and finish those under way."""
        self._server.should_exit = True
        self._thread.join(STOP_SECONDS_MAX)
        self._socket.close()
