"""What a database's driver says went wrong, as the ledger's own errors with what to do."""

from __future__ import annotations

import sqlite3
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

import psycopg2
import sqlalchemy as sa
from sqlalchemy.exc import DBAPIError

from ledger.errors import DatabaseBusy, DatabaseDamaged, DiskFailed, StorageError

if TYPE_CHECKING:
    from collections.abc import Iterator

_GONE: Final = (
    sqlite3.OperationalError, sqlite3.InterfaceError, psycopg2.OperationalError, psycopg2.InterfaceError,
    psycopg2.errors.ReadOnlySqlTransaction,
)  # fmt: skip
_DAMAGE: Final = (
    "malformed",
    "not a database",
    "unsupported file format",
    "no such column",
    "Could not decode",
    "invalid page",  # PostgreSQL: a page whose checksum is not its own
    "could not read blocks",
)


@contextmanager
def explained(name: str) -> Iterator[None]:
    """Raise StorageError subclasses for what the drivers of a database of this name raise, where it is no fault of ours."""
    try:
        yield
    except sa.exc.TimeoutError as error:
        raise StorageError(f"all connections to {name} are in use: try again in a moment") from error
    except sa.exc.PendingRollbackError as error:
        raise StorageError(
            f"{name} does not answer: the connection was cut; look at disk and server"
        ) from error
    except (DBAPIError, sqlite3.Error, psycopg2.Error) as error:
        explanation = _explanation(name, error)
        if explanation is None:
            raise
        raise explanation from error


def _explanation(name: str, error: BaseException) -> StorageError | None:
    cause = error.orig or error if isinstance(error, DBAPIError) else error  # what the driver itself raised
    said = (str(cause).splitlines() or [type(cause).__name__])[0]
    if any(words in said for words in _DAMAGE):
        return DatabaseDamaged(f"{name} is damaged: {said}; restore it from backup")
    if "disk I/O error" in said:
        return DiskFailed(f"the disk under {name} failed: {said}; look at the disk before anything else")
    if "database is locked" in said:
        return DatabaseBusy(
            f"{name} is locked: another process is in the middle of a commit; wait for it, or end it"
        )
    advice = _advice(name, said, cause)
    return None if advice is None else StorageError(advice)


def _advice(name: str, said: str, cause: BaseException) -> str | None:
    if isinstance(cause, psycopg2.errors.DiskFull):
        return f"the disk under {name} is full: {said}; make room, and the ledger goes on by itself"
    if isinstance(cause, psycopg2.errors.InsufficientPrivilege):
        return f"the database's role may not do this: {said}; let it by `hebat ledger grant ROLE`, or come as the owner"
    if isinstance(cause, _GONE):
        return f"{name} does not answer: {said}; look at disk and server"
    return None
