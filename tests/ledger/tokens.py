"""Clients with tokens, as tests need them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from keys.clock import UnixMs
from ledger.clients.register import add_client
from ledger.clients.scopes import Party, Scope

if TYPE_CHECKING:
    from hebat.wiring import City
    from ledger.store import Database


def bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}


def token(database: Database, name: str, *scopes: Scope, party: Party | None = None) -> str:
    return add_client(database, name, scopes or tuple(Scope), UnixMs(1), party)


def staff(city: City) -> dict[str, str]:
    """The headers of somebody who may do everything."""
    return bearer(token(city.ledger.database, "staff"))
