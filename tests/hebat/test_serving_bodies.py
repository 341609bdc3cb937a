"""What travels in one piece: a body is not taken for a head, however much of it comes at once."""

from __future__ import annotations

import http.client
from typing import TYPE_CHECKING, Any

from hebat.serving import LoopbackServer

if TYPE_CHECKING:
    from ledger.http.asgi import Receive, Scope, Send


async def counting(_scope: Scope, receive: Receive, send: Send) -> None:
    """Answers how many bytes a body had."""
    octets, more = 0, True
    while more:
        message: Any = await receive()
        octets, more = octets + len(message["body"]), message.get("more_body", False)
    said = str(octets).encode()
    await send(
        {"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"%d" % len(said))]}
    )
    await send({"type": "http.response.body", "body": said})


def test_large_bodies_one_after_the_other_on_one_connection_are_all_answered() -> None:
    with LoopbackServer(counting) as server:
        line = http.client.HTTPConnection(server.address.removeprefix("http://"), timeout=60)
        for size in (200_000, 17_000, 1_000_000, 0, 300_000):
            line.request("POST", "/", bytes(size))
            assert int(line.getresponse().read()) == size
        line.close()
