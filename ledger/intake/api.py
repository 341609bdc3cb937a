"""Signed batches over HTTP: a terminal's signature is its only credential."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from fastapi import APIRouter, Request
from fastapi.concurrency import run_in_threadpool
from pydantic import BaseModel

from ledger.errors import (
    BatchConflict,
    BatchMalformed,
    BatchOutOfOrder,
    BatchTooLarge,
    SignatureRefused,
    StorageError,
    TerminalUnknown,
)
from ledger.http.api import COSE_BODY, Gate, answered_by, as_response, described, limited_body
from ledger.http.asgi import Reply
from ledger.http.examples import shown
from ledger.problems import MEDIA_TYPE

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from fastapi import Response

    from ledger.http.front import HotRoutes
    from ledger.intake.receive import Intake

BATCHES_MAX: Final = 64
"""Batches under way: each holds its body, at most 1 MiB, and what it decodes to."""
SIGNED: Final = (
    BatchMalformed, BatchTooLarge, MEDIA_TYPE, SignatureRefused, StorageError, TerminalUnknown,
)  # fmt: skip


class RecordResult(BaseModel):
    """What became of one record."""

    model_config = shown({"sequence": 41, "result": "posted", "reason": None})

    sequence: int
    result: str
    reason: str | None = None


class BatchAnswer(BaseModel):
    """One result a record, and the signed receipt (COSE_Sign1, base64)."""

    model_config = shown({"results": [{"sequence": 41, "result": "posted"}], "receipt": "0oRYJKMBJwRBAA=="})

    results: list[RecordResult]
    receipt: str


def router(
    intake: Intake, hot: HotRoutes, sweep: Callable[[], object], taken: Callable[[Mapping[str, int]], None]
) -> APIRouter:
    """The routes of batches. `sweep` ends loads whose time is over; `taken` is told how many records of each batch had each result."""
    routes = APIRouter(tags=["terminals"])
    gate = Gate("batches", BATCHES_MAX)

    def take(body: bytes) -> bytes:
        """On a thread: one hop for the whole batch."""
        answer = intake.receive(body)
        sweep()
        taken(answer.outcomes.counted())
        return answer.encoded()

    async def batch(request: Request) -> Reply:
        with gate:
            return Reply(await run_in_threadpool(take, await limited_body(request)))

    hot.add("POST", "/v1/batches", answered_by(batch))

    @routes.post(
        "/v1/batches", response_model=BatchAnswer, openapi_extra=COSE_BODY,
        responses=described(*SIGNED, BatchConflict, BatchOutOfOrder),
    )  # fmt: skip
    async def post_batch(request: Request) -> Response:
        """Take a signed batch in: COSE_Sign1 over CBOR (see `card.batch`)."""
        return as_response(await batch(request))

    return routes
