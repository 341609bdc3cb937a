"""Who has which token: made once, shown once, stored as a digest, known again in constant time.

A token is `ksh.NAME.SECRET` with 32 random bytes in its secret: too many to guess, so that one SHA-256 is digest enough (a slow
hash protects what people choose). Revocation by another process holds within `FRESH_SECONDS`.
"""

from __future__ import annotations

import hashlib
import hmac
import re
import secrets
import time
from typing import TYPE_CHECKING, Final

from ledger.clients import store
from ledger.clients.scopes import Client, Party, Scope
from ledger.clients.store import ClientRow
from ledger.errors import ClientUnknown, ScopeMissing, TokenRefused

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from keys.clock import UnixMs
    from ledger.store import Database

FRESH_SECONDS: Final = 1.0
SECRET_BYTES: Final = 32
TOKEN_CHARS_MAX: Final = 120
CLIENTS_MAX: Final = 1000
_NAME: Final = re.compile(r"[a-z0-9][a-z0-9-]{0,39}\Z")
_NOBODY: Final = (bytes(32), None)


def add_client(
    database: Database, name: str, scopes: Iterable[Scope], at: UnixMs, party: Party | None = None
) -> str:
    """Make a client; its token, which is stored nowhere. Raises ClientUnknown for a name that is taken or none."""
    if not _NAME.match(name):
        raise ClientUnknown(f"{name!r} is no name for a client: 1 to 40 of a-z, 0-9 and -")
    token = f"ksh.{name}.{secrets.token_urlsafe(SECRET_BYTES)}"
    row = ClientRow(name, _digest(token), ",".join(sorted(set(scopes))), str(party or ""), at)
    with database.writing() as connection:
        known = store.read_clients(connection)
        if name in {client.name for client in known}:
            raise ClientUnknown(
                f"there is a client {name} already: take another name, also after a revocation"
            )
        if len(known) >= CLIENTS_MAX:
            raise ClientUnknown(f"there are {CLIENTS_MAX} clients, as many as may be")
        store.insert_client(connection, row)
    return token


def list_clients(database: Database) -> list[ClientRow]:
    """All clients, revoked ones too."""
    with database.transaction() as connection:
        return store.read_clients(connection)


def revoke_client(database: Database, name: str, at: UnixMs) -> None:
    """A client's token opens nothing any more; raises ClientUnknown."""
    with database.writing() as connection:
        known = {client.name: client for client in store.read_clients(connection)}
        if name not in known:
            raise ClientUnknown(f"there is no client {name}: `hebat clients list` shows them")
        if not known[name].revoked_at:
            store.revoke_client(connection, name, at)


class Clients:
    """The clients in use, as one server process knows them: read again once a second."""

    def __init__(self, database: Database, ticks: Callable[[], float] = time.monotonic) -> None:
        self._database = database
        self._ticks = ticks
        self._known: dict[str, tuple[bytes, Client | None]] = {}
        self._read_at = float("-inf")

    def older_than(self, seconds: float) -> bool:
        """True where the list was read longer ago than that."""
        return self._ticks() - self._read_at > seconds

    def reload(self) -> None:
        """Read the list again; raises StorageError where the database does not answer: nobody is let in then."""
        at = self._ticks()
        self._known = {row.name: (row.token_digest, _client(row)) for row in list_clients(self._database)}
        self._read_at = at

    def known(self, authorisation: str) -> Client:
        """Whose token an Authorization header (RFC 6750) holds; raises TokenRefused."""
        kind, _, token = authorisation.partition(" ")
        token = token.strip()
        if kind.lower() != "bearer" or not token or len(token) > TOKEN_CHARS_MAX:
            raise TokenRefused("send `Authorization: Bearer` and your token: the operator makes one")
        parts = token.split(".")
        stored, client = self._known.get(parts[1] if len(parts) == 3 else "", _NOBODY)  # noqa: PLR2004  ksh.NAME.SECRET
        # The comparison takes as long for a wrong token, and for nobody's.
        if not hmac.compare_digest(_digest(token), stored) or client is None:
            raise TokenRefused("the token is not known, or was revoked: ask the operator for another")
        return client

    def allowed(self, authorisation: str, scope: Scope) -> Client:
        """The client, where it may do this; raises TokenRefused, ScopeMissing."""
        return needed(self.known(authorisation), scope)


def needed(client: Client, scope: Scope) -> Client:
    """A client that is known, where it may do this; raises ScopeMissing."""
    if not client.may(scope):
        raise ScopeMissing(f"{client.name} may not do this: it needs a token with the scope {scope}")
    return client


def _digest(token: str) -> bytes:
    return hashlib.sha256(token.encode("utf-8", "surrogateescape")).digest()


def _client(row: ClientRow) -> Client | None:
    if row.revoked_at:
        return None
    scopes = frozenset(Scope(name) for name in row.scopes.split(",") if name)
    return Client(row.name, scopes, Party.read(row.party) if row.party else None)
