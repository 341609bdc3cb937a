"""A ledger behind a real HTTP server, without a city: wallets, clients, keys."""

from __future__ import annotations

from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Self
from uuid import uuid4

import httpx2

from card.layout import card_number
from hebat.application import framework
from hebat.serving import LoopbackServer
from keys.clock import SystemClock
from ledger.api import Rooms, mount
from ledger.bundles import tables as bundle_tables
from ledger.cardholder import tables as cardholder_tables
from ledger.clients import tables as client_tables
from ledger.history import api as history_api
from ledger.history import tables as history_tables
from ledger.history.book import History
from ledger.history.indexing import Indexer
from ledger.intake import tables as intake_tables
from ledger.orders import tables as order_tables
from ledger.orders.order import wallet_of
from ledger.wallets import api as wallets_api
from ledger.wallets import tables as wallet_tables
from ledger.wallets.desk import WalletDesk
from tests.ledger.tokens import bearer, token
from tests.ledger.units import Gate

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ledger.book import Ledger
    from ledger.chart import AccountId
    from ledger.clients.scopes import Party, Scope
    from ledger.http.front import Front
    from ledger.store import Database

TABLES = (
    intake_tables.metadata,
    bundle_tables.metadata,
    history_tables.metadata,
    client_tables.metadata,
    order_tables.metadata,
    wallet_tables.metadata,
    cardholder_tables.metadata,
)
MERCHANT: dict[str, Any] = {"kind": "merchant", "number": 502}
BANK: dict[str, Any] = {"kind": "bank", "number": 9}


def add_tables(database: Database) -> None:
    """The tables beside the journal's that the routes need."""
    with database.writing() as connection:
        for metadata in TABLES:
            metadata.create_all(connection)


def card(serial: int) -> str:
    return str(card_number(9, serial))


def order(serial: int, amount: int, party: dict[str, Any] = MERCHANT) -> dict[str, Any]:
    return {"card": card(serial), "party": party, "amount": amount}


def wallet(serial: int) -> AccountId:
    return wallet_of(card(serial))


@dataclass
class Partner:
    """A partner's system: its token, and a key of its own for every call."""

    http: httpx2.Client

    def post(self, path: str, body: dict[str, Any] | None = None, key: str | None = None) -> httpx2.Response:
        headers = {"Idempotency-Key": uuid4().hex if key is None else key}
        return self.http.post(path, json=body, headers=headers)

    def fund(self, serial: int, amount: int) -> None:
        answer = self.post("/v1/credits", order(serial, amount, BANK))
        assert answer.status_code == 201, answer.text


@contextmanager
def standing_still(ledger: Ledger) -> Iterator[None]:
    """The writer stands still while the context lasts."""
    gate = Gate(ledger)
    try:
        yield
    finally:
        gate.let_go()
        gate.answer.result(30)


class Served:
    """The ledger's own routes over a socket while the context lasts."""

    def __init__(self, ledger: Ledger) -> None:
        self.ledger = ledger
        add_tables(ledger.database)
        self.rooms = Rooms.of(ledger)
        application = framework()
        application.include_router(history_api.router(History(ledger.database), self.rooms.guard))
        application.include_router(
            wallets_api.router(
                ledger,
                WalletDesk(ledger, SystemClock()),
                self.rooms.payments,
                self.rooms.guard,
                self.rooms.hot,
            )
        )
        self.front: Front = mount(application, self.rooms)
        self.indexer = Indexer(ledger.database, lambda: ledger.head().position)
        self.server = LoopbackServer(self.front)
        self._open = ExitStack()

    def __enter__(self) -> Self:
        self._open.enter_context(self.server)
        return self

    def __exit__(self, *_: object) -> None:
        self._open.close()

    def client(self, name: str, *scopes: Scope, party: Party | None = None) -> Partner:
        made = token(self.ledger.database, name, *scopes, party=party)
        http = httpx2.Client(base_url=self.server.address, timeout=60, headers=bearer(made))
        return Partner(self._open.enter_context(http))
