"""The HTTP application: the ledger's API, the balance page, the night's pages."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fastapi import FastAPI

from ledger import api as ledger_api
from ledger import web as ledger_web
from ledger.bundles import api as bundles_api
from ledger.enrolment import api as enrolment_api
from settlement import web as settlement_web

if TYPE_CHECKING:
    from hebat.wiring import City


def application(city: City) -> FastAPI:
    """Everything that one server answers."""
    served = FastAPI(
        title="Kartu Semarang Hebat",
        version="0.1.0",
        openapi_url="/openapi.json",
        docs_url=None,
        redoc_url=None,
    )
    ledger_api.install_problems(served)
    served.include_router(ledger_api.health())
    served.include_router(ledger_api.router(city.ledger, city.intake, city.desk))
    served.include_router(bundles_api.router(city.shelf, city.clock))
    served.include_router(enrolment_api.router(city.enrolment))
    served.include_router(ledger_web.router(city.ledger, city.registry))
    served.include_router(settlement_web.router(city.ledger.database, city.configuration.participants))
    return served
