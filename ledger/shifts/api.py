"""Cashing up over HTTP."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fastapi import APIRouter, Request
from fastapi.concurrency import run_in_threadpool
from pydantic import BaseModel

from ledger.http.api import COSE_BODY, described, limited_body
from ledger.http.examples import shown
from ledger.intake.api import SIGNED

if TYPE_CHECKING:
    from ledger.shifts.desk import ShiftDesk


class ShiftLine(BaseModel):
    """How often something is in the books, and for how much (whole rupiah)."""

    model_config = shown({"kind": "fare", "count": 214, "amount": 641_000})

    kind: str
    count: int
    amount: int


class ShiftFigures(BaseModel):
    """What the books have of a span of a terminal's records; `kept` are in quarantine, `missing` did not come yet."""

    model_config = shown(
        {"lines": [{"kind": "fare", "count": 214, "amount": 641_000}], "kept": 0, "missing": 0}
    )

    lines: list[ShiftLine]
    kept: int
    missing: int


def router(desk: ShiftDesk) -> APIRouter:
    """The routes for terminals that cash up."""
    routes = APIRouter(
        prefix="/v1/shifts", tags=["terminals"],
        responses=described(*SIGNED),
    )  # fmt: skip

    @routes.post("", openapi_extra=COSE_BODY)
    async def post_shift(request: Request) -> ShiftFigures:
        """What the books have of this terminal's own records: COSE_Sign1 over CBOR [first, last, asked at]."""
        found = await run_in_threadpool(desk.figures, await limited_body(request))
        return ShiftFigures.model_validate(found.as_json())

    return routes
