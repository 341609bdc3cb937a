"""The chain of the journal as it is stored: blocks, their documents, closed business dates. What is read is looked at: damage is said."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import sqlalchemy as sa

from keys.clock import Day, UnixMs
from ledger import tables
from ledger.archive import store as archive
from ledger.closing.store import seal
from ledger.errors import DatabaseDamaged
from ledger.group import GROUP_ROWS_MAX
from ledger.journal import UNIT_ROWS_MAX, Block
from ledger.rows import store as rows_store
from ledger.tables import WHOLE

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from ledger.bulk.gathered import Gathered

read_rows = rows_store.read_rows

BLOCK_ROWS_MAX: Final = GROUP_ROWS_MAX + UNIT_ROWS_MAX
"""More rows than any block can have: a larger number is damage, not a reason to read."""


@dataclass(frozen=True, slots=True)
class Window:
    """A closed business date: up to which position it goes, and the chain's digest there."""

    business_date: Day
    closed_at: UnixMs
    last_position: int
    head: bytes


def add_block(gathered: Gathered, block: Block, bodies: Sequence[bytes]) -> None:
    """Have a block and its documents written with what else a commit writes."""
    values = {name: getattr(block, name) for name in Block.__slots__}
    gathered.add(tables.blocks, {"partition": WHOLE, **values})
    if bodies:
        gathered.add(
            tables.documents,
            {"partition": WHOLE, "block": block.block, "ordinal": np.arange(len(bodies)), "body": bodies},
        )


def insert_window(connection: sa.Connection, window: Window) -> None:
    """Record a closed business date; from here on the database lets nothing of it be changed."""
    values = {name: getattr(window, name) for name in Window.__slots__}
    connection.execute(sa.insert(tables.windows), {"partition": WHOLE, **values})
    seal(connection, rows_store.name_of_day(window.business_date))


def read_windows(connection: sa.Connection) -> list[Window]:
    """Closed business dates, oldest first; raises DatabaseDamaged where one does not read."""
    columns = [tables.windows.c[name] for name in Window.__slots__]
    query = (
        sa.select(*columns)
        .where(tables.windows.c.partition == WHOLE)
        .order_by(tables.windows.c.business_date)
    )
    windows = []
    for row in connection.execute(query):
        day, at, last, head = _typed(row, "iiib", "a window")
        windows.append(Window(Day(day), UnixMs(at), last, head))
    return windows


def read_blocks(connection: sa.Connection, after: int = 0) -> Iterator[Block]:
    """Blocks in order, those after a number; raises DatabaseDamaged where one does not read."""
    columns = [tables.blocks.c[name] for name in Block.__slots__]
    query = (
        sa.select(*columns)
        .where(tables.blocks.c.partition == WHOLE, tables.blocks.c.block > after)
        .order_by(tables.blocks.c.block)
        .execution_options(yield_per=1000)
    )
    for row in connection.execute(query):
        number, first, rows, at, day, documents, previous, digest = _typed(row, "iiiiibbb", "a block")
        yield Block(number, first, rows, UnixMs(at), Day(day), documents, previous, digest)


def _typed(row: Sequence[Any], kinds: str, what: str) -> list[Any]:
    """A row's values, each an integer (i) or 32 bytes (b); SQLite itself would let any type stand in any column."""
    values: list[Any] = []
    for kind, value in zip(kinds, row, strict=True):
        given = bytes(value) if isinstance(value, memoryview) else value
        good = type(given) is int if kind == "i" else type(given) is bytes and len(given) == 32  # noqa: PLR2004  SHA-256
        if not good:
            raise DatabaseDamaged(
                f"{what} ({row[0]!r}) holds {given!r:.40}: restore the database from backup"
            )
        values.append(given)
    return values


def read_block(connection: sa.Connection, number: int) -> Block | None:
    """A block by number."""
    block = next(read_blocks(connection, number - 1), None)
    return block if block is not None and block.block == number else None


def last_block(connection: sa.Connection) -> Block | None:
    """The newest block."""
    number = connection.execute(
        sa.select(sa.func.max(tables.blocks.c.block)).where(tables.blocks.c.partition == WHOLE)
    ).scalar()
    return None if number is None else read_block(connection, number)


def read_documents(connection: sa.Connection, block: int) -> list[bytes]:
    """The documents of a block, in order."""
    return list(documents_of(connection, block, block).get(block, []))


def documents_of(connection: sa.Connection, first: int, last: int) -> dict[int, list[bytes]]:
    """The documents of a span of blocks, each block's in order; raises DatabaseDamaged where one does not read, ArchiveMissing."""
    found, reached = _archived_documents(connection, first, last)
    table = tables.documents
    query = (
        sa.select(table.c.block, table.c.ordinal, table.c.body)
        .where(table.c.partition == WHOLE, table.c.block.between(max(first, reached + 1), last))
        .order_by(table.c.block, table.c.ordinal)
    )
    for block, ordinal, body in connection.execute(query):
        bodies = found.setdefault(block, [])
        if not isinstance(body, (bytes, memoryview)) or ordinal != len(bodies):
            raise DatabaseDamaged(f"document {ordinal!r} of block {block} does not read: restore from backup")
        bodies.append(bytes(body))
    return found


def _archived_documents(
    connection: sa.Connection, first: int, last: int
) -> tuple[dict[int, list[bytes]], int]:
    """Those of them that are in the archive, and the last block that is."""
    archived = archive.read(connection)
    reached = archived[-1].span.last_block if archived else 0
    if first > reached:
        return {}, reached
    from ledger.archive import reading  # noqa: PLC0415  brings in what reads files: a start does without it

    return reading.documents(connection, first, last), reached


def span_of(connection: sa.Connection, business_date: Day) -> tuple[int, int]:
    """The first and last position that blocks of a business date cover; an empty span where there is none."""
    table = tables.blocks
    query = sa.select(
        sa.func.min(table.c.first_position), sa.func.max(table.c.first_position + table.c.rows - 1)
    ).where(table.c.partition == WHOLE, table.c.business_date == business_date)
    first, last = connection.execute(query).one()
    return (1, 0) if first is None else (first, last)


def counts(connection: sa.Connection) -> tuple[int, int, int]:
    """How many transfers, blocks and documents there are, in the archive and stored, wherever their keys say that they belong.

    What is stored still of dates that are in the archive is read by nobody, and not counted.
    """
    archived = archive.read(connection)
    rows, documents = tables.transfers, tables.documents
    transfers = sa.select(sa.func.count()).select_from(rows)
    bodies = sa.select(sa.func.count()).select_from(documents)
    if archived:
        end = archived[-1].span
        gone = sa.and_(rows.c.business_date <= end.business_date, rows.c.position <= end.last_position)
        transfers = transfers.where(sa.not_(gone))
        bodies = bodies.where(
            sa.not_(sa.and_(documents.c.partition == WHOLE, documents.c.block <= end.last_block))
        )
    found = (
        connection.execute(query).scalar_one()
        for query in (transfers, sa.select(sa.func.count()).select_from(tables.blocks), bodies)
    )
    stored, blocks, kept = found
    return (
        stored + sum(one.span.rows for one in archived), blocks, kept + sum(one.documents for one in archived),
    )  # fmt: skip
