"""A call of uvicorn's that is heard and answered in one piece: offered to the front door, see `ledger.http.asgi.Whole`.

uvicorn hands a body and an answer over in messages, checks each header, and writes head and body apart: two system calls, two packets and two
awakenings of the caller. An answer that is all there needs none of it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from uvicorn.protocols.http.httptools_impl import STATUS_LINE

if TYPE_CHECKING:
    from uvicorn.protocols.http.httptools_impl import RequestResponseCycle


class WholeCall:
    """Implements `ledger.http.asgi.Whole` over one call."""

    __slots__ = ("_cycle",)

    def __init__(self, cycle: RequestResponseCycle) -> None:
        self._cycle = cycle

    def heard(self) -> bytes | None:
        """The whole body, once; None where it is not all here, and is to be received."""
        cycle = self._cycle
        if cycle.more_body or cycle.disconnected or cycle.response_complete or cycle.waiting_for_100_continue:
            return None
        body, cycle.body = bytes(cycle.body), bytearray()
        cycle.message_event.clear()  # what comes next is the end of the call
        return body

    def say(self, status: int, lines: bytes, body: bytes) -> bool:
        """Answer, with header lines that end in CRLF each; False, with nothing said, where the answer is to be sent."""
        cycle = self._cycle
        if cycle.response_started or cycle.disconnected or not cycle.keep_alive or cycle.flow.write_paused:
            return False
        cycle.response_started = cycle.response_complete = True
        cycle.waiting_for_100_continue = False
        ours = [b"%s: %s\r\n" % one for one in cycle.default_headers]
        cycle.transport.write(b"".join((STATUS_LINE[status], *ours, lines, b"\r\n", body)))
        cycle.message_event.set()
        cycle.on_response()
        return True
