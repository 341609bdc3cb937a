"""The row that holds the fencing number: raised at each take-over, looked at inside each commit's own transaction."""

from __future__ import annotations

import time
from contextlib import closing, suppress
from typing import TYPE_CHECKING, Any, Final

import sqlalchemy as sa
from sqlalchemy.exc import DBAPIError, OperationalError

from ledger import plain
from ledger.errors import DatabaseBusy, LeaseLost
from ledger.tables import WHOLE, meta

if TYPE_CHECKING:
    from ledger.store import Database

NUMBER: Final = "fence"
SERVER: Final = "fence_server"
_LOCK: Final = int.from_bytes(b"KSHLEDGR")
"""The number of PostgreSQL's advisory lock that is the lease on this database."""
_LOCK_NOT_AVAILABLE: Final = "55P03"
"""PostgreSQL documentation, appendix A: error codes."""
NOTICED_SECONDS: Final = 1
"""How long PostgreSQL may take to see that the server before has ended."""
LOCK_SECONDS_MAX: Final = 5
"""How long a take-over waits for a commit of the server before it."""
IDLE_SECONDS_MAX: Final = 60
"""After which PostgreSQL ends the transaction of a server that stopped in the middle of one."""

_ASKED: Final = f"SELECT value FROM meta WHERE partition = {WHOLE} AND name = '{NUMBER}'"  # noqa: S608  our own names


def check(connection: sa.Connection, number: int, server: int) -> int:
    """The fencing number, this server's own; none other can come until the transaction ends.

    It may be higher than `number`: this server raised it, and the answer was lost. Raises LeaseLost where another server raised it.
    """
    # Asked in each commit: so as plain text, and on PostgreSQL in one message.
    asked = _ASKED
    if connection.dialect.name == "postgresql":
        # Should this server stop in the middle: who takes over must not wait for ever.
        patience = f"SET LOCAL idle_in_transaction_session_timeout = '{IDLE_SECONDS_MAX}s'"
        asked = f"{patience}; {_ASKED} FOR SHARE"
    rows = plain.asked(connection, asked)
    found: int | None = rows[0][0] if rows else None
    if found is None or (found != number and connection.execute(_row(SERVER)).scalar() != server):
        raise LeaseLost(
            f"another server has taken the database over (its fencing number is {found}, this one's {number}): "
            "this one has stopped and wrote nothing more; let only one of the two run"
        )
    return found


def raise_number(connection: sa.Connection, server: int) -> int:
    """The next fencing number, for a server that is told from others by a number drawn at random.

    It waits until a commit under the number before has ended, one way or the other. Raises DatabaseBusy where it does not end.
    """
    if connection.dialect.name == "postgresql":
        connection.exec_driver_sql(f"SET LOCAL lock_timeout = '{LOCK_SECONDS_MAX}s'")
    raised = _update(NUMBER)
    try:
        number = connection.execute(raised.values(value=meta.c.value + 1).returning(meta.c.value)).scalar()
    except OperationalError as error:
        if getattr(error.orig, "pgcode", None) != _LOCK_NOT_AVAILABLE:
            raise
        raise DatabaseBusy(
            "a server that held this database stopped in the middle of a commit: end it, or wait a minute and try again"
        ) from error
    if number is None:
        rows = [{"partition": WHOLE, "name": name, "value": 1} for name in (NUMBER, SERVER)]
        connection.execute(sa.insert(meta), rows)
    connection.execute(_update(SERVER).values(value=server))
    return int(number or 1)


def carry_log(database: Database) -> None:
    """Carry SQLite's log into its file, anew and synced: after a failed sync, memory may show commits that no disk has.

    A server builds on what it read at its start, so that must be durable first. Raises StorageError where it cannot be made so.
    """
    with (
        database.explained(),
        closing(database.engine.raw_connection()) as connection,
        closing(connection.cursor()) as cursor,
    ):
        cursor.execute("PRAGMA wal_checkpoint(FULL)")
        busy, frames, carried = cursor.fetchone() or (1, 0, 0)
    if busy or frames != carried:
        raise DatabaseBusy(
            f"another process reads {database.name} as it was a while ago: let it end, then start again"
        )


def locked(database: Database) -> sa.Connection:
    """PostgreSQL's lease: an advisory lock that lives as long as this connection.

    Raises DatabaseBusy where another server holds it, still after a moment: that of one which has just died goes when PostgreSQL
    notices.
    """
    until = time.monotonic() + NOTICED_SECONDS
    with database.explained():
        connection = database.engine.connect().execution_options(isolation_level="AUTOCOMMIT")
        while True:
            if connection.execute(sa.select(sa.func.pg_try_advisory_lock(_LOCK))).scalar():
                return connection
            if time.monotonic() > until:
                break
            time.sleep(0.05)
        connection.close()
    raise DatabaseBusy(f"another server writes to {database.called}: stop it first, or use its address")


def is_cut(connection: sa.Connection) -> bool:
    """Whether the other end has hung up, as far as this end can see without asking."""
    return (
        connection.closed or connection.invalidated or plain.is_cut(connection.connection.driver_connection)
    )


def lives(connection: sa.Connection) -> bool:
    """Whether the connection that holds the lock is still the one that took it."""
    if connection.closed or connection.invalidated:
        return False
    try:
        connection.exec_driver_sql("SELECT 1")
    except DBAPIError:
        end(connection)
        return False
    return True


def end(connection: sa.Connection) -> None:
    """Give the lock back, and end the connection itself: one that went back to the pool would keep it."""
    if not connection.closed:
        if not connection.invalidated:
            with suppress(DBAPIError):  # one that was cut has no lock any more
                connection.execute(sa.select(sa.func.pg_advisory_unlock(_LOCK)))
        connection.invalidate()
        connection.close()


def _row(name: str) -> sa.Select[Any]:
    return sa.select(meta.c.value).where(meta.c.partition == WHOLE, meta.c.name == name)


def _update(name: str) -> sa.Update:
    return sa.update(meta).where(meta.c.partition == WHOLE, meta.c.name == name)
