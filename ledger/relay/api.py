"""Relayed loads over HTTP: a kiosk's signature is its only credential."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Final

from fastapi import APIRouter, Request
from fastapi.concurrency import run_in_threadpool
from fastapi.responses import JSONResponse
from pydantic import BaseModel

from ledger.errors import LoadRefused, LoadSessionGone, LoadStepRefused
from ledger.http.api import COSE_BODY, Gate, described, limited_body
from ledger.http.examples import shown
from ledger.intake.api import SIGNED

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from ledger.relay.desk import LoadDesk

LOADS_MAX: Final = 64
"""Steps of loads under way."""
_EXAMPLE: Final = {
    "session": "5f0c6c1e", "step": 1, "authorisation": 40213, "apdus": ["905a00000353484b00"], "outcome": None,
}  # fmt: skip


class LoadOutcome(BaseModel):
    """How a load ended; `receipt` is the ledger's (COSE_Sign1, base64), empty where nothing is proven."""

    colour: str
    reason: str
    detail: str
    amount: int
    balance: int | None
    sequence: int
    receipt: str


class LoadStep(BaseModel):
    """The commands (hexadecimal) that the kiosk has to send to the card next, and how the load ended once it did."""

    model_config = shown(_EXAMPLE)

    session: str
    step: int
    authorisation: int
    apdus: list[str]
    outcome: LoadOutcome | None


class Waiting(BaseModel):
    """The cards (UIDs, hexadecimal) for which a load waits that their holders ordered."""

    model_config = shown({"uids": ["04a1b2c3d4e5f6"]})

    uids: list[str]


def router(desk: LoadDesk) -> APIRouter:
    """The routes of loads."""
    routes = APIRouter(tags=["terminals"])
    gate = Gate("loads", LOADS_MAX)

    async def begun(request: Request) -> JSONResponse:
        with gate:
            body = await limited_body(request)
            return JSONResponse((await run_in_threadpool(desk.begin, body)).as_json())

    _beginnings(routes, begun)

    @routes.post(
        "/v1/loads/waiting",
        response_model=Waiting,
        openapi_extra=COSE_BODY,
        responses=described(*SIGNED, LoadRefused),
    )
    async def post_waiting_loads(request: Request) -> Waiting:
        """For which cards a load waits, so that a terminal need not ask at each tap."""
        with gate:
            uids = await run_in_threadpool(desk.waiting, await limited_body(request))
            return Waiting(uids=[uid.hex() for uid in uids])

    @routes.post(
        "/v1/loads/step", response_model=LoadStep, openapi_extra=COSE_BODY,
        responses=described(*SIGNED, LoadSessionGone, LoadStepRefused),
    )  # fmt: skip
    async def post_load_step(request: Request) -> JSONResponse:
        """Go on with a load: the card's answers to the last commands."""
        with gate:
            body = await limited_body(request)
            return JSONResponse((await run_in_threadpool(desk.step, body)).as_json())

    return routes


def _beginnings(routes: APIRouter, begun: Callable[[Request], Awaitable[JSONResponse]]) -> None:
    """What a terminal may ask of the ledger for a card in its reader."""
    begins = partial(
        routes.post,
        response_model=LoadStep,
        openapi_extra=COSE_BODY,
        responses=described(*SIGNED, LoadRefused),
    )

    @begins("/v1/loads")
    async def post_load(request: Request) -> JSONResponse:
        """Begin a cash load: a hold that the card's evidence completes or voids, and the first commands for the card."""
        return await begun(request)

    @begins("/v1/refunds")
    async def post_refund(request: Request) -> JSONResponse:
        """Begin to give a sale back to its card, as a load begins; it goes on at /v1/loads/step."""
        return await begun(request)

    @begins("/v1/locks")
    async def post_lock(request: Request) -> JSONResponse:
        """Begin to lock a blocked card that a terminal without the debit key sees; it goes on at /v1/loads/step."""
        return await begun(request)

    @begins("/v1/loads/ordered")
    async def post_ordered_load(request: Request) -> JSONResponse:
        """Begin to write what a card's holder ordered from the wallet; it goes on at /v1/loads/step."""
        return await begun(request)
