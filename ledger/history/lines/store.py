"""An account's lines as the journal's own rows have them, from the database and from the archive, within the account's partition.

Statements are put together once, and remembered: that costs more than most of them do.
"""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import sqlalchemy as sa

from ledger import rowbytes
from ledger import tables as journal
from ledger.archive import store as archive
from ledger.history.pages import RESOLVING, UNPOSTED, moved
from ledger.history.store import ACCOUNT, FIRST, LAST, PARTITION
from ledger.rows import store as journal_rows
from ledger.transfer import ROW, Flag

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy.typing as npt

    Integers = npt.NDArray[np.int64]
    Rows = npt.NDArray[np.void]

_ASKED_AT_ONCE: Final = 500
_ALL: Final = (1 << 31) - 1
_ROW: Final = [journal.transfers.c[name] for name in ROW.names or ()]


def rows_of(
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
        [tuple(row) for row in connection.execute(_rows_of(newest_first=newest_first), asked)]
    )
    if first > reached or (newest_first and len(found) == limit):
        return found
    old = _archived_lines(connection, account, first, min(last, reached))
    return np.concatenate([found, old[::-1]] if newest_first else [old, found])[:limit]


@cache
def _rows_of(*, newest_first: bool) -> sa.Select[*tuple[Any, ...]]:
    position = journal.transfers.c.position
    order = position.desc() if newest_first else position
    return sa.select(*_ROW).where(*_mine()).order_by(order).limit(sa.bindparam("limit", type_=sa.Integer))


def _archived_lines(connection: sa.Connection, account: int, first: int, last: int) -> Rows:
    """An account's journal rows (ROW) of a span that is in the archive."""
    chunks = journal_rows.read_rows(connection, first, last) if first <= last else ()
    mine = [rows[(rows["debit"] == account) | (rows["credit"] == account)] for rows in chunks]
    return np.concatenate([*mine, np.zeros(0, ROW)])


def summed(connection: sa.Connection, partition: int, account: int, first: int, last: int) -> list[int]:
    """What the journal rows of these positions add to an account's four sums, added up by the database where all of it is there."""
    if first > archive.reach(connection):
        asked = {"partition": partition, "account": account, "first": first, "last": last}
        *sums, elsewhere = (int(value) for value in connection.execute(_summed(), asked).one())
        if not elsewhere:
            return sums
    # Rows, or holds that they resolve, lie in the archive.
    return _summed_apart(connection, partition, account, first, last)


def _summed_apart(
    connection: sa.Connection, partition: int, account: int, first: int, last: int
) -> list[int]:
    rows = rows_of(connection, partition, account, (first, last), _ALL, newest_first=False)
    by, debits = moved(rows, held_amounts(connection, rows)), rows["debit"] == account
    return [int(one[side].sum()) for one in by for side in (debits, ~debits)]


@cache
def _summed() -> sa.Select[*tuple[Any, ...]]:
    rows, holds = journal.transfers, journal.transfers.alias("holds")
    flags = rows.c.flags
    resolving = flags.op("&")(RESOLVING) != 0
    posted = sa.case((flags.op("&")(UNPOSTED) == 0, rows.c.amount), else_=0)
    pending = sa.case(
        (flags.op("&")(int(Flag.PENDING)) != 0, rows.c.amount),
        (resolving, -holds.c.amount),
        else_=0,
    )
    resolved = sa.and_(holds.c.partition == rows.c.partition, holds.c.position == rows.c.hold, resolving)
    sums = [
        sa.func.coalesce(sa.func.sum(sa.case((side == ACCOUNT, value), else_=0)), 0)
        for value in (posted, pending)
        for side in (rows.c.debit, rows.c.credit)
    ]
    archived = sa.case((sa.and_(resolving, holds.c.amount.is_(None)), 1), else_=0)
    elsewhere = sa.func.coalesce(sa.func.sum(archived), 0)
    return sa.select(*sums, elsewhere).select_from(rows.outerjoin(holds, resolved)).where(*_mine())


def _mine() -> list[Any]:
    rows = journal.transfers.c
    sides = sa.or_(rows.debit == ACCOUNT, rows.credit == ACCOUNT)
    return [rows.partition == PARTITION, rows.position.between(FIRST, LAST), sides]


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


@cache
def _amounts_at() -> sa.Select[int, int]:
    table = journal.transfers
    return sa.select(table.c.position, table.c.amount).where(*_at_positions())


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


def _at_positions() -> list[Any]:
    rows = journal.transfers.c
    asked = sa.bindparam("positions", type_=sa.BigInteger, expanding=True)
    return [rows.partition == PARTITION, rows.position.in_(asked)]


def _archived_at(connection: sa.Connection, positions: Sequence[int]) -> Rows:
    """Journal rows (ROW) that are in the archive, of these positions."""
    reached = archive.reach(connection) if positions else 0
    old = np.array([position for position in positions if position <= reached], np.int64)
    if not len(old):
        return np.zeros(0, ROW)
    chunks = journal_rows.read_rows(connection, int(old.min()), int(old.max()))
    return np.concatenate([rows[np.isin(rows["position"], old)] for rows in chunks])
