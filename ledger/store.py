"""The database, SQLite or PostgreSQL: opening it safely, and transactions that read or write."""

from __future__ import annotations

from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import sqlalchemy as sa

from ledger import tables
from ledger.bulk.store import connect_noting_handle, replace_when_cut
from ledger.errors import DatabaseDamaged, DatabaseMissing, StorageError
from ledger.explaining.store import explained
from ledger.tables import WHOLE

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from contextlib import AbstractContextManager

# What other modules hold without knowing the library behind.
Connection = sa.Connection
TableSet = sa.MetaData

PAGE_BYTES_MIN: Final = 512
OPENED_BYTES_MAX: Final = 64 << 20
"""Size of a SQLite file up to which each start looks through all of its pages; a second for a few hundred MB."""
READING_MAX: Final = 15
"""Connections that read at once. All of them stay open: on PostgreSQL each is a process, and one that comes and goes costs as much as 300 taps."""
WRITING_BESIDE_MAX: Final = 10
"""Connections that may write besides the writer's own: seldom, for a moment, and closed after it."""
_SQLITE_PRAGMAS: Final = (
    "PRAGMA journal_mode=WAL",
    "PRAGMA synchronous=FULL",  # an answer means durable: the commit waits for the disk
    "PRAGMA foreign_keys=ON",
    "PRAGMA busy_timeout=5000",
)


class Database:
    """A connection pool on one ledger's database; `metadata` of other packages lives beside the ledger's tables."""

    def __init__(self, url: str) -> None:
        self.url = sa.make_url(url)
        self.engine = self._pool(READING_MAX)
        # Writing has connections of its own: readers that use theirs up must not keep the writer waiting.
        self._writing = self._pool(1 if self.is_sqlite else 2, asking=False)
        self.guard: Callable[[sa.Connection], None] | None = None
        """Looks, first thing in each writing transaction, whether this server still holds its lease."""

    def _pool(self, size: int, *, asking: bool = True) -> sa.Engine:
        # A connection that died in the pool is replaced before it costs a commit: it is asked, or else only looked at.
        pool = sa.create_engine(
            self.url,
            pool_size=size,
            max_overflow=0 if asking else WRITING_BESIDE_MAX,
            pool_pre_ping=asking and not self.is_sqlite,
            connect_args=self._connecting,
        )
        if not self.is_sqlite and not asking:
            sa.event.listen(pool, "checkout", replace_when_cut)
        if self.is_sqlite:
            sa.event.listen(pool, "do_connect", connect_noting_handle)
            sa.event.listen(pool, "connect", _prepare_sqlite)
            sa.event.listen(pool, "begin", _begin_sqlite)
        return pool

    @property
    def _connecting(self) -> dict[str, Any]:
        """What of the connection's settings is ours: `ledger.bulk.copies` must know that nothing encrypts its bytes unseen."""
        return {} if self.is_sqlite or "gssencmode" in self.url.query else {"gssencmode": "disable"}

    @property
    def is_sqlite(self) -> bool:
        """True for a file database."""
        return self.url.get_backend_name() == "sqlite"

    @property
    def path(self) -> Path:
        """The file of a SQLite database."""
        return Path(self.url.database or "")

    @property
    def name(self) -> str:
        """What people call it: a file's name, or the server's name of the database."""
        return self.path.name if self.is_sqlite else (self.url.database or "the database")

    @property
    def called(self) -> str:
        """The same within a sentence, where a database's bare name would say nothing."""
        return f"the database {self.url.database}" if not self.is_sqlite and self.url.database else self.name

    @contextmanager
    def transaction(self) -> Iterator[sa.Connection]:
        """A transaction that commits at the end; raises StorageError subclasses for what the database says."""
        with self.explained(), self.engine.begin() as connection:
            yield connection

    @contextmanager
    def writing(self) -> Iterator[sa.Connection]:
        """The same for one that reads first and writes then: no other writer can come between (SQLite: IMMEDIATE)."""
        with self.explained(), self._writing.connect() as plain:
            connection = plain.execution_options(ledger_begin="BEGIN IMMEDIATE")
            with connection.begin():
                if self.guard is not None:
                    self.guard(connection)
                yield connection

    def explained(self) -> AbstractContextManager[None]:
        """The drivers' errors as the ledger's own, with what to do."""
        return explained(self.called)

    def create(self, *others: sa.MetaData) -> None:
        """Make all tables; those of other packages beside the ledger's own.

        Raises StorageError where there is a ledger already.
        """
        if self.is_sqlite:
            self.path.touch(mode=0o600)
        with self.writing() as connection:
            if sa.inspect(connection).has_table("meta"):
                raise StorageError(f"{self.called} holds a ledger already: open it, or name another place")
            for metadata in (tables.metadata, *others):
                metadata.create_all(connection)
            connection.execute(
                sa.insert(tables.meta), {"partition": WHOLE, "name": "schema", "value": tables.SCHEMA_VERSION}
            )

    def check(self, *, whole: bool = False) -> None:
        """Raise DatabaseMissing, DatabaseDamaged or StorageError where this is no ledger that this software can use."""
        self.check_file()
        with self.transaction() as connection:
            if self.is_sqlite:
                self._check_pages(connection, whole=whole)
            version = self._version(connection)
        if version != tables.SCHEMA_VERSION:
            do = (
                "run `hebat ledger upgrade`" if version < tables.SCHEMA_VERSION else "install a newer release"
            )
            raise StorageError(
                f"{self.called} has schema {version}, this software wants {tables.SCHEMA_VERSION}: {do}"
            )

    def holds_ledger(self) -> bool:
        """True where one of a ledger's tables is there, of whatever release; raises StorageError where the database does not answer."""
        if self.is_sqlite and not self.path.is_file():
            return False
        with self.transaction() as connection:
            return bool(set(sa.inspect(connection).get_table_names()) & set(tables.metadata.tables))

    def need_ledger(self) -> None:
        """Raise DatabaseMissing, with what to do, where there is no ledger; DatabaseDamaged, StorageError."""
        self.check_file()
        if not self.holds_ledger():
            raise DatabaseMissing(f"{self.called} holds no ledger: make one with `hebat ledger init`")

    def check_file(self) -> None:
        """Raise DatabaseMissing or DatabaseDamaged where the file of a SQLite ledger is not there, or too short for one.

        The file itself is never opened but by SQLite: closing it would give up the locks that this process's connections hold
        (POSIX; sqlite.org, "How To Corrupt An SQLite Database File", 2.2), and the next process to leave would take the log away.
        """
        if not self.is_sqlite:
            return
        if not self.path.is_file():
            raise DatabaseMissing(f"there is no ledger at {self.path}: make one with `hebat ledger init`")
        if self.path.stat().st_size < PAGE_BYTES_MIN:
            raise DatabaseDamaged(f"{self.called} is no SQLite database (any more): restore it from backup")

    def _check_pages(self, connection: sa.Connection, *, whole: bool) -> None:
        """Look through every page, of a large file only where all of it is asked for: a start checks its journal's tail by digests."""
        if not whole and self.path.stat().st_size > OPENED_BYTES_MAX:
            return
        found = connection.exec_driver_sql("PRAGMA integrity_check(1)").scalar()
        if found != "ok":
            raise DatabaseDamaged(f"{self.called} is damaged: {found}; restore it from backup")

    def _version(self, connection: sa.Connection) -> int:
        found = set(sa.inspect(connection).get_table_names())
        version = _meta(connection, "schema") if "meta" in found else None
        if version is not None and version != tables.SCHEMA_VERSION:
            return version  # tables of another release are neither lost nor too many
        if not found & set(tables.metadata.tables):
            raise DatabaseMissing(f"{self.called} holds no ledger: make one with `hebat ledger init`")
        lost = sorted(set(tables.metadata.tables) - found)
        version = None if lost else _meta(connection, "schema")
        if version is None:
            what = f"the table {lost[0]}" if lost else "its schema version"
            raise DatabaseDamaged(f"{self.called} has lost {what}: restore it from backup")
        return version

    def close(self) -> None:
        """Give all connections back."""
        self.engine.dispose()
        self._writing.dispose()


def _prepare_sqlite(connection: Any, _record: Any) -> None:
    connection.isolation_level = None
    for pragma in _SQLITE_PRAGMAS:
        connection.execute(pragma)


def _begin_sqlite(connection: sa.Connection) -> None:
    # pysqlite would begin transactions at the first write only; reads of a unit must see the same state.
    connection.exec_driver_sql(connection.get_execution_options().get("ledger_begin", "BEGIN"))


def _meta(connection: sa.Connection, name: str) -> int | None:
    query = sa.select(tables.meta.c.value).where(tables.meta.c.partition == WHOLE, tables.meta.c.name == name)
    found: int | None = connection.execute(query).scalar()
    return found
