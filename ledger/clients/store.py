"""Reading and writing clients."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import sqlalchemy as sa

from keys.clock import UnixMs
from ledger.clients.tables import clients
from ledger.schema import columns_of, values_of
from ledger.tables import WHOLE

if TYPE_CHECKING:
    from ledger.store import Connection


@dataclass(frozen=True, slots=True)
class ClientRow:
    """A client as stored; `revoked_at` is 0 while it is in use."""

    name: str
    token_digest: bytes
    scopes: str
    party: str
    created_at: UnixMs
    revoked_at: UnixMs = UnixMs(0)  # noqa: RUF009  an int by another name


def insert_client(connection: Connection, row: ClientRow) -> None:
    """Take a client in."""
    values = values_of(row)
    connection.execute(sa.insert(clients), {"partition": WHOLE, **values})


def read_clients(connection: Connection) -> list[ClientRow]:
    """All clients, revoked ones too, by name."""
    columns = columns_of(clients, ClientRow)
    query = sa.select(*columns).where(clients.c.partition == WHOLE).order_by(clients.c.name)
    return [
        ClientRow(name, bytes(digest), scopes, party, UnixMs(created), UnixMs(revoked))
        for name, digest, scopes, party, created, revoked in connection.execute(query)
    ]


def revoke_client(connection: Connection, name: str, at: UnixMs) -> None:
    """A client's token opens nothing from now on."""
    connection.execute(
        sa.update(clients).where(clients.c.partition == WHOLE, clients.c.name == name).values(revoked_at=at)
    )
