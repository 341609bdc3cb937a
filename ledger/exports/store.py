"""Tables as files need them: in the order of their keys, bounded pieces at a time, as of one commit."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import sqlalchemy as sa

from ledger import tables as journal
from ledger.bulk import store as bulk
from ledger.errors import ExportDamaged

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from ledger.store import TableSet

ROWS_A_PART: Final = 131_072
BYTES_A_PART: Final = 32 << 20
_FETCH: Final = 1_000
JOURNAL: Final = (journal.blocks, journal.documents, journal.transfers)
_OF_JOURNAL: Final = frozenset(table.name for table in JOURNAL)
DERIVED: Final = frozenset(
    {"balances", "snapshots", "snapshot_chunks", "account_pages", "history_marks", "archives"}
)
"""What follows from the journal and is made anew from it, or says where its parts lie: not exported."""
META: Final = "meta"
CARRIED_META: Final = frozenset({"schema"})
"""What of the ledger's own notes an export carries; the rest (leases, snapshots) is of one database."""

_TRUTHS: Final = {"true": True, "false": False, None: None}
"""How truth values are written in an export."""

Table = sa.Table


def one_commit(connection: sa.Connection) -> None:
    """Let all that this transaction reads from here on be as of one commit; SQLite does so by itself."""
    if connection.dialect.name == "postgresql":
        connection.exec_driver_sql("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")


def other_tables(sets: Sequence[TableSet]) -> list[sa.Table]:
    """The tables that an export holds beside the journal, by name."""
    found = {table.name: table for one in (journal.metadata, *sets) for table in one.tables.values()}
    return [found[name] for name in sorted(found) if name not in _OF_JOURNAL | DERIVED]


def table_named(sets: Sequence[TableSet], name: str) -> sa.Table:
    """A table that an export may hold; raises ExportDamaged for any other."""
    for one in (journal.metadata, *sets):
        if name in one.tables and name not in DERIVED:
            return one.tables[name]
    raise ExportDamaged(f"the export holds a table {name[:40]!r} that this release does not know")


def kinds_of(table: sa.Table) -> dict[str, type]:
    """What each column holds: int, bytes or str."""
    kinds: dict[str, type] = {}
    for column in table.columns:
        blob, number = isinstance(column.type, sa.LargeBinary), isinstance(column.type, sa.Integer)
        kinds[column.name] = bytes if blob else int if number else str
    return kinds


def pieces(
    connection: sa.Connection, table: sa.Table, blocks: tuple[int, int] | None = None
) -> Iterator[list[tuple[Any, ...]]]:
    """A table's rows in the order of its key, in pieces of at most ROWS_A_PART rows and about BYTES_A_PART bytes.

    With `blocks` only those of blocks from the first to the last.
    """
    query = sa.select(table).order_by(*_key_of(connection, table))
    if table.name == META:
        query = query.where(table.c.name.in_(CARRIED_META))
    if blocks is not None:
        query = query.where(table.c.partition == journal.WHOLE, table.c.block.between(*blocks))
    piece: list[tuple[Any, ...]] = []
    size = 0
    for row in connection.execute(query.execution_options(yield_per=_FETCH)):
        piece.append(tuple(bytes(value) if isinstance(value, memoryview) else value for value in row))
        size += sum(len(value) for value in row if isinstance(value, bytes | memoryview | str))
        if len(piece) >= ROWS_A_PART or size >= BYTES_A_PART:
            yield piece
            piece, size = [], 0
    if piece:
        yield piece


def _key_of(connection: sa.Connection, table: sa.Table) -> list[Any]:
    """A key's columns; texts by their bytes on both databases."""
    collation = "C" if connection.dialect.name == "postgresql" else "BINARY"
    return [
        sa.collate(column, collation) if isinstance(column.type, sa.String) else column
        for column in table.primary_key.columns
    ]


def is_empty(connection: sa.Connection, table: sa.Table) -> bool:
    """True where a table has no row."""
    return connection.execute(sa.select(sa.literal(1)).select_from(table).limit(1)).first() is None


def forget_meta(connection: sa.Connection) -> None:
    """Make room for the notes that an export carries."""
    connection.execute(sa.delete(journal.meta).where(journal.meta.c.name.in_(CARRIED_META)))


def add(connection: sa.Connection, table: sa.Table, columns: Mapping[str, Any]) -> None:
    """Add rows, given as columns; raises ExportDamaged where a truth value is none."""
    truths = [column.name for column in table.columns if isinstance(column.type, sa.Boolean)]
    if truths or any(None in column for column in columns.values() if isinstance(column, list)):
        # Python's own values: SQLite would keep NumPy's integers as eight bytes
        plain = {
            name: column if isinstance(column, list) else column.tolist() for name, column in columns.items()
        }
        plain |= {name: _truths(table.name, plain[name]) for name in truths}
        rows = [dict(zip(plain, row, strict=True)) for row in zip(*plain.values(), strict=True)]
        connection.execute(sa.insert(table), rows)
        return
    bulk.write(connection, table, [bulk.spread(table, columns)])


def _truths(table: str, told: Sequence[str | None]) -> list[bool | None]:
    """Truth values from the words that stand for them in an export."""
    try:
        return [_TRUTHS[one] for one in told]
    except KeyError as error:
        raise ExportDamaged(f"{table} has {str(error)[:20]} where true or false belongs") from None
