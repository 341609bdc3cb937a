"""The route for banks' notices: `POST /banks/{bank}/v1.0/transfer-va/payment`, the server's side of SNAP."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fastapi import APIRouter, Request
from fastapi.concurrency import run_in_threadpool
from fastapi.responses import Response

from ledger.http.api import limited_body
from settlement.snap.calls import Call
from settlement.snap.fields import BODY_BYTES_MAX

if TYPE_CHECKING:
    from settlement.banks.notices import Notices


def router(notices: Notices) -> APIRouter:
    """The route over a city's notices; not described to partners: the standard does that."""
    routes = APIRouter(include_in_schema=False)

    @routes.post("/banks/{bank}/v1.0/transfer-va/payment")
    async def notice(bank: str, request: Request) -> Response:
        """A payment into a virtual account; answered once it is in the books."""
        body = await limited_body(request, "application/json", BODY_BYTES_MAX)
        call = Call("POST", request.url.path, dict(request.headers), body)
        reply = await run_in_threadpool(notices.handle, bank, call)
        return Response(reply.body, reply.status, dict(reply.headers))

    return routes
