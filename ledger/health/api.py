"""Health, readiness and metrics over HTTP."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from fastapi import APIRouter, Request
from fastapi.concurrency import run_in_threadpool
from fastapi.responses import JSONResponse, PlainTextResponse, Response
from pydantic import BaseModel

from ledger.clients.scopes import Scope
from ledger.errors import ScopeMissing, StorageError, TokenRefused
from ledger.health.metrics import CONTENT_TYPE
from ledger.http.api import answer, described
from ledger.http.examples import shown
from ledger.problems import NOT_FOUND, ROOT, UNREADY, problem_types
from ledger.worklist import store as worklist

if TYPE_CHECKING:
    from collections.abc import Callable

    from ledger.book import Ledger
    from ledger.health.metrics import Metrics
    from ledger.health.readiness import Readiness
    from ledger.http.api import Guard

_LOOPBACK: Final = {"127.0.0.1", "::1"}
_FORWARDED: Final = ("forwarded", "x-forwarded-for", "x-real-ip")


class Health(BaseModel):
    """The process answers."""

    model_config = shown({"status": "ok"})

    status: str


class Readable(BaseModel):
    """The ledger can take work; the lag is what a unit waits, in milliseconds."""

    model_config = shown({"status": "ready", "lag_ms": 3})

    status: str
    lag_ms: int


def router(
    ledger: Ledger,
    readiness: Readiness,
    metrics: Metrics,
    guard: Guard,
    state: Callable[[], dict[str, float]],
) -> APIRouter:
    """The routes of health. `state` gives what the metrics show besides counts: names of `Metrics.state`."""
    routes = APIRouter(tags=["health"])

    @routes.get("/health", responses=described())
    async def get_health() -> Health:
        """The process answers: restart it where this fails."""
        return Health(status="ok")

    @routes.get("/ready", response_model=Readable, responses=described(UNREADY))
    def get_readiness() -> JSONResponse:
        """The ledger can take work: database, writer, lag, disk. Send no work where this fails."""
        found = readiness.look()
        if found.failing:
            return answer(
                UNREADY.problem(
                    "the ledger takes no work now: look at what fails", failing=list(found.failing)
                )
            )
        return JSONResponse({"status": "ready", "lag_ms": round(found.lag * 1000)})

    def measured() -> bytes:
        with ledger.database.transaction() as connection:
            quarantined, raised = worklist.counts(connection)
        head = ledger.head()
        metrics.state(
            quarantine_open=quarantined, exceptions=raised, position=head.position, block=head.block,
            ready=0 if readiness.look().failing else 1, **state(),
        )  # fmt: skip
        return metrics.exposition()

    @routes.get(
        "/metrics", response_class=PlainTextResponse, openapi_extra={"security": [{}, {"token": [Scope.METRICS.value]}]},
        responses=described(TokenRefused, ScopeMissing, StorageError),
    )  # fmt: skip
    async def get_metrics(request: Request) -> Response:
        """Prometheus metrics: for this machine itself, and for who has the scope."""
        if not _is_local(request):
            await guard.admit(request, Scope.METRICS)
        return Response(await run_in_threadpool(measured), media_type=CONTENT_TYPE)

    _add_problems(routes)
    return routes


def _is_local(request: Request) -> bool:
    """True for a caller on this machine that speaks for itself: a proxy's caller is elsewhere."""
    forwarded = any(name in request.headers for name in _FORWARDED)
    return request.client is not None and request.client.host in _LOOPBACK and not forwarded


def _add_problems(routes: APIRouter) -> None:
    known = {kind.name: kind for kind in problem_types()}

    @routes.get(ROOT + "{name}", response_class=PlainTextResponse, responses=described(NOT_FOUND))
    async def get_problem(name: str) -> Response:
        """What a problem's type means."""
        kind = known.get(name)
        if kind is None:
            return answer(NOT_FOUND.problem("no problem has this name: docs/problems.md lists them"))
        return PlainTextResponse(f"{kind.title} ({kind.status})\n\n{kind.meaning}\n")
