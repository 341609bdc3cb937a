"""The types of ASGI 3, an answer that costs nothing but its bytes, and what a server may offer to whoever answers as a whole."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, MutableMapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, Protocol

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ledger.problems import Problem

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]
Endpoint = Callable[[Scope, Receive], Awaitable["Reply"]]
Now = Callable[[Scope], "Reply | None"]
"""Replies without waiting for anything; None, or any error, where that is the endpoint's to do."""

JSON: Final = "application/json"
WHOLE: Final = "ledger.whole"
"""The extension of ASGI (its specification, "Extensions") under which a server offers a `Whole` of each call."""
_HEADERS: Final = "ledger.headers"


class Whole(Protocol):
    """A call that is heard and answered in one piece each, as most are: two messages of ASGI fewer, and one write instead of two."""

    def heard(self) -> bytes | None:
        """The whole body, once; None where it is not all here, and is to be received."""

    def say(self, status: int, lines: bytes, body: bytes) -> bool:
        """Answer, with header lines that end in CRLF each; False, with nothing said, where the answer is to be sent."""


def whole(scope: Scope) -> Whole | None:
    """What the server of this call offers, if it does."""
    found: Whole | None = scope.get("extensions", {}).get(WHOLE)
    return found


def header(scope: Scope, name: bytes) -> str | None:
    """A call's header by its name in small letters; the first, where there are several."""
    headers: dict[bytes, bytes] | None = scope.get(_HEADERS)
    if headers is None:
        headers = scope[_HEADERS] = dict(reversed([*scope["headers"]]))
    found = headers.get(name)
    return None if found is None else found.decode("latin-1")


@dataclass(frozen=True, slots=True)
class Reply:
    """A whole answer; an ASGI application itself."""

    body: bytes
    status: int = 200
    media_type: str = JSON
    headers: Mapping[str, str] = field(default_factory=dict)

    async def __call__(self, _scope: Scope, _receive: Receive, send: Send) -> None:
        """Send it."""
        headers = [
            (b"content-type", self.media_type.encode()),
            (b"content-length", str(len(self.body)).encode()),
            *(
                (name.lower().encode(), value.encode("latin-1", "replace"))
                for name, value in self.headers.items()
            ),
        ]
        await send({"type": "http.response.start", "status": self.status, "headers": headers})
        await send({"type": "http.response.body", "body": self.body})


def problem_reply(problem: Problem, media_type: str) -> Reply:
    """A problem as an answer."""
    return Reply(problem.encoded(), problem.status, media_type, problem.headers)
