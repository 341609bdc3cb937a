"""The history's SQL. Whatever concerns one account stays in that account's partition, and reads only a few pages of it.

Statements are put together once, and remembered: that costs more than most of them do.
"""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import numpy as np
import sqlalchemy as sa

from ledger import rowbytes
from ledger import tables as journal
from ledger.archive import store as archive
from ledger.bulk import store as bulk
from ledger.history import tables
from ledger.history.pages import RESOLVING, UNPOSTED, moved
from ledger.rows import store as journal_rows
from ledger.tables import WHOLE
from ledger.transfer import ROW, Flag

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    import numpy.typing as npt

    from ledger.history.pages import Pages

    Integers = npt.NDArray[np.int64]
    Rows = npt.NDArray[np.void]

PAGES_A_WRITE: Final = 4_000
"""What one short transaction adds, so that the writer is never kept waiting."""
_ASKED_AT_ONCE: Final = 500
_ALL: Final = (1 << 31) - 1
_SUMS: Final = ("debits_posted", "credits_posted", "debits_pending", "credits_pending")
_ROW: Final = [journal.transfers.c[name] for name in ROW.names or ()]


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


def held_amounts(connection: sa.Connection, rows: Rows) -> Integers:
    """For each row the amount of the hold that it resolves; 0 for one that resolves none."""
    found = np.zeros(len(rows), np.int64)
    resolving = np.flatnonzero(rows["flags"] & RESOLVING)
    for partition in np.unique(rows["partition"][resolving]).tolist():
        mine = resolving[rows["partition"][resolving] == partition]
        amounts: dict[int, int] = {}
        holds = np.unique(rows["hold"][mine]).tolist()
        for start in range(0, len(holds), _ASKED_AT_ONCE):
            amounts |= _amounts(connection, partition, holds[start : start + _ASKED_AT_ONCE])
        found[mine] = [amounts[hold] for hold in rows["hold"][mine].tolist()]
    return found


def _amounts(connection: sa.Connection, partition: int, positions: Sequence[int]) -> dict[int, int]:
    asked = {"partition": partition, "positions": list(positions)}
    found = {position: amount for position, amount in connection.execute(_amounts_at(), asked)}  # noqa: C416  rows are no pairs
    old = _archived_at(connection, [position for position in positions if position not in found])
    return found | dict(zip(old["position"].tolist(), old["amount"].tolist(), strict=True))


def _archived_at(connection: sa.Connection, positions: Sequence[int]) -> Rows:
    """Journal rows (ROW) that are in the archive, of these positions."""
    reached = archive.reach(connection) if positions else 0
    old = np.array([position for position in positions if position <= reached], np.int64)
    if not len(old):
        return np.zeros(0, ROW)
    chunks = journal_rows.read_rows(connection, int(old.min()), int(old.max()))
    return np.concatenate([rows[np.isin(rows["position"], old)] for rows in chunks])


def _archived_lines(connection: sa.Connection, account: int, first: int, last: int) -> Rows:
    """An account's journal rows (ROW) of a span that is in the archive."""
    chunks = journal_rows.read_rows(connection, first, last) if first <= last else ()
    mine = [rows[(rows["debit"] == account) | (rows["credit"] == account)] for rows in chunks]
    return np.concatenate([*mine, np.zeros(0, ROW)])


@cache
def _amounts_at() -> sa.Select[int, int]:
    table = journal.transfers
    return sa.select(table.c.position, table.c.amount).where(*_at_positions())


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


def summed(connection: sa.Connection, partition: int, account: int, first: int, last: int) -> list[int]:
    """What the journal rows of these positions add to an account's four sums, added up by the database where all of it is there."""
    if archive.reach(connection) and first <= read_marks(connection).position:
        # A hold that is resolved in pages may itself be in the archive; what comes after the pages resolves none that is.
        return _summed_apart(connection, partition, account, first, last)
    asked = {"partition": partition, "account": account, "first": first, "last": last}
    return [int(value) for value in connection.execute(_summed(), asked).one()]


def _summed_apart(
    connection: sa.Connection, partition: int, account: int, first: int, last: int
) -> list[int]:
    rows = lines(connection, partition, account, (first, last), _ALL, newest_first=False)
    by, debits = moved(rows, held_amounts(connection, rows)), rows["debit"] == account
    return [int(one[side].sum()) for one in by for side in (debits, ~debits)]


@cache
def _summed() -> sa.Select[*tuple[Any, ...]]:
    rows, holds = journal.transfers, journal.transfers.alias("holds")
    flags = rows.c.flags
    posted = sa.case((flags.op("&")(UNPOSTED) == 0, rows.c.amount), else_=0)
    pending = sa.case(
        (flags.op("&")(int(Flag.PENDING)) != 0, rows.c.amount),
        (flags.op("&")(RESOLVING) != 0, -holds.c.amount),
        else_=0,
    )
    resolved = sa.and_(
        holds.c.partition == rows.c.partition, holds.c.position == rows.c.hold, flags.op("&")(RESOLVING) != 0
    )
    sums = [
        sa.func.coalesce(sa.func.sum(sa.case((side == _ACCOUNT, value), else_=0)), 0)
        for value in (posted, pending)
        for side in (rows.c.debit, rows.c.credit)
    ]
    return sa.select(*sums).select_from(rows.outerjoin(holds, resolved)).where(*_mine())


def lines(
    connection: sa.Connection,
    partition: int,
    account: int,
    span: tuple[int, int],
    limit: int,
    *,
    newest_first: bool,
) -> Rows:
    """An account's journal rows (ROW) of a span of positions, at most `limit` of them, read from the journal itself."""
    first, last = span
    reached = archive.reach(connection)
    asked = {
        "partition": partition,
        "account": account,
        "first": max(first, reached + 1),
        "last": last,
        "limit": limit,
    }
    found = rowbytes.rows_from(
        [tuple(row) for row in connection.execute(_lines(newest_first=newest_first), asked)]
    )
    if first > reached or (newest_first and len(found) == limit):
        return found
    old = _archived_lines(connection, account, first, min(last, reached))
    return np.concatenate([found, old[::-1]] if newest_first else [old, found])[:limit]


@cache
def _lines(*, newest_first: bool) -> sa.Select[*tuple[Any, ...]]:
    position = journal.transfers.c.position
    order = position.desc() if newest_first else position
    return sa.select(*_ROW).where(*_mine()).order_by(order).limit(sa.bindparam("limit", type_=sa.Integer))


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
        *_pages_of(), table.c.last_position >= _FIRST, table.c.first_position <= _LAST
    )
    return query.order_by(order).execution_options(yield_per=16)


def rows_at(connection: sa.Connection, partition: int, positions: Sequence[int]) -> Rows:
    """Journal rows (ROW) of one partition by position, in the order that was asked for."""
    found: list[Any] = []
    for start in range(0, len(positions), _ASKED_AT_ONCE):
        asked = {"partition": partition, "positions": list(positions[start : start + _ASKED_AT_ONCE])}
        found += [tuple(row) for row in connection.execute(_rows_at(), asked)]
    rows = rowbytes.rows_from(found)
    if len(rows) < len(positions):
        rows = np.concatenate([rows, _archived_at(connection, positions)])
    places = {position: at for at, position in enumerate(rows["position"].tolist())}
    return rows[[places[position] for position in positions]]


def row_at(connection: sa.Connection, partition: int, position: int) -> np.void | None:
    """The journal row (ROW) of one partition at a position, from the archive too; None where there is none."""
    asked = {"partition": partition, "positions": [position]}
    rows = rowbytes.rows_from([tuple(row) for row in connection.execute(_rows_at(), asked)])
    if not len(rows):
        rows = _archived_at(connection, [position])
        rows = rows[rows["partition"] == partition]
    return rows[0] if len(rows) else None


@cache
def _rows_at() -> sa.Select[*tuple[Any, ...]]:
    return sa.select(*_ROW).where(*_at_positions())


_ACCOUNT: Final[sa.BindParameter[int]] = sa.bindparam("account", type_=sa.BigInteger)
_PARTITION: Final[sa.BindParameter[int]] = sa.bindparam("partition", type_=sa.BigInteger)
_POSITION: Final[sa.BindParameter[int]] = sa.bindparam("position", type_=sa.BigInteger)
_FIRST: Final[sa.BindParameter[int]] = sa.bindparam("first", type_=sa.BigInteger)
_LAST: Final[sa.BindParameter[int]] = sa.bindparam("last", type_=sa.BigInteger)


def _pages_of() -> list[Any]:
    table = tables.account_pages
    return [table.c.partition == _PARTITION, table.c.account == _ACCOUNT]


def _mine() -> list[Any]:
    rows = journal.transfers.c
    sides = sa.or_(rows.debit == _ACCOUNT, rows.credit == _ACCOUNT)
    return [rows.partition == _PARTITION, rows.position.between(_FIRST, _LAST), sides]


def _at_positions() -> list[Any]:
    rows = journal.transfers.c
    asked = sa.bindparam("positions", type_=sa.BigInteger, expanding=True)
    return [rows.partition == _PARTITION, rows.position.in_(asked)]
