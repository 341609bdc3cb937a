"""All that an engine knows as of a position, copied: what a snapshot stores, and how two of them are compared."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple, Self

import numpy as np

from ledger import cells, places, streams
from ledger.balance import Balance
from ledger.chart import AccountId, Code, describe, split
from ledger.errors import DatabaseDamaged
from ledger.refusals import CODE_SHIFT
from ledger.rules import rules_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    import numpy.typing as npt

    Integers = npt.NDArray[np.int64]

_DEFAULT_RULES: Final = np.array(
    [rules_of(Code(code)).packed() if code in set(Code) else 0 for code in range(128)], np.int64
)
_LIVE: Final = slice(cells.DEBITS_POSTED, cells.DEBITS_POSTED + cells.SUMS)


class Kept(NamedTuple):
    """A position, and rows of accounts, of holds and of streams as of there (`ledger.cells` and `ledger.streams` have the columns)."""

    position: int
    accounts: Integers
    holds: Integers
    streams: Integers

    @classmethod
    def of(cls, position: int, accounts: Integers, holds: Integers, counters: Integers) -> Self:
        """Copies of rows in use. What only refused rows opened is no part of it: a replay does not see those."""
        codes = accounts[:, places.KEY] >> CODE_SHIFT
        moved = accounts[:, _LIVE].any(axis=1) | (accounts[:, cells.RULES] != _DEFAULT_RULES[codes])
        return cls(
            position,
            accounts[moved | (accounts[:, cells.MONTH] != 0)],
            holds[holds[:, cells.STATE] != 0],
            counters[counters[:, streams.BITMAP] != 0],
        )


def compare_kept(kept: Kept, rebuilt: Kept) -> None:
    """Balances, holds and counters of a snapshot against those that the journal gives; DatabaseDamaged names what differs."""
    stored, given = (dict(_sums_of(one.accounts)) for one in (kept, rebuilt))
    for number in sorted(stored.keys() | given.keys()):
        if stored.get(number) != given.get(number):
            raise DatabaseDamaged(
                f"{describe(AccountId(number))} (partition {split(AccountId(number)).partition}) has another balance in the snapshot "
                f"than its journal gives at position {kept.position}: restore from backup"
            )
    for what, of in (("rules or limits", _rules), ("holds", _pending), ("counters", _counters)):
        mine, theirs = of(kept), of(rebuilt)
        if mine.shape != theirs.shape or (mine != theirs).any():
            raise DatabaseDamaged(
                f"the snapshot as of position {kept.position} has other {what} than its journal gives: restore from backup"
            )


def _rules(kept: Kept) -> Integers:
    """Accounts whole: their rules, and what counts for the limit of a month; an engine keeps those alone that rows have touched."""
    return _used(kept.accounts)


def _pending(kept: Kept) -> Integers:
    """Holds that wait; which of the others are still remembered, no journal says."""
    return _used(kept.holds[kept.holds[:, cells.STATE] == cells.HOLD_PENDING])


def _counters(kept: Kept) -> Integers:
    return _used(kept.streams)


def _used(rows: Integers) -> Integers:
    """Rows that say something, in order of their keys: what was taken back again leaves an empty one behind."""
    rows = rows[rows[:, 1:].any(axis=1)]
    return rows[np.argsort(rows[:, 0])]


def _sums_of(accounts: Integers) -> Iterator[tuple[int, tuple[int, ...]]]:
    """The four sums of each account that something has moved; that an account is there says nothing by itself."""
    for number, *sums in _used(accounts[:, : len(Balance.__slots__) + 1]).tolist():
        yield number, tuple(sums)
