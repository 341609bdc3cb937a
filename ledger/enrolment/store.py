"""Reading and writing what the ledger knows of terminals: certificates, revocations, invitations, and what each moved in a day."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from keys.clock import Day, UnixMs
from ledger.intake import tables
from ledger.schema import columns_of, values_of
from ledger.tables import WHOLE
from ledger.watch import store as watch

if TYPE_CHECKING:
    from collections.abc import Iterator


@dataclass(frozen=True, slots=True)
class TerminalRow:
    """A terminal: its newest certificate (PEM), and when it was revoked (0: it is not)."""

    terminal: int
    certificate: bytes
    revoked_at: UnixMs


@dataclass(frozen=True, slots=True)
class InvitationRow:
    """An invitation: a code's digest, what it gives, until when, how often a wrong code was tried, when it was used (0: never)."""

    terminal: int
    digest: bytes
    role: str
    owner: int
    rights: bytes
    invited_at: UnixMs
    expires_at: UnixMs
    attempts: int
    used_at: UnixMs


def _of(table: sa.Table, terminal: int) -> sa.ColumnElement[bool]:
    return sa.and_(table.c.partition == WHOLE, table.c.terminal == terminal)


def terminal_row(connection: sa.Connection, terminal: int) -> TerminalRow | None:
    """A terminal by number."""
    return next(_terminals(connection, _of(tables.terminals, terminal)), None)


def all_terminals(connection: sa.Connection) -> list[TerminalRow]:
    """All terminals, by number."""
    return list(_terminals(connection, tables.terminals.c.partition == WHOLE))


def _terminals(connection: sa.Connection, where: sa.ColumnElement[bool]) -> Iterator[TerminalRow]:
    table = tables.terminals
    query = sa.select(table.c.terminal, table.c.certificate, table.c.revoked_at).where(where)
    for number, pem, revoked in connection.execute(query.order_by(table.c.terminal)):
        yield TerminalRow(number, bytes(pem), UnixMs(revoked))


def certificates_of(connection: sa.Connection, terminal: int) -> list[bytes]:
    """A terminal's certificates (PEM), newest first."""
    table = tables.terminal_certificates
    query = sa.select(table.c.certificate).where(_of(table, terminal)).order_by(table.c.ordinal.desc())
    return [bytes(pem) for pem in connection.execute(query).scalars()]


def add_certificate(connection: sa.Connection, terminal: int, certificate: bytes) -> None:
    """Store a terminal's newest certificate; those before stay."""
    table, history = tables.terminals, tables.terminal_certificates
    ordinal = len(certificates_of(connection, terminal)) + 1
    row = {"partition": WHOLE, "terminal": terminal, "certificate": certificate}
    connection.execute(sa.insert(history), row | {"ordinal": ordinal})
    if ordinal == 1:
        connection.execute(sa.insert(table), row | {"revoked_at": 0})
    else:
        connection.execute(sa.update(table).where(_of(table, terminal)).values(certificate=certificate))
    watch.moved(connection, watch.TERMINALS)


def revoke_terminal(connection: sa.Connection, terminal: int, at: UnixMs) -> None:
    """Mark a terminal as revoked."""
    table = tables.terminals
    connection.execute(sa.update(table).where(_of(table, terminal)).values(revoked_at=at))
    watch.moved(connection, watch.TERMINALS)


def put_invitation(connection: sa.Connection, row: InvitationRow) -> None:
    """Store an invitation in place of an older one of the same terminal."""
    table = tables.invitations
    connection.execute(sa.delete(table).where(_of(table, row.terminal)))
    values: dict[str, Any] = values_of(row)
    connection.execute(sa.insert(table), {"partition": WHOLE, **values})


def invitation_of(connection: sa.Connection, terminal: int) -> InvitationRow | None:
    """A terminal's newest invitation."""
    table = tables.invitations
    names = columns_of(table, InvitationRow)
    row = connection.execute(sa.select(*names).where(_of(table, terminal))).first()
    if row is None:
        return None
    number, digest, role, owner, rights, invited, expires, attempts, used = row
    return InvitationRow(number, bytes(digest), role, owner, bytes(rights), invited, expires, attempts, used)


def count_attempt(connection: sa.Connection, terminal: int) -> None:
    """A wrong code was tried."""
    table = tables.invitations
    connection.execute(sa.update(table).where(_of(table, terminal)).values(attempts=table.c.attempts + 1))


def use_invitation(connection: sa.Connection, terminal: int, at: UnixMs) -> bool:
    """True for the one that uses it first."""
    table = tables.invitations
    used = sa.update(table).where(_of(table, terminal), table.c.used_at == 0).values(used_at=at)
    return connection.execute(used).rowcount == 1


def moved_in(connection: sa.Connection, terminal: int, day: Day) -> int:
    """What a terminal has moved in a service day so far, in sen."""
    table = tables.terminal_moves
    where = sa.and_(_of(table, terminal), table.c.service_day == day)
    return int(connection.execute(sa.select(sa.func.sum(table.c.amount)).where(where)).scalar() or 0)
