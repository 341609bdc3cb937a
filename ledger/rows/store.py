"""Appending and reading journal rows: binary COPY on PostgreSQL, a compiled loop on SQLite (`ledger.bulk.native`)."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import sqlalchemy as sa

from keys.clock import Day, date_of
from ledger import rowbytes
from ledger.archive import store as archive
from ledger.bulk import binary
from ledger.bulk.copies import SEND_BYTES, Copies, parts
from ledger.bulk.native import Native
from ledger.bulk.store import HANDLE
from ledger.chart import PARTITIONS
from ledger.rows.moves import COLUMNS, Moves
from ledger.transfer import ROW

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    import numpy.typing as npt

    Rows = npt.NDArray[np.void]

ROWS_A_CHUNK: Final = 50_000
_COLUMNS: Final = list(ROW.names or ())
_NAMES: Final = ",".join(_COLUMNS)
_INSERT: Final = f"INSERT INTO transfers ({_NAMES}) VALUES ({','.join('?' * len(_COLUMNS))})"  # noqa: S608  our own names
_COPY: Final = f"COPY transfers ({_NAMES}) FROM STDIN (FORMAT BINARY)"
_WITHIN: Final = f"partition IN ({','.join(map(str, range(PARTITIONS)))})"
"""Each partition by its name, so that the primary key finds a span of positions without an index of its own."""
MOVES_A_CHUNK: Final = 500_000
_MOVES: Final = f"SELECT {','.join(COLUMNS)} FROM transfers WHERE business_date ="  # noqa: S608  our own names
_SELECT: Final = f"SELECT {_NAMES} FROM transfers WHERE {_WITHIN} AND position BETWEEN"  # noqa: S608  our own names


class JournalRows:
    """Journal rows (ROW) of one business date, made ready for one kind of database before its connection is at hand.

    Every statement is about one partition: so it goes to one place where partitions are spread over servers.
    """

    def __init__(self, rows: Rows, *, copied: bool) -> None:
        self._table = rowbytes.table_of(rows)
        self._day = Day(int(rows["business_date"][0]))
        self._copies = Copies()
        self._copied = copied
        if copied:
            order, cuts = parts(self._table[:, 0])
            octets = binary.integer_tuples(self._table, order)
            self._copies.add(_COPY, octets, cuts * binary.integer_width(len(_COLUMNS)))

    def write(self, connection: sa.Connection) -> None:
        """Append them to the journal."""
        copies = self.begin(connection)
        if copies is not None:
            copies.send(connection.connection)

    def send_ahead(self, connection: sa.Connection) -> None:
        """On PostgreSQL send them now, unless a transaction beside this one may be making their day's table."""
        if self._copied and has_day(connection, self._day):
            self._copies.send(connection.connection)
            self._copies = Copies()

    def begin(self, connection: sa.Connection) -> Copies | None:
        """On SQLite append them to the journal; on PostgreSQL give what does, for whoever has more to send along."""
        driver: Any = connection.connection
        if self._copied:
            if len(self._copies):
                begin_day(connection, self._day)
            return self._copies
        native, handle = Native.find(), connection.info.get(HANDLE, 0)
        if native is not None and handle:
            native.insert(handle, _INSERT, self._table)
        else:
            driver.cursor().executemany(_INSERT, self._table.tolist())
        return None


def begin_day(connection: sa.Connection, day: Day) -> None:
    """PostgreSQL: a table for a business date's rows, unless this connection has seen one."""
    if not has_day(connection, day):
        connection.execute(sa.select(sa.func.ledger_open_day(int(day))))


def has_day(connection: sa.Connection, day: Day) -> bool:
    """PostgreSQL: whether there is a table for a business date's rows; asked until a connection has seen one that is committed."""
    known: set[int] = connection.info.setdefault("ledger_days", set())
    if day in known:
        return True
    if connection.execute(sa.select(sa.func.to_regclass(name_of_day(day)))).scalar() is None:
        return False
    known.add(day)
    return True


def name_of_day(day: Day) -> str:
    """The table of a business date: transfers_20250602."""
    return f"transfers_{date_of(day):%Y%m%d}"


def read_rows(
    connection: sa.Connection, first: int = 1, last: int | None = None, business_date: Day | None = None
) -> Iterator[Rows]:
    """Journal rows in order of position, in chunks of at most ROWS_A_CHUNK; `last` is included."""
    reached = archive.reach(connection)
    end = max(top(connection), reached) if last is None else last
    for rows in _chunks(connection, first, end, reached):
        yield rows if business_date is None else rows[rows["business_date"] == business_date]


def _chunks(connection: sa.Connection, first: int, end: int, reached: int) -> Iterator[Rows]:
    """What lies in the archive, then what is in the table."""
    if first <= reached:
        from ledger.archive import reading  # noqa: PLC0415  brings in what reads files: a start does without it

        for rows in reading.rows(connection, first, min(end, reached)):
            for start in range(0, len(rows), ROWS_A_CHUNK):
                yield rows[start : start + ROWS_A_CHUNK]
    for start in range(max(first, reached + 1), end + 1, ROWS_A_CHUNK):
        rows = _span(connection, start, min(start + ROWS_A_CHUNK - 1, end))
        yield rows[np.argsort(rows["position"], kind="stable")]


def archived_day(connection: sa.Connection, business_date: Day) -> Iterator[Rows] | None:
    """The rows of a business date that is in the archive, in order and in chunks; None where it is not, and the table has them."""
    for one in archive.read(connection):
        if one.span.business_date == business_date:
            return read_rows(connection, one.span.first_position, one.span.last_position)
    return None


def _span(connection: sa.Connection, first: int, last: int) -> Rows:
    driver: Any = connection.connection
    if connection.dialect.name == "postgresql":
        sent = io.BytesIO()
        with driver.cursor() as cursor:
            copy = f"COPY ({_SELECT} {first} AND {last}) TO STDOUT (FORMAT BINARY)"
            cursor.copy_expert(copy, sent, SEND_BYTES)
        return binary.integers_from(sent.getbuffer(), len(_COLUMNS)).view(ROW).reshape(-1)
    native, handle = Native.find(), connection.info.get(HANDLE, 0)
    if native is not None and handle:
        found = native.select(handle, f"{_SELECT} {first} AND {last}", len(_COLUMNS), last - first + 1)
        if found is not None:
            return found.view(ROW).reshape(-1)
    return rowbytes.rows_from(driver.execute(f"{_SELECT} {first} AND {last}").fetchall())


class _Received:
    """What COPY gives, tuple by tuple; handed on as columns whenever there are enough."""

    def __init__(self, take: Callable[[Moves], None]) -> None:
        self._take = take
        self._parts: list[bytes] = []

    def write(self, part: bytes) -> None:
        """A tuple; the first has the stream's head before it, the last is its end."""
        self._parts.append(part)
        if len(self._parts) >= MOVES_A_CHUNK:
            self.flush()

    def flush(self) -> None:
        """Hand on what is here."""
        stream, self._parts = b"".join(self._parts), []
        tuples = stream.removeprefix(binary.SIGNATURE).removesuffix(binary.TRAILER)
        if tuples:
            self._take(Moves.of_table(binary.integers_of(tuples, len(COLUMNS))))


def each_moves(
    connection: sa.Connection, business_date: Day, first: int, last: int, take: Callable[[Moves], None]
) -> None:
    """Hand all rows of a business date on as columns, chunk by chunk and in any order; they lie between two positions."""
    driver: Any = connection.connection
    select = f"{_MOVES} {business_date}"
    if connection.dialect.name == "postgresql":
        received = _Received(take)
        with driver.cursor() as cursor:
            cursor.copy_expert(f"COPY ({select}) TO STDOUT (FORMAT BINARY)", received, SEND_BYTES)
        received.flush()
        return
    native, handle = Native.find(), connection.info.get(HANDLE, 0)
    for start in range(first, last + 1, MOVES_A_CHUNK):
        end = min(start + MOVES_A_CHUNK - 1, last)
        span, found = f"{select} AND {_WITHIN} AND position BETWEEN {start} AND {end}", None
        if native is not None and handle:
            found = native.select(handle, span, len(COLUMNS), end - start + 1)
        if found is None:
            found = np.array(driver.execute(span).fetchall(), np.int64).reshape(-1, len(COLUMNS))
        if len(found):
            take(Moves.of_table(found))


_TOPS: Final = (
    f"SELECT max(position) AS top FROM transfers WHERE partition = {number}"  # noqa: S608  our own words
    for number in range(PARTITIONS)
)
_TOP: Final = f"SELECT max(top) FROM ({' UNION ALL '.join(_TOPS)}) AS of_each"  # noqa: S608  as above
"""Written out: as an expression it would be compiled at each start of a ledger, which takes longer than asking it."""


def top(connection: sa.Connection) -> int:
    """The highest position of a stored row; 0 where there is none."""
    return int(connection.exec_driver_sql(_TOP).scalar() or 0)
