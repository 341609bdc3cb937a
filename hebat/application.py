"""The HTTP application: the ledger's API, the balance page, the night's pages."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fastapi import FastAPI

from hebat.settings import read_settings
from hebat.wiring import outside
from keys.bundle import BundleKind
from keys.identity import TerminalRole
from ledger import api as ledger_api
from ledger.api import Rooms
from ledger.bundles import api as bundles_api
from ledger.cardholder import web as cardholder_web
from ledger.enrolment import api as enrolment_api
from ledger.history import api as history_api
from ledger.http.api import install_problems
from ledger.http.description import SUMMARY
from ledger.http.front import Front
from ledger.intake import api as intake_api
from ledger.proofs import api as proofs_api
from ledger.relay import api as relay_api
from ledger.shifts import api as shifts_api
from ledger.vaults import api as handout_api
from ledger.wallets import api as wallets_api
from settlement.banks import api as banks_api
from settlement.console import web as console_web
from settlement.console.console import Console
from settlement.console.scanning import scanner_at

if TYPE_CHECKING:
    from hebat.wiring import City


def framework() -> FastAPI:
    """An application without a route yet, named and described as ours."""
    return FastAPI(
        title="Kartu Semarang Hebat", version="0.1.0", summary=SUMMARY, openapi_url=None, docs_url=None,
        redoc_url=None, redirect_slashes=False, generate_unique_id_function=lambda route: route.name,
    )  # fmt: skip


def application(city: City) -> Front:
    """Everything that one server answers."""
    served = framework()
    rooms = Rooms.of(city.ledger, city.folder.root)

    def state() -> dict[str, float]:
        newest = city.shelf.newest(TerminalRole.VALIDATOR.value)
        closed = city.ledger.windows()
        done = city.checkpoints.all()
        at = {window.business_date: window.closed_at for window in closed}
        last = at.get(done[-1].business_date, 0) / 1000 if done else 0
        return {"hotlist_number": newest.get(BundleKind.HOTLIST, 0), "last_checkpoint_seconds": last}

    _for_terminals(served, city, rooms)
    served.include_router(history_api.router(city.history, rooms.guard))
    served.include_router(
        wallets_api.router(city.ledger, city.wallets, rooms.payments, rooms.guard, rooms.hot)
    )
    served.include_router(proofs_api.router(city.ledger.database, city.checkpoints, rooms.guard))
    if city.banking is not None:
        served.include_router(banks_api.router(city.banking.notices))
    served.include_router(cardholder_web.router(city.cardholders))
    reached, console = outside(), Console(city.staff_desk, scanner_at(read_settings().scanner))
    served.include_router(console_web.router(console, reached.proxies))
    return ledger_api.mount(served, rooms, state, tls=reached.secure)


def terminals_door(city: City) -> Front:
    """What a server answers to terminals, and nothing else: made in a fraction of the time, for a city that is started over and over."""
    served, rooms = framework(), Rooms.of(city.ledger, city.folder.root)
    _for_terminals(served, city, rooms)
    install_problems(served)
    return Front(served, rooms.hot, rooms.metrics.called)


def _for_terminals(served: FastAPI, city: City, rooms: Rooms) -> None:
    served.include_router(intake_api.router(city.intake, rooms.hot, city.desk.sweep, rooms.metrics.took))
    served.include_router(relay_api.router(city.desk))
    served.include_router(bundles_api.router(city.shelf, city.clock))
    served.include_router(enrolment_api.router(city.enrolment))
    served.include_router(shifts_api.router(city.shifts))
    served.include_router(handout_api.router(city.handout))
