"""A wire between a ledger and PostgreSQL that can be cut at every message, before the server hears it or before it is answered.

PostgreSQL documentation, "Frontend/Backend Protocol": each message is a type, a length and a body; the first of a connection has no type.
"""

from __future__ import annotations

import shutil
import socket
import tempfile
import threading
from contextlib import suppress
from dataclasses import dataclass, field
from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING, Final, Self

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import TracebackType

    from tests.ledger.crash.cluster import Cluster

SOCKET: Final = ".s.PGSQL.5432"
DONE: Final = {b"Z", b"G"}
"""The server is ready for more: for another query, or for the data of a COPY."""
TERMINATE: Final = b"X"


class Cut(Enum):
    """Where a message is lost."""

    BEFORE = "before the server hears it"
    UNANSWERED = "after the server has done it, before it says so"


@dataclass(frozen=True)
class Message:
    """What a ledger said: its type, and its bytes."""

    kind: bytes
    body: bytes

    @property
    def commits(self) -> bool:
        """Whether it ends a transaction for good."""
        return self.kind == b"Q" and self.body.startswith(b"COMMIT")


@dataclass
class Plan:
    """The next cut: a message is counted where `wanted` says so, and the n-th of them is lost."""

    cut: Cut
    at: int = 1
    wanted: Callable[[Message], bool] = lambda _message: True
    done: threading.Event = field(default_factory=threading.Event)
    seen: list[Message] = field(default_factory=list)

    def hits(self, message: Message) -> bool:
        """Whether this message is the one."""
        if message.kind == TERMINATE or self.done.is_set() or not self.wanted(message):
            return False
        self.seen.append(message)
        return len(self.seen) == self.at


class Wire:
    """Listens in a folder of its own, as the cluster does in its own. `closed`: nobody gets through."""

    def __init__(self, cluster: Cluster) -> None:
        self._there = str(cluster.folder / SOCKET)
        self.folder = Path(tempfile.mkdtemp(prefix="kshwire"))
        self._listener = socket.socket(socket.AF_UNIX)
        self._listener.bind(str(self.folder / SOCKET))
        self._listener.listen()
        self.plan: Plan | None = None
        self.closed = False
        self._pairs: list[tuple[socket.socket, socket.socket]] = []
        threading.Thread(target=self._accept, daemon=True).start()

    def url(self, url: str) -> str:
        """The URL of a database behind this wire."""
        return f"{url.partition('?')[0]}?host={self.folder}"

    def _accept(self) -> None:
        while True:
            try:
                near, _ = self._listener.accept()
            except OSError:
                return
            far = socket.socket(socket.AF_UNIX)
            try:
                if self.closed:
                    raise ConnectionRefusedError
                far.connect(self._there)
            except OSError:
                near.close()
                far.close()
                continue
            self._pairs.append((near, far))
            silent = threading.Event()
            threading.Thread(target=self._there_to_here, args=(near, far, silent), daemon=True).start()
            threading.Thread(target=self._here_to_there, args=(near, far, silent), daemon=True).start()

    def _here_to_there(self, near: socket.socket, far: socket.socket, silent: threading.Event) -> None:
        with suppress(OSError), near.makefile("rb") as said:
            size = said.read(4)
            far.sendall(size + said.read(int.from_bytes(size, "big") - 4))
            while head := said.read(5):
                message = Message(head[:1], said.read(int.from_bytes(head[1:], "big") - 4))
                plan = self.plan
                hit = plan is not None and plan.hits(message)
                if hit and plan is not None and plan.cut is Cut.BEFORE:
                    plan.done.set()
                    break
                if hit:
                    silent.set()  # before the server can answer
                far.sendall(head + message.body)
        if not silent.is_set():
            _end(near, far)

    def _there_to_here(self, near: socket.socket, far: socket.socket, silent: threading.Event) -> None:
        with suppress(OSError), far.makefile("rb") as said:
            while head := said.read(5):
                body = said.read(int.from_bytes(head[1:], "big") - 4)
                if silent.is_set():
                    if head[:1] in DONE:
                        break
                    continue
                near.sendall(head + body)
        _end(near, far)
        if silent.is_set() and self.plan is not None:
            self.plan.done.set()

    def cut_all(self) -> None:
        """Cut every connection that there is."""
        pairs, self._pairs = self._pairs, []
        for near, far in pairs:
            _end(near, far)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self.cut_all()
        shutil.rmtree(self.folder, ignore_errors=True)


def _end(*sockets: socket.socket) -> None:
    for one in sockets:
        with suppress(OSError):
            one.shutdown(socket.SHUT_RDWR)
        one.close()
