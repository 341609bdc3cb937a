"""The database, SQLite or PostgreSQL: opening it safely, and reading and writing the journal's tables."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import sqlalchemy as sa
from sqlalchemy.exc import DatabaseError, OperationalError

from keys.clock import Day, UnixMs
from ledger import tables
from ledger.errors import DatabaseDamaged, DatabaseMissing, StorageError
from ledger.tables import WHOLE
from ledger.transfer import ROW

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    import numpy.typing as npt

    Rows = npt.NDArray[np.void]

ROWS_A_CHUNK: Final = 50_000
_COLUMNS: Final = list(ROW.names or ())
_SQLITE_PRAGMAS: Final = (
    "PRAGMA journal_mode=WAL",
    "PRAGMA synchronous=FULL",  # an answer means durable: the commit waits for the disk
    "PRAGMA foreign_keys=ON",
    "PRAGMA busy_timeout=5000",
)


@dataclass(frozen=True, slots=True)
class Block:
    """A group commit: which rows it holds, what it is chained to."""

    block: int
    first_position: int
    rows: int
    received_at: UnixMs
    business_date: Day
    documents: bytes
    previous: bytes
    digest: bytes


@dataclass(frozen=True, slots=True)
class Window:
    """A closed business date: up to which position it goes, and the chain's digest then."""

    business_date: Day
    closed_at: UnixMs
    last_position: int
    head: bytes


class Database:
    """A connection pool on one ledger's database; `metadata` of other packages lives beside the ledger's tables."""

    def __init__(self, url: str) -> None:
        self.url = sa.make_url(url)
        self.engine = sa.create_engine(self.url)
        if self.is_sqlite:
            sa.event.listen(self.engine, "connect", _prepare_sqlite)
            # pysqlite would begin transactions at the first write only; reads of a unit must see the same state.
            sa.event.listen(self.engine, "begin", lambda connection: connection.exec_driver_sql("BEGIN"))

    @property
    def is_sqlite(self) -> bool:
        """True for a file database."""
        return self.url.get_backend_name() == "sqlite"

    @property
    def path(self) -> Path:
        """The file of a SQLite database."""
        return Path(self.url.database or "")

    @contextmanager
    def transaction(self) -> Iterator[sa.Connection]:
        """A transaction that commits at the end; raises StorageError subclasses for what the database says."""
        try:
            with self.engine.begin() as connection:
                yield connection
        except OperationalError as error:
            raise StorageError(
                f"the database does not answer: {_first_line(error)}; look at disk and server"
            ) from error
        except DatabaseError as error:
            if _damaged(error):
                raise DatabaseDamaged(
                    f"{self._name()} is damaged: {_first_line(error)}; restore it from backup"
                ) from error
            raise

    def _name(self) -> str:
        return self.path.name if self.is_sqlite else (self.url.database or "the database")

    def create(self, *others: sa.MetaData) -> None:
        """Make all tables; those of other packages beside the ledger's own."""
        if self.is_sqlite:
            self.path.touch(mode=0o600)
        with self.transaction() as connection:
            for metadata in (tables.metadata, *others):
                metadata.create_all(connection)
            connection.execute(
                sa.insert(tables.meta), {"partition": WHOLE, "name": "schema", "value": tables.SCHEMA_VERSION}
            )

    def check(self) -> None:
        """Raise DatabaseMissing, DatabaseDamaged or StorageError where this is no ledger that this software can use."""
        if self.is_sqlite and not self.path.exists():
            raise DatabaseMissing(
                f"there is no ledger at {self.path.name}: make one with `hebat ledger init`"
            )
        try:
            with self.transaction() as connection:
                if self.is_sqlite:
                    self._check_pages(connection)
                version = self._version(connection)
        except StorageError:
            raise
        except DatabaseError as error:
            raise DatabaseDamaged(
                f"{self._name()} is no database: {_first_line(error)}; restore it"
            ) from error
        if version != tables.SCHEMA_VERSION:
            raise StorageError(
                f"the ledger has schema {version}, this software {tables.SCHEMA_VERSION}: upgrade one"
            )

    def _check_pages(self, connection: sa.Connection) -> None:
        found = connection.exec_driver_sql("PRAGMA quick_check(1)").scalar()
        if found != "ok":
            raise DatabaseDamaged(f"{self._name()} is damaged: {found}; restore it from backup")

    def _version(self, connection: sa.Connection) -> int:
        if not sa.inspect(connection).has_table("meta"):
            raise DatabaseMissing(f"{self._name()} holds no ledger: make one with `hebat ledger init`")
        query = sa.select(tables.meta.c.value).where(
            tables.meta.c.partition == WHOLE, tables.meta.c.name == "schema"
        )
        return int(connection.execute(query).scalar_one())

    def close(self) -> None:
        """Give all connections back."""
        self.engine.dispose()


def _prepare_sqlite(connection: Any, _record: Any) -> None:
    connection.isolation_level = None
    for pragma in _SQLITE_PRAGMAS:
        connection.execute(pragma)


def _first_line(error: DatabaseError) -> str:
    return str(error.orig).splitlines()[0] if error.orig else type(error).__name__


def _damaged(error: DatabaseError) -> bool:
    text = str(error.orig)
    return "malformed" in text or "not a database" in text


_INSERT_ROWS = sa.insert(tables.transfers)


def insert_rows(connection: sa.Connection, rows: Rows) -> None:
    """Append journal rows (ROW)."""
    if connection.dialect.name == "sqlite":
        # One executemany on the driver: SQLAlchemy's own path costs as much again as SQLite does.
        marks = ",".join("?" * len(_COLUMNS))
        statement = f"INSERT INTO transfers ({','.join(_COLUMNS)}) VALUES ({marks})"  # noqa: S608  our own names
        connection.exec_driver_sql(statement, rows.tolist())
    else:
        connection.execute(_INSERT_ROWS, [dict(zip(_COLUMNS, row, strict=True)) for row in rows.tolist()])


def insert_block(connection: sa.Connection, block: Block, bodies: Iterable[bytes]) -> None:
    """Append a block and its documents."""
    values = {name: getattr(block, name) for name in Block.__slots__}
    connection.execute(sa.insert(tables.blocks), {"partition": WHOLE, **values})
    written = [
        {"partition": WHOLE, "block": block.block, "ordinal": ordinal, "body": body}
        for ordinal, body in enumerate(bodies)
    ]
    if written:
        connection.execute(sa.insert(tables.documents), written)


def insert_window(connection: sa.Connection, window: Window) -> None:
    """Record a closed business date."""
    values = {name: getattr(window, name) for name in Window.__slots__}
    connection.execute(sa.insert(tables.windows), {"partition": WHOLE, **values})


def read_windows(connection: sa.Connection) -> list[Window]:
    """Closed business dates, oldest first."""
    columns = [tables.windows.c[name] for name in Window.__slots__]
    query = (
        sa.select(*columns)
        .where(tables.windows.c.partition == WHOLE)
        .order_by(tables.windows.c.business_date)
    )
    return [
        Window(Day(day), UnixMs(at), last, bytes(head)) for day, at, last, head in connection.execute(query)
    ]


def read_blocks(connection: sa.Connection, after: int = 0) -> Iterator[Block]:
    """Blocks in order, those after a number."""
    columns = [tables.blocks.c[name] for name in Block.__slots__]
    query = (
        sa.select(*columns)
        .where(tables.blocks.c.partition == WHOLE, tables.blocks.c.block > after)
        .order_by(tables.blocks.c.block)
    )
    for number, first, rows, at, day, documents, previous, digest in connection.execute(query):
        yield Block(
            number, first, rows, UnixMs(at), Day(day), bytes(documents), bytes(previous), bytes(digest)
        )


def read_block(connection: sa.Connection, number: int) -> Block | None:
    """A block by number."""
    return next((block for block in read_blocks(connection, number - 1) if block.block == number), None)


def last_block(connection: sa.Connection) -> Block | None:
    """The newest block."""
    number = connection.execute(
        sa.select(sa.func.max(tables.blocks.c.block)).where(tables.blocks.c.partition == WHOLE)
    ).scalar()
    return None if number is None else next(read_blocks(connection, number - 1))


def read_documents(connection: sa.Connection, block: int) -> list[bytes]:
    """The documents of a block, in order."""
    table = tables.documents
    query = (
        sa.select(table.c.body)
        .where(table.c.partition == WHOLE, table.c.block == block)
        .order_by(table.c.ordinal)
    )
    return [bytes(body) for body in connection.execute(query).scalars()]


def read_rows(
    connection: sa.Connection, first: int = 1, last: int | None = None, business_date: Day | None = None
) -> Iterator[Rows]:
    """Journal rows in order of position, in chunks; `last` is included."""
    table = tables.transfers
    top = _top(connection) if last is None else last
    for start in range(first, top + 1, ROWS_A_CHUNK):
        end = min(start + ROWS_A_CHUNK - 1, top)
        query = sa.select(*[table.c[name] for name in _COLUMNS]).where(table.c.position.between(start, end))
        if business_date is not None:
            query = query.where(table.c.business_date == business_date)
        found = connection.execute(query.order_by(table.c.position)).all()
        yield np.array([tuple(row) for row in found], ROW)


def _top(connection: sa.Connection) -> int:
    return int(connection.execute(sa.select(sa.func.max(tables.transfers.c.position))).scalar() or 0)


def count_rows(connection: sa.Connection) -> int:
    """How many transfers the journal holds."""
    return int(connection.execute(sa.select(sa.func.count()).select_from(tables.transfers)).scalar_one())


def write_balances(
    connection: sa.Connection, position: int, rows: Sequence[tuple[int, int, int, int, int, int]]
) -> None:
    """Replace the snapshot: partition, account and the four sums of every account, as of a position."""
    connection.execute(sa.delete(tables.balances))
    names = [column.name for column in tables.balances.columns]
    if rows:
        connection.execute(sa.insert(tables.balances), [dict(zip(names, row, strict=True)) for row in rows])
    connection.execute(
        sa.delete(tables.meta).where(tables.meta.c.partition == WHOLE, tables.meta.c.name == "snapshot")
    )
    connection.execute(sa.insert(tables.meta), {"partition": WHOLE, "name": "snapshot", "value": position})


def read_balances(connection: sa.Connection) -> tuple[int | None, dict[int, tuple[int, int, int, int]]]:
    """The snapshot's position (None where there is none) and its sums by account."""
    query = sa.select(tables.meta.c.value).where(
        tables.meta.c.partition == WHOLE, tables.meta.c.name == "snapshot"
    )
    position = connection.execute(query).scalar()
    rows = connection.execute(sa.select(tables.balances)).all()
    return position, {row[1]: (row[2], row[3], row[4], row[5]) for row in rows}
