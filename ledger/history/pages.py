"""Journal rows as pages of accounts' lines: who was moved where, and by how much. Pure columns."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

import numpy as np

from ledger.journal import partitions_of
from ledger.transfer import Flag

if TYPE_CHECKING:
    import numpy.typing as npt

    Integers = npt.NDArray[np.int64]
    Rows = npt.NDArray[np.void]

LINES_A_PAGE: Final = 1024
UNPOSTED: Final = int(Flag.UNPOSTED)
RESOLVING: Final = int(Flag.POST_PENDING | Flag.VOID_PENDING)


class Moved(NamedTuple):
    """What each row adds to the posted and to the pending sum of both its accounts: debits of the one, credits of the other."""

    posted: Integers
    pending: Integers


class Pages(NamedTuple):
    """Pages in the order of their key, a row each; `positions` are bytes, `sums` has four columns."""

    partition: Integers
    account: Integers
    last_position: Integers
    first_position: Integers
    sums: Integers
    positions: list[bytes]


def moved(rows: Rows, held: Integers) -> Moved:
    """What rows move; `held` is the amount of the hold that a row resolves (which may post less), 0 for one that resolves none."""
    amounts, flags = rows["amount"], rows["flags"]
    posted = np.where(flags & UNPOSTED == 0, amounts, 0)
    pending = np.where(flags & Flag.PENDING != 0, amounts, 0) - held
    return Moved(posted, pending)


def pages(rows: Rows, held: Integers) -> Pages:
    """The pages of all accounts that these rows touch; a page holds at most LINES_A_PAGE lines of one account."""
    by, count = moved(rows, held), len(rows)
    accounts = np.concatenate([rows["debit"], rows["credit"]])
    positions = np.concatenate([rows["position"], rows["position"]])
    order = np.lexsort((positions, accounts, partitions_of(accounts)))
    accounts, positions = accounts[order], np.ascontiguousarray(positions[order], "<i8")
    sums = np.zeros((2 * count, 4), np.int64)
    sums[:count, 0], sums[:count, 2] = by
    sums[count:, 1], sums[count:, 3] = by
    starts = _starts(accounts)
    ends = np.append(starts[1:], len(accounts))
    raw = positions.tobytes()
    spans = zip((starts * 8).tolist(), (ends * 8).tolist(), strict=True)
    return Pages(
        partitions_of(accounts[starts]), accounts[starts], positions[ends - 1], positions[starts],
        np.add.reduceat(sums[order], starts, axis=0) if count else sums, [raw[a:b] for a, b in spans],
    )  # fmt: skip


def _starts(accounts: Integers) -> Integers:
    """Where pages begin among lines that are sorted by account."""
    if not len(accounts):
        return np.zeros(0, np.int64)
    first = np.ones(len(accounts), bool)
    first[1:] = accounts[1:] != accounts[:-1]
    begins = np.flatnonzero(first)
    place = np.arange(len(accounts)) - np.repeat(begins, np.diff(np.append(begins, len(accounts))))
    return np.flatnonzero(place % LINES_A_PAGE == 0)
