"""Writing columns: binary COPY on PostgreSQL, executemany on SQLite; the driver itself, since SQLAlchemy costs as much again."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import sqlalchemy as sa

from ledger import plain
from ledger.bulk import binary, few
from ledger.bulk.copies import Copies, parts
from ledger.bulk.native import Native
from ledger.bulk.spans import Spans

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    import numpy.typing as npt

    Values = npt.NDArray[np.int64] | Sequence[int] | Sequence[bytes] | Sequence[str]
    Columns = Mapping[str, Values | int | bytes | str]

# What other modules hold without knowing the library behind.
Table = sa.Table

_ALONE: Final = (int, bytes, str)
HANDLE: Final = "sqlite_handle"
"""Under which name a connection's `info` holds SQLite's handle."""


def connect_noting_handle(dialect: Any, record: Any, arguments: Any, named: Any) -> Any:
    """Open a SQLite connection as SQLAlchemy would (its event `do_connect`), and note the handle that `ledger.rows` needs."""
    native = Native.find()
    if native is None:
        return None
    connection, record.info[HANDLE] = native.connect(lambda: dialect.connect(*arguments, **named))
    return connection


def replace_when_cut(connection: Any, _record: Any, _proxy: Any) -> None:
    """Have the pool replace a connection that was cut (SQLAlchemy's event `checkout`)."""
    if plain.is_cut(connection):
        raise sa.exc.DisconnectionError("the connection was cut")


def spread(table: Table, columns: Columns) -> dict[str, Values]:
    """Columns in the table's own order, each as long as the longest: one value alone stands in every row.

    Raises ValueError where a column is missing, is not the table's, or has another length.
    """
    names = table.columns.keys()
    if columns.keys() != set(names):
        raise ValueError(f"{table.name} has other columns: {sorted(set(names) ^ set(columns))}")
    many = {len(column) for column in columns.values() if not isinstance(column, _ALONE)}
    if len(many) > 1:
        raise ValueError(f"columns of {table.name} have different lengths: {sorted(many)}")
    count = many.pop() if many else 1
    found: dict[str, Values] = {}
    for name in names:
        column = columns[name]
        found[name] = [column] * count if isinstance(column, _ALONE) else column  # type: ignore[assignment]
    return found


def write(connection: sa.Connection, table: Table, chunks: Sequence[Mapping[str, Values]]) -> None:
    """Insert rows, given as chunks of columns (see `spread`)."""
    write_all(connection, [(table, chunks)])


def write_all(
    connection: sa.Connection,
    waiting: Iterable[tuple[Table, Sequence[Mapping[str, Values]]]],
    copies: Copies | None = None,
) -> None:
    """Insert rows of several tables: on PostgreSQL a COPY for each partition of each, all in one go with `copies`."""
    if connection.dialect.name != "postgresql":
        for table, chunks in waiting:
            _insert(connection, table, chunks)
        return
    copies = Copies() if copies is None else copies
    copies.extend(copies_of(waiting))
    copies.send(connection.connection)


def copies_of(waiting: Iterable[tuple[Table, Sequence[Mapping[str, Values]]]]) -> Copies:
    """A COPY for each partition of each table: nothing of PostgreSQL is asked for it."""
    copies = Copies()
    for table, chunks in waiting:
        names, columns = _columns(chunks)
        statement = f"COPY {table.name} ({_listed(names)}) FROM STDIN (FORMAT BINARY)"
        if 0 < len(columns[0]) <= few.ROWS_MAX:
            for piece in few.pieces(writers_of(table), columns):
                copies.put(statement, piece)
        elif len(columns[0]):
            fields = [_field(table.c[name], column) for name, column in zip(names, columns, strict=True)]
            order, cuts = parts(np.asarray(columns[0], np.int64))
            tuples, starts = binary.tuples(fields, order)
            copies.add(statement, tuples, starts[cuts])
    return copies


def _insert(connection: sa.Connection, table: Table, chunks: Sequence[Mapping[str, Values]]) -> None:
    names, columns = _columns(chunks)
    marks = ",".join("?" * len(names))
    plain = [column.tolist() if isinstance(column, np.ndarray) else column for column in columns]
    statement = f"INSERT INTO {table.name} ({_listed(names)}) VALUES ({marks})"  # noqa: S608  our own names
    driver: Any = connection.connection
    driver.cursor().executemany(statement, zip(*plain, strict=True))


def _columns(chunks: Sequence[Mapping[str, Values]]) -> tuple[list[str], list[Values]]:
    """Names, the partition's first, and the whole of each column."""
    names = list(chunks[0])
    return names, [_joined([chunk[name] for chunk in chunks]) for name in names]


def _listed(names: Sequence[str]) -> str:
    return ",".join(f'"{name}"' for name in names)


def _joined(parts: Sequence[Values]) -> Values:
    if len(parts) == 1:
        return parts[0]
    if all(isinstance(part, np.ndarray) for part in parts):
        return np.concatenate(parts)
    spans = [part for part in parts if isinstance(part, Spans)]
    if len(spans) == len(parts):
        return Spans.joined(spans)
    return [value for part in parts for value in (part.tolist() if isinstance(part, np.ndarray) else part)]  # type: ignore[return-value]


@cache
def writers_of(table: Table) -> list[few.Writer]:
    """What writes each column of a few rows; to look at the columns of each table anew would take as long as writing them."""
    return [_writer(column.type) for column in table.columns]


def _writer(kind: Any) -> few.Writer:
    if isinstance(kind, sa.BigInteger):
        return few.longs
    if isinstance(kind, sa.Integer):
        return few.integers
    return few.octets if isinstance(kind, sa.LargeBinary) else few.texts


def _field(column: sa.Column[Any], values: Any) -> binary.Field:
    if isinstance(column.type, sa.BigInteger):
        return binary.integers(np.asarray(values, np.int64), 8)
    if isinstance(column.type, sa.Integer):
        return binary.integers(np.asarray(values, np.int64), 4)
    if isinstance(values, Spans):
        return binary.spans(values.octets(), values.lengths)
    if isinstance(column.type, sa.LargeBinary):
        return binary.octets(values)
    return binary.texts(values)
