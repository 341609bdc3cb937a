"""One writer a database: a lease that a second server is refused.

On SQLite a lock on a file beside the database, on PostgreSQL an advisory lock: either is given back when the process ends,
however it ends.
"""

from __future__ import annotations

import fcntl
import os
from typing import TYPE_CHECKING, Protocol

from ledger.errors import DatabaseBusy

if TYPE_CHECKING:
    from pathlib import Path

    from ledger.store import Database


class Lease(Protocol):
    """The right to write to a database."""

    def release(self) -> None:
        """Give it back."""


def take(database: Database) -> Lease:
    """Take the lease on a database; raises DatabaseBusy where another server holds it."""
    return FileLease(database.path) if database.is_sqlite else ServerLease(database)


class FileLease:
    """The lease on a SQLite database."""

    def __init__(self, database: Path) -> None:
        """Raises DatabaseBusy where another process, or another ledger of this one, holds it."""
        # Resolved: two names of one file must meet at one lock.
        path = database.resolve().with_name(database.resolve().name + ".lease")
        self._file = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            holder = os.read(self._file, 20).decode(errors="replace").strip() or "unknown"
            os.close(self._file)
            raise DatabaseBusy(
                f"another server (process {holder}) writes to {database.name}: stop it first, or use its address"
            ) from None
        os.ftruncate(self._file, 0)
        os.pwrite(self._file, str(os.getpid()).encode(), 0)

    def release(self) -> None:
        """Give the lease back."""
        os.close(self._file)


class ServerLease:
    """The lease on a PostgreSQL database, held by a connection of its own."""

    def __init__(self, database: Database) -> None:
        """Raises DatabaseBusy where another server holds it."""
        self._connection = database.take_lease()

    def release(self) -> None:
        """Give the lease back."""
        # The connection itself must end: one that went back to the pool would keep its lock.
        self._connection.invalidate()
        self._connection.close()
