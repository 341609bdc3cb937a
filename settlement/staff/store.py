"""Staff, sessions, tries and the log in the database."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any, Final

import sqlalchemy as sa

from keys.clock import UnixMs
from ledger.schema import values_of
from settlement.staff import lockout
from settlement.staff.log import Entry, Said, next_entry
from settlement.staff.tables import attempts, audit, recovery_codes, sessions, staff
from settlement.tables import WHOLE

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from ledger.store import Connection
    from settlement.staff.lockout import Subject

_LOG_LOCK: Final = int.from_bytes(b"KSHSTAFF")
"""The number of PostgreSQL's advisory lock under which entries of the log are numbered, and accounts, sessions and tries are changed: a server that may only add to a table cannot lock it."""


@dataclass(frozen=True, slots=True)
class Person:
    """A member of staff as stored; `authenticator` is sealed."""

    name: str
    roles: str
    password: str
    must_change: int
    authenticator: bytes
    enrolled: int
    last_step: int
    created_at: UnixMs
    disabled_at: UnixMs


@dataclass(frozen=True, slots=True)
class SessionRow:
    """A session as stored, under the digest of its token."""

    digest: bytes
    name: str
    stage: str
    began_at: UnixMs
    seen_at: UnixMs


def insert_person(connection: Connection, person: Person) -> None:
    """Take somebody in."""
    connection.execute(sa.insert(staff), {"partition": WHOLE, **values_of(person)})


def person_of(connection: Connection, name: str) -> Person | None:
    """Somebody by name; None where there is no such person."""
    query = sa.select(staff).where(staff.c.partition == WHOLE, staff.c.name == name)
    row = connection.execute(query).first()
    return _person(row) if row else None


def people(connection: Connection) -> list[Person]:
    """Everybody, by name; disabled ones too."""
    query = sa.select(staff).where(staff.c.partition == WHOLE).order_by(staff.c.name)
    return [_person(row) for row in connection.execute(query)]


def _person(row: Any) -> Person:
    return Person(**{one.name: getattr(row, one.name) for one in fields(Person)})


def change_person(connection: Connection, name: str, **values: Any) -> None:
    """Set some columns of somebody's row."""
    connection.execute(
        sa.update(staff).where(staff.c.partition == WHOLE, staff.c.name == name).values(**values)
    )


def replace_recovery_codes(connection: Connection, name: str, digests: Iterable[bytes]) -> None:
    """These codes open the door from now on, and no older ones."""
    table = recovery_codes
    connection.execute(sa.delete(table).where(table.c.partition == WHOLE, table.c.name == name))
    rows = [{"partition": WHOLE, "name": name, "digest": digest} for digest in digests]
    if rows:
        connection.execute(sa.insert(table), rows)


def use_recovery_code(connection: Connection, name: str, digest: bytes) -> bool:
    """Take a code out of use; True where it was one."""
    table = recovery_codes
    query = sa.delete(table).where(table.c.partition == WHOLE, table.c.name == name, table.c.digest == digest)
    return connection.execute(query).rowcount == 1


def insert_session(connection: Connection, row: SessionRow) -> None:
    """Begin a session."""
    connection.execute(sa.insert(sessions), {"partition": WHOLE, **values_of(row)})


def session_of(connection: Connection, digest: bytes) -> tuple[SessionRow, Person] | None:
    """A session and whose it is."""
    here = sa.and_(staff.c.partition == sessions.c.partition, staff.c.name == sessions.c.name)
    query = (
        sa.select(sessions, *(column.label(f"of_{column.name}") for column in staff.c))
        .join(staff, here)
        .where(sessions.c.partition == WHOLE, sessions.c.digest == digest)
    )
    row = connection.execute(query).first()
    if row is None:
        return None
    session = SessionRow(bytes(row.digest), row.name, row.stage, UnixMs(row.began_at), UnixMs(row.seen_at))
    return session, Person(**{one.name: getattr(row, f"of_{one.name}") for one in fields(Person)})


def sessions_of(connection: Connection, name: str) -> list[SessionRow]:
    """Every session of somebody, ended ones that were not swept yet too."""
    query = sa.select(sessions).where(sessions.c.partition == WHOLE, sessions.c.name == name)
    return [
        SessionRow(bytes(row.digest), row.name, row.stage, UnixMs(row.began_at), UnixMs(row.seen_at))
        for row in connection.execute(query)
    ]


def see_session(connection: Connection, digest: bytes, at: UnixMs) -> None:
    """Note that a session is in use."""
    mine = (sessions.c.partition == WHOLE, sessions.c.digest == digest)
    connection.execute(sa.update(sessions).where(*mine).values(seen_at=at))


def end_session(connection: Connection, digest: bytes) -> None:
    """A session's token opens nothing from now on."""
    connection.execute(sa.delete(sessions).where(sessions.c.partition == WHOLE, sessions.c.digest == digest))


def end_sessions_of(connection: Connection, name: str) -> None:
    """All sessions of somebody end."""
    connection.execute(sa.delete(sessions).where(sessions.c.partition == WHOLE, sessions.c.name == name))


def end_old_sessions(connection: Connection, before: UnixMs) -> None:
    """Sweep sessions that began before a moment."""
    connection.execute(sa.delete(sessions).where(sessions.c.partition == WHOLE, sessions.c.began_at < before))


def tries_of(connection: Connection, subject: Subject, value: str) -> tuple[int, UnixMs]:
    """How often somebody failed, and until when nobody tries again; (0, 0) where never."""
    table = attempts
    query = sa.select(table.c.failures, table.c.until).where(
        table.c.partition == WHOLE, table.c.subject == subject.value, table.c.value == value
    )
    row = connection.execute(query).first()
    return (row.failures, UnixMs(row.until)) if row else (0, UnixMs(0))


def count_failure(connection: Connection, subject: Subject, value: str, at: UnixMs) -> None:
    """One more failure; what is older than a day is forgotten."""
    table = attempts
    connection.execute(
        sa.delete(table).where(table.c.partition == WHOLE, table.c.last_at < at - lockout.FORGOTTEN_MS)
    )
    failures = tries_of(connection, subject, value)[0] + 1
    forget_failures(connection, subject, value)
    row = {
        "partition": WHOLE, "subject": subject.value, "value": value, "failures": failures, "last_at": at,
        "until": lockout.until(subject, failures, at),
    }  # fmt: skip
    connection.execute(sa.insert(table), row)


def forget_failures(connection: Connection, subject: Subject, value: str) -> None:
    """Begin to count anew."""
    table = attempts
    connection.execute(
        sa.delete(table).where(
            table.c.partition == WHOLE, table.c.subject == subject.value, table.c.value == value
        )
    )


def be_alone(connection: Connection) -> None:
    """Wait until nobody else changes anything of the staff's, and have others wait until this transaction ends."""
    if connection.dialect.name == "postgresql":  # SQLite's writing transaction is alone already
        connection.execute(sa.select(sa.func.pg_advisory_xact_lock(_LOG_LOCK)))


def append(connection: Connection, at: UnixMs, said: Said) -> Entry:
    """Add an entry to the log, in the transaction that does what it tells."""
    be_alone(connection)
    newest = sa.select(audit).where(audit.c.partition == WHOLE).order_by(audit.c.number.desc()).limit(1)
    row = connection.execute(newest).first()
    entry = next_entry(_entry(row) if row else None, at, said)
    values = {
        "number": entry.number, "at": at, "previous": entry.previous, "digest": entry.digest,
        **values_of(entry.said),
    }  # fmt: skip
    connection.execute(sa.insert(audit), {"partition": WHOLE, **values})
    return entry


def entries(connection: Connection) -> Iterator[Entry]:
    """The whole log, oldest first."""
    query = sa.select(audit).where(audit.c.partition == WHOLE).order_by(audit.c.number)
    for row in connection.execute(query.execution_options(yield_per=1000)):
        yield _entry(row)


def log_page(connection: Connection, before: int, who: str, action: str, limit: int) -> list[Entry]:
    """Entries before a number (0: from the newest), newest first; "" asks for everybody, and for every action."""
    query = sa.select(audit).where(audit.c.partition == WHOLE)
    if before:
        query = query.where(audit.c.number < before)
    if who:
        query = query.where(audit.c.who == who)
    if action:
        query = query.where(audit.c.action == action)
    return [_entry(row) for row in connection.execute(query.order_by(audit.c.number.desc()).limit(limit))]


def _entry(row: Any) -> Entry:
    said = Said(row.who, row.address, row.action, row.subject, row.detail)
    return Entry(row.number, UnixMs(row.at), said, bytes(row.previous), bytes(row.digest))
