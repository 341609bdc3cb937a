"""The ledger over HTTP: every room's routes put together, behind one front door."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from fastapi.responses import JSONResponse

from ledger.books import api as books
from ledger.clients.register import Clients
from ledger.health import api as health
from ledger.health.metrics import Metrics
from ledger.health.readiness import Readiness
from ledger.http.api import Guard, install_problems
from ledger.http.description import complete
from ledger.http.front import Front, HotRoutes
from ledger.orders import api as orders
from ledger.orders import bodies
from ledger.orders.desk import OrderDesk
from ledger.wallets import bodies as wallet_bodies
from ledger.wallets.paying import Payments
from ledger.worklist import api as worklist

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from fastapi import FastAPI

    from ledger.book import Ledger


@dataclass(frozen=True, slots=True)
class Rooms:
    """What the routes of one server share."""

    ledger: Ledger
    guard: Guard
    hot: HotRoutes
    metrics: Metrics
    desk: OrderDesk
    payments: OrderDesk
    readiness: Readiness

    @classmethod
    def of(cls, ledger: Ledger, folder: Path | None = None) -> Rooms:
        """The rooms over a ledger; `folder` is where its files lie, whose disk must have room."""
        metrics = Metrics()
        desk = OrderDesk(ledger.writer, metrics.committed)
        payments = OrderDesk(ledger.writer, metrics.committed, unit=Payments)
        guard = Guard(Clients(ledger.database))
        return cls(ledger, guard, HotRoutes(), metrics, desk, payments, Readiness(ledger, folder))


def mount(
    application: FastAPI, rooms: Rooms, state: Callable[[], dict[str, float]] = dict, *, tls: bool = False
) -> Front:
    """Give an application the ledger's own routes; what to serve is the front door. `state` adds to the metrics; `tls` as for `Front`."""
    ledger, guard, hot, metrics = rooms.ledger, rooms.guard, rooms.hot, rooms.metrics
    front = Front(application, hot, metrics.called, tls=tls)

    def now() -> dict[str, float]:
        return {
            "queue_length": rooms.desk.waiting + rooms.payments.waiting,
            "calls_under_way": front.under_way,
            **state(),
        }

    install_problems(application)
    application.include_router(health.router(ledger, rooms.readiness, metrics, guard, now))
    application.include_router(books.router(ledger, guard, hot))
    application.include_router(orders.router(ledger, rooms.desk, guard, hot, metrics.ordered))
    application.include_router(worklist.router(ledger.database, guard))
    _describe(application)
    return front


def _describe(application: FastAPI) -> None:
    """Complete the description in the way that FastAPI documents: by replacing the method that makes it."""
    framework = application.openapi

    def described() -> dict[str, Any]:
        if application.openapi_schema is None:
            complete(framework(), (*bodies.BODIES, *wallet_bodies.BODIES))
        return framework()

    application.openapi = described  # type: ignore[method-assign]

    # Made on a thread, for it takes a while the first time; the framework's own route would hold all others up.
    @application.get("/openapi.json", include_in_schema=False)
    def get_description() -> JSONResponse:
        """The description of this API."""
        return JSONResponse(described())
