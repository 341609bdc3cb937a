"""One writer a database: a lease that a second server is refused, with a fencing number for when a lease is lost unseen.

The lease is a lock on a file beside a SQLite database, an advisory lock on PostgreSQL: either is given back when the process ends, however
it ends. It can be lost while the process lives: the file is deleted, the connection breaks, the machine stands still. So each take-over
raises a number in the database, and each commit looks inside its own transaction whether the number is still its server's
(`Database.writing`): a server that wakes up behind another's back can write nothing.
"""

from __future__ import annotations

import fcntl
import os
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING, Protocol

from ledger.errors import DatabaseBusy, LeaseLost, StorageError
from ledger.fencing import store as fencing

if TYPE_CHECKING:
    from pathlib import Path

    from ledger.store import Database


def take(database: Database) -> Lease:
    """Take the lease on a database; raises DatabaseBusy where another server holds it, StorageError where nothing can be written."""
    lease = Lease(database, FileLock(database.path) if database.is_sqlite else ServerLock(database))
    try:
        if database.is_sqlite:
            fencing.carry_log(database)
        lease.renew()
    except BaseException:
        lease.release()
        raise
    return lease


class Lock(Protocol):
    """What the operating system or the server gives to one process at a time."""

    def hold(self) -> None:
        """Hold it, again where it was lost; raises DatabaseBusy where another server has it."""

    def release(self) -> None:
        """Give it back."""


class Lease:
    """The right to write to a database: a lock, and the fencing number of this take-over."""

    def __init__(self, database: Database, lock: Lock) -> None:
        self._database = database
        self._lock = lock
        self.number = 0

    def renew(self) -> None:
        """Hold the lock and raise the number: after this, no commit that began before it can still become durable.

        Raises LeaseLost where another server took over in between, StorageError where the database does not answer.
        """
        try:
            self._lock.hold()
        except DatabaseBusy as error:
            if self.number:
                raise LeaseLost(f"{error}; this one has stopped and wrote nothing more") from error
            raise
        with self._database.writing() as connection:
            number = fencing.raise_number(connection)
        self.number = number
        self._database.guard = partial(fencing.check, number=number)

    def release(self) -> None:
        """Give it back."""
        self._database.guard = None
        self._lock.release()


class FileLock:
    """A lock on a file beside a SQLite database."""

    def __init__(self, database: Path) -> None:
        """Raises DatabaseBusy where another process, or another ledger of this one, holds it."""
        # Resolved: two names of one file must meet at one lock.
        path = database.resolve().with_name(database.resolve().name + ".lease")
        self._file = _opened(path, database.name)
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            holder = os.read(self._file, 20).decode(errors="replace").strip() or "unknown"
            os.close(self._file)
            raise DatabaseBusy(
                f"another server (process {holder}) writes to {database.name}: stop it first, or use its address"
            ) from None
        with suppress(OSError):  # a help for who is refused; a full disk may leave it out
            os.ftruncate(self._file, 0)
            os.pwrite(self._file, str(os.getpid()).encode(), 0)

    def hold(self) -> None:
        """It lasts as long as the file is open."""
        os.fstat(self._file)

    def release(self) -> None:
        """Give it back."""
        os.close(self._file)


def _opened(path: Path, name: str) -> int:
    try:
        return os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    except OSError as error:
        raise StorageError(
            f"{name} cannot be written to: {path.name} does not open ({error.strerror}); look at disk and rights"
        ) from error


class ServerLock:
    """An advisory lock of PostgreSQL, held by a connection of its own."""

    def __init__(self, database: Database) -> None:
        """Raises DatabaseBusy where another server holds it."""
        self._database = database
        self._connection = fencing.locked(database)

    def hold(self) -> None:
        """Look whether the connection lives, and take the lock with a new one where it does not."""
        if not fencing.lives(self._connection):
            self._connection = fencing.locked(self._database)

    def release(self) -> None:
        """Give it back."""
        # The connection itself must end: one that went back to the pool would keep its lock.
        self._connection.invalidate()
        self._connection.close()
