"""The history's pages: up to where they go, written, and read for one account, in whose partition they stay.

Statements are put together once, and remembered: that costs more than most of them do.
"""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import numpy as np
import sqlalchemy as sa

from ledger import tables as journal
from ledger.bulk import store as bulk
from ledger.history import tables
from ledger.tables import WHOLE

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ledger.history.pages import Pages


PAGES_A_WRITE: Final = 4_000
"""What one short transaction adds, so that the writer is never kept waiting."""
_SUMS: Final = ("debits_posted", "credits_posted", "debits_pending", "credits_pending")
ACCOUNT: Final[sa.BindParameter[int]] = sa.bindparam("account", type_=sa.BigInteger)
PARTITION: Final[sa.BindParameter[int]] = sa.bindparam("partition", type_=sa.BigInteger)
_POSITION: Final[sa.BindParameter[int]] = sa.bindparam("position", type_=sa.BigInteger)
FIRST: Final[sa.BindParameter[int]] = sa.bindparam("first", type_=sa.BigInteger)
LAST: Final[sa.BindParameter[int]] = sa.bindparam("last", type_=sa.BigInteger)


class Marks(NamedTuple):
    """Up to where lines are in pages, and up to where they are being written."""

    position: int
    reaching: int


def read_marks(connection: sa.Connection) -> Marks:
    """How far the pages go."""
    row = connection.execute(_marks()).first()
    return Marks(0, 0) if row is None else Marks(row[0], row[1])


@cache
def _marks() -> sa.Select[int, int]:
    table = tables.history_marks
    return sa.select(table.c.position, table.c.reaching).where(table.c.partition == WHOLE)


def newest_position(connection: sa.Connection) -> int:
    """The last position that is committed; 0 where there is none."""
    row = connection.execute(_newest_block()).first()
    return 0 if row is None else row[0] + row[1] - 1


@cache
def _newest_block() -> sa.Select[int, int]:
    table = journal.blocks
    query = sa.select(table.c.first_position, table.c.rows).where(table.c.partition == WHOLE)
    return query.order_by(table.c.block.desc()).limit(1)


def write_marks(connection: sa.Connection, marks: Marks) -> None:
    """Say how far the pages go."""
    table = tables.history_marks
    connection.execute(sa.delete(table).where(table.c.partition == WHOLE))
    connection.execute(sa.insert(table), {"partition": WHOLE, **marks._asdict()})


def drop_pages(connection: sa.Connection, after: int) -> None:
    """Drop pages behind a position: what a run that was broken off has left, or all of them."""
    table = tables.account_pages
    connection.execute(sa.delete(table).where(table.c.last_position > after))


def page_chunks(made: Pages) -> Iterator[dict[str, Any]]:
    """Pages as columns to write, some at a time."""
    for start in range(0, len(made.account), PAGES_A_WRITE):
        part = slice(start, start + PAGES_A_WRITE)
        sums = {name: made.sums[part, at] for at, name in enumerate(_SUMS)}
        yield {
            "partition": made.partition[part], "account": made.account[part],
            "last_position": made.last_position[part], "first_position": made.first_position[part], **sums,
            "positions": made.positions[part],
        }  # fmt: skip


def add_pages(connection: sa.Connection, chunk: dict[str, Any]) -> None:
    """Add pages, given as columns."""
    bulk.write(connection, tables.account_pages, [bulk.spread(tables.account_pages, chunk)])


def paged_sums(connection: sa.Connection, partition: int, account: int, position: int) -> list[int]:
    """What an account's pages up to a position add up to: its four sums."""
    asked = {"partition": partition, "account": account, "position": position}
    return [int(value) for value in connection.execute(_paged_sums(), asked).one()]


@cache
def _paged_sums() -> sa.Select[*tuple[Any, ...]]:
    table = tables.account_pages
    sums = [sa.func.coalesce(sa.func.sum(table.c[name]), 0) for name in _SUMS]
    return sa.select(*sums).where(*_pages_of(), table.c.last_position <= _POSITION)


def page_over(connection: sa.Connection, partition: int, account: int, position: int) -> int | None:
    """The first position of the account's page that goes on past a position; None where there is none."""
    asked = {"partition": partition, "account": account, "position": position}
    found: int | None = connection.execute(_page_over(), asked).scalar()
    return found


@cache
def _page_over() -> sa.Select[int]:
    table = tables.account_pages
    query = sa.select(table.c.first_position).where(*_pages_of(), table.c.last_position > _POSITION)
    return query.order_by(table.c.last_position).limit(1)


def paged_positions(
    connection: sa.Connection,
    partition: int,
    account: int,
    span: tuple[int, int],
    limit: int,
    *,
    newest_first: bool,
) -> list[int]:
    """The positions of an account's lines of a span, at most `limit` of them, from its pages."""
    first, last = span
    asked = {"partition": partition, "account": account, "first": first, "last": last}
    found: list[int] = []
    with connection.execute(_paged_positions(newest_first=newest_first), asked) as pages:
        for (octets,) in pages:
            page = np.frombuffer(octets, "<i8")
            mine = page[(page >= first) & (page <= last)].tolist()
            found += reversed(mine) if newest_first else mine
            if len(found) >= limit:
                break
    return found[:limit]


@cache
def _paged_positions(*, newest_first: bool) -> sa.Select[bytes]:
    table = tables.account_pages
    order = table.c.last_position.desc() if newest_first else table.c.last_position
    query = sa.select(table.c.positions).where(
        *_pages_of(), table.c.last_position >= FIRST, table.c.first_position <= LAST
    )
    return query.order_by(order).execution_options(yield_per=16)


def _pages_of() -> list[Any]:
    table = tables.account_pages
    return [table.c.partition == PARTITION, table.c.account == ACCOUNT]
