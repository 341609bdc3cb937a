"""The partner bank over HTTP, as an ASGI application: slow where it is told to be, and with a line that drops where an answer is to be lost."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, Final

from settlement.partner_bank.bank import NoAnswer
from settlement.snap.calls import Call, Reply
from settlement.snap.fields import BODY_BYTES_MAX

if TYPE_CHECKING:
    from settlement.partner_bank.bank import PartnerBank

TOO_LARGE: Final = Reply(413, b"")


class BankApplication:
    """Answers over HTTP what the bank answers. `pause_seconds` before each answer."""

    def __init__(self, bank: PartnerBank, pause_seconds: float = 0) -> None:
        self._bank = bank
        self._pause = pause_seconds

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """One request (ASGI 3)."""
        body = b""
        while True:
            part = await receive()
            body += part.get("body", b"")
            if len(body) > BODY_BYTES_MAX or not part.get("more_body"):
                break
        headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]}
        query = scope["query_string"].decode("latin-1")
        path = scope["path"] + (f"?{query}" if query else "")
        if len(body) > BODY_BYTES_MAX:
            await _answer(send, TOO_LARGE)
            return
        try:
            reply = await asyncio.to_thread(self._bank.handle, Call(scope["method"], path, headers, body))
        except NoAnswer:
            # A body that ends before its length makes the server let the line drop.
            await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"1")]})
            await send({"type": "http.response.body", "body": b""})
            return
        await asyncio.sleep(self._pause)
        await _answer(send, reply)


async def _answer(send: Any, reply: Reply) -> None:
    headers = {**reply.headers, "Content-Length": str(len(reply.body))}
    raw = [(name.lower().encode("latin-1"), value.encode("latin-1")) for name, value in headers.items()]
    await send({"type": "http.response.start", "status": reply.status, "headers": raw})
    await send({"type": "http.response.body", "body": reply.body})
