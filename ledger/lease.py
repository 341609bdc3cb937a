"""One writer a database: a lease that a second server is refused, with a fencing number for when a lease is lost unseen.

The lease is a lock on a file beside a SQLite database, an advisory lock on PostgreSQL: either is given back when the process ends, however
it ends. It can be lost while the process lives: the file is deleted, the connection breaks, the machine stands still. So each take-over
raises a number in the database, and each commit looks inside its own transaction whether the number is still its server's
(`Database.writing`): a server that wakes up behind another's back can write nothing.
"""

from __future__ import annotations

import fcntl
import os
import secrets
from contextlib import suppress
from typing import TYPE_CHECKING, Final, Protocol

from ledger.errors import DatabaseBusy, LeaseLost, StorageError
from ledger.fencing import store as fencing

if TYPE_CHECKING:
    from pathlib import Path

    from ledger.store import Connection, Database


_SERVER_BITS: Final = 62


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

    def check(self) -> None:
        """Raise StorageError where it was lost, as far as can be seen without asking anybody."""

    def release(self) -> None:
        """Give it back."""


class Lease:
    """The right to write to a database: a lock, and the fencing number of this take-over."""

    def __init__(self, database: Database, lock: Lock) -> None:
        self._database = database
        self._lock = lock
        self._server = secrets.randbits(_SERVER_BITS)
        self.number = 0

    def renew(self) -> None:
        """Hold the lock and raise the number: after this, no commit that began before it can still become durable.

        Raises LeaseLost where another server took over in between, StorageError where the database does not answer.
        """
        try:
            self._lock.hold()
        except DatabaseBusy:
            if self.number:
                # Another server, or our own connection that was cut and that the database still believes in: the number tells.
                with self._database.transaction() as connection:
                    fencing.check(connection, self.number, self._server)
            raise
        with self._database.writing() as connection:
            number = fencing.raise_number(connection, self._server)
        self.number = number
        self._database.guard = self._guard

    def _guard(self, connection: Connection) -> None:
        self._lock.check()
        self.number = fencing.check(connection, self.number, self._server)

    def release(self) -> None:
        """Give it back."""
        self._database.guard = None
        self._lock.release()


class FileLock:
    """A lock on a file beside a SQLite database."""

    def __init__(self, database: Path) -> None:
        """Raises DatabaseBusy where another process, or another ledger of this one, holds it."""
        # Resolved: two names of one file must meet at one lock.
        self._database, self._is = database.resolve(), _identity(database)
        path = self._database.with_name(self._database.name + ".lease")
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
        self.check()

    def check(self) -> None:
        """Raise LeaseLost where the database is no longer the file that it was: SQLite itself would write on into the old one."""
        if _identity(self._database) != self._is:
            raise LeaseLost(
                f"{self._database.name} was moved, deleted or replaced under this server, which has stopped: "
                "put the file back (with its -wal), and start again"
            )

    def release(self) -> None:
        """Give it back."""
        os.close(self._file)


def _identity(path: Path) -> tuple[int, int] | None:
    try:
        found = path.stat()
    except FileNotFoundError:
        return None
    return found.st_dev, found.st_ino


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

    def check(self) -> None:
        """Raise StorageError where the connection that holds it was cut."""
        if fencing.is_cut(self._connection):
            raise StorageError(f"the connection that holds the lease on {self._database.name} was cut")

    def release(self) -> None:
        """Give it back."""
        fencing.end(self._connection)
