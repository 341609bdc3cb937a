"""The hand-out of keys over HTTP: a signed request in, a signed and sealed answer out."""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING

from fastapi import APIRouter, Request
from fastapi.concurrency import run_in_threadpool
from pydantic import BaseModel

from ledger.errors import BatchTooLarge, HandoutRefused, StorageError, TerminalUnknown
from ledger.http.api import COSE_BODY, described, limited_body
from ledger.http.examples import shown
from ledger.problems import MEDIA_TYPE

if TYPE_CHECKING:
    from ledger.vaults.handout import HandoutDesk


class HandoutAnswer(BaseModel):
    """The masters of a terminal's role: COSE_Sign1 of the ledger, in base64; only the device that asked opens it."""

    model_config = shown({"handout": "0oRYLaMB"})

    handout: str


def router(desk: HandoutDesk) -> APIRouter:
    """The route for terminals whose keys have newer versions."""
    routes = APIRouter(
        prefix="/v1/terminals", tags=["terminals"],
        responses=described(BatchTooLarge, MEDIA_TYPE, HandoutRefused, TerminalUnknown, StorageError),
    )  # fmt: skip

    @routes.post("/keys", openapi_extra=COSE_BODY)
    async def post_keys(request: Request) -> HandoutAnswer:
        """Hand the keys of a terminal's role out: COSE_Sign1 over CBOR [asked at, X25519 key] (see `keys.handout`)."""
        done = await run_in_threadpool(desk.hand_out, await limited_body(request))
        return HandoutAnswer(handout=base64.b64encode(done).decode())

    return routes
