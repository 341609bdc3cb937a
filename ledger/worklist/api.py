"""The worklist over HTTP: what was not posted, and what posted records left to explain."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Final

from fastapi import APIRouter, Query
from pydantic import BaseModel

from ledger.clients.scopes import Scope
from ledger.errors import CursorRefused, ScopeMissing, StorageError, TokenRefused
from ledger.http import cursors
from ledger.http.api import PageCursor, PageLimit, described, secured
from ledger.http.cursors import PAGE
from ledger.http.examples import shown
from ledger.intake.reasons import ExceptionKind, Reason  # noqa: TC001  FastAPI reads them
from ledger.problems import BAD_REQUEST
from ledger.worklist import store
from ledger.worklist.store import Filters

if TYPE_CHECKING:
    from ledger.http.api import Guard
    from ledger.intake.quarantine.store import ExceptionRow, QuarantineRow
    from ledger.store import Database

_QUARANTINED: Final = {
    "terminal": 1050, "sequence": 41, "reason": "tmv_wrong", "detail": "the card's MAC does not fit", "amount": -350000,
    "received_at": 1763450000000, "resolution": "",
}  # fmt: skip
_RAISED: Final = {
    "terminal": 1050, "sequence": 42, "kind": "negative_shadow", "detail": "the purse is at -Rp1.000",
    "raised_at": 1763450000000,
}  # fmt: skip
TerminalFilter = Annotated[int, Query(ge=0, lt=1 << 63, description="One terminal's only; 0 for all.")]


class Quarantined(BaseModel):
    """A record that was not posted, and how it was settled ("" while open); amount in sen."""

    model_config = shown(_QUARANTINED)

    terminal: int
    sequence: int
    reason: str
    detail: str
    amount: int
    received_at: int
    resolution: str


class QuarantinePage(BaseModel):
    """Rows, oldest first, and the cursor of the next page (null on the last one)."""

    model_config = shown({"rows": [_QUARANTINED], "next": None})

    rows: list[Quarantined]
    next: str | None


class Exceptional(BaseModel):
    """Something about a posted record that somebody must explain."""

    model_config = shown(_RAISED)

    terminal: int
    sequence: int
    kind: str
    detail: str
    raised_at: int


class ExceptionPage(BaseModel):
    """Rows, oldest first, and the cursor of the next page (null on the last one)."""

    model_config = shown({"rows": [_RAISED], "next": None})

    rows: list[Exceptional]
    next: str | None


def router(database: Database, guard: Guard) -> APIRouter:
    """The routes of the worklist."""
    routes = APIRouter(
        tags=["worklist"], dependencies=[guard.needs(Scope.WORKLIST)],
        responses=described(TokenRefused, ScopeMissing, CursorRefused, BAD_REQUEST, StorageError),
    )  # fmt: skip

    @routes.get("/v1/quarantine", openapi_extra=secured(Scope.WORKLIST))
    def get_quarantine(
        limit: PageLimit = PAGE,
        cursor: PageCursor = "",
        terminal: TerminalFilter = 0,
        reason: Reason | None = None,
        only_open: bool = False,
    ) -> QuarantinePage:
        """Records that were not posted."""
        filters = Filters(terminal, reason or "", only_open)
        behind = cursors.read(f"quarantine {filters}", cursor, (int, int, int))
        with database.transaction() as connection:
            rows = store.quarantine_page(connection, filters, behind, limit + 1)
        last = _quarantine_key(rows[limit - 1]) if len(rows) > limit else None
        return QuarantinePage(
            rows=[_quarantined(row) for row in rows[:limit]],
            next=None if last is None else cursors.written(f"quarantine {filters}", last),
        )

    @routes.get("/v1/exceptions", openapi_extra=secured(Scope.WORKLIST))
    def get_exceptions(
        limit: PageLimit = PAGE,
        cursor: PageCursor = "",
        terminal: TerminalFilter = 0,
        kind: ExceptionKind | None = None,
    ) -> ExceptionPage:
        """What posted records left to explain."""
        filters = Filters(terminal, kind or "")
        behind = cursors.read(f"exceptions {filters}", cursor, (int, int, int, int, int, str))
        with database.transaction() as connection:
            rows = store.exceptions_page(connection, filters, behind, limit + 1)
        last = _exception_key(rows[limit - 1]) if len(rows) > limit else None
        return ExceptionPage(
            rows=[_raised(row) for row in rows[:limit]],
            next=None if last is None else cursors.written(f"exceptions {filters}", last),
        )

    return routes


def _quarantine_key(row: QuarantineRow) -> tuple[int, int, int]:
    return row.received_at, row.terminal, row.sequence


def _exception_key(row: ExceptionRow) -> tuple[int, int, int, int, int, str]:
    return row.raised_at, row.terminal, row.sequence, row.uid, row.tmc, row.kind.value


def _quarantined(row: QuarantineRow) -> Quarantined:
    return Quarantined(
        terminal=row.terminal, sequence=row.sequence, reason=row.reason, detail=row.detail, amount=row.amount,
        received_at=row.received_at, resolution=row.resolution,
    )  # fmt: skip


def _raised(row: ExceptionRow) -> Exceptional:
    return Exceptional(
        terminal=row.terminal,
        sequence=row.sequence,
        kind=row.kind,
        detail=row.detail,
        raised_at=row.raised_at,
    )
