"""Checkpoints and proofs over HTTP. Checkpoints are published: open to all. A proof tells of a transaction, and needs a token."""

from __future__ import annotations

from datetime import date  # noqa: TC003  FastAPI reads it
from typing import TYPE_CHECKING, Annotated, Any, Final

from fastapi import APIRouter, Path, Query
from fastapi.responses import Response
from pydantic import BaseModel

from keys.clock import date_of, day_of
from ledger.clients.scopes import Scope
from ledger.errors import CursorRefused, ProofUnknown, ScopeMissing, StorageError, TokenRefused
from ledger.http import cursors
from ledger.http.api import COSE, PageCursor, PageLimit, described, secured
from ledger.http.cursors import PAGE
from ledger.http.examples import shown
from ledger.problems import BAD_REQUEST
from ledger.proofs.book import consistency
from ledger.proofs.proving import prove_position

if TYPE_CHECKING:
    from ledger.http.api import Guard
    from ledger.proofs.book import Checkpoints
    from ledger.store import Database

POSITION_MAX: Final = (1 << 63) - 1
_LIST: Final = "checkpoints"
_LINE: Final = {"business_date": "2026-11-18", "size": 3337, "position": 4410}
_FILE: Final[dict[int | str, dict[str, Any]]] = {
    200: {"description": "The proof's file; docs/proofs.md has the format.", "content": {"application/json": {"schema": {"type": "object"}}}},
}  # fmt: skip
_SIGNED: Final[dict[int | str, dict[str, Any]]] = {
    200: {"description": "The checkpoint as it was signed (COSE_Sign1).", "content": {COSE: {"schema": {"type": "string", "format": "binary"}}}},
}  # fmt: skip


class CheckpointLine(BaseModel):
    """A checkpoint: how many leaves its tree has, and the last journal position that it covers."""

    model_config = shown(_LINE)

    business_date: date
    size: int
    position: int


class CheckpointPage(BaseModel):
    """Checkpoints, oldest first, and the cursor of the next page (null on the last one)."""

    model_config = shown({"rows": [_LINE], "next": None})

    rows: list[CheckpointLine]
    next: str | None


def router(database: Database, checkpoints: Checkpoints, guard: Guard) -> APIRouter:
    """The routes of checkpoints and proofs."""
    routes = APIRouter(tags=["proofs"])
    _add_checkpoints(routes, checkpoints)

    @routes.get(
        "/v1/checkpoints/{business_date}/consistency", response_class=Response,
        responses={**described(ProofUnknown, BAD_REQUEST, StorageError), **_FILE},
    )  # fmt: skip
    def get_consistency(
        business_date: date, since: Annotated[date, Query(description="The earlier checkpoint.")]
    ) -> Response:
        """That a checkpoint continues an earlier one: nothing that was in the books has been changed."""
        made = consistency(database, day_of(since), day_of(business_date))
        return Response(made.encode(), media_type="application/json")

    @routes.get(
        "/v1/proofs/{position}", response_class=Response, dependencies=[guard.needs(Scope.PROOFS)],
        openapi_extra=secured(Scope.PROOFS),
        responses={**described(ProofUnknown, TokenRefused, ScopeMissing, BAD_REQUEST, StorageError), **_FILE},
    )  # fmt: skip
    def get_proof(
        position: Annotated[int, Path(ge=1, le=POSITION_MAX)],
        under: Annotated[
            date | None, Query(description="The checkpoint; else the first that covers it.")
        ] = None,
        named: Annotated[bool, Query(description="Tell whose card it was.")] = False,
    ) -> Response:
        """That the group of transfers at a journal position is in the books, for anybody to check with `hebat proof verify`."""
        at = None if under is None else day_of(under)
        made = prove_position(database, position, at=at, named=named)
        return Response(made.encode(), media_type="application/json")

    return routes


def _add_checkpoints(routes: APIRouter, checkpoints: Checkpoints) -> None:
    @routes.get("/v1/checkpoints", responses=described(CursorRefused, BAD_REQUEST, StorageError))
    def get_checkpoints(limit: PageLimit = PAGE, cursor: PageCursor = "") -> CheckpointPage:
        """The checkpoints, one a closed business date."""
        behind = cursors.read(_LIST, cursor, (int,))
        after = -1 if behind is None else int(behind[0])
        found = [kept for kept in checkpoints.all() if kept.business_date > after]
        rows = [
            CheckpointLine(business_date=date_of(kept.business_date), size=kept.size, position=kept.position)
            for kept in found[:limit]
        ]
        more = len(found) > limit
        return CheckpointPage(
            rows=rows, next=cursors.written(_LIST, (found[limit - 1].business_date,)) if more else None
        )

    @routes.get(
        "/v1/checkpoints/{business_date}", response_class=Response,
        responses={**described(ProofUnknown, BAD_REQUEST, StorageError), **_SIGNED},
    )  # fmt: skip
    def get_checkpoint(business_date: date) -> Response:
        """A checkpoint as it was signed."""
        return Response(checkpoints.signed(day_of(business_date)), media_type=COSE)
