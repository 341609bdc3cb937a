"""The balance engine: columns of NumPy, one kernel, one writer. Readers look at what is committed, without waiting for it.

State is a function of the journal (DESIGN law 8): feeding the journal's rows to a fresh engine gives the same balances, bit for bit.
"""

from __future__ import annotations

import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import numpy as np

from keys.money import Sen
from ledger import kernel
from ledger.chart import DEBIT_NORMAL, AccountId, split
from ledger.columns import Columns
from ledger.errors import DatabaseDamaged
from ledger.transfer import ROW, Flag, Freshness, Result

if TYPE_CHECKING:
    from collections.abc import Callable

    import numpy.typing as npt

    Integers = npt.NDArray[np.int64]
    Rows = npt.NDArray[np.void]


@dataclass(frozen=True, slots=True)
class Balance:
    """The four sums of an account, in sen."""

    debits_posted: Sen = Sen(0)
    credits_posted: Sen = Sen(0)
    debits_pending: Sen = Sen(0)
    credits_pending: Sen = Sen(0)

    def net(self, account: AccountId) -> Sen:
        """What the account holds by its normal side: debits less credits for an asset, the reverse otherwise."""
        net = self.debits_posted - self.credits_posted
        return Sen(net if split(account).code in DEBIT_NORMAL else -net)


NOTHING: Final = Balance()
_LIVE: Final = slice(0, 4)
_COMMITTED: Final = slice(kernel.COMMITTED, kernel.COMMITTED + 4)


class Applied(NamedTuple):
    """What became of a batch, a row each: `Result`, position (0 where not posted), `Freshness` before its group."""

    results: Integers
    positions: Integers
    freshness: Integers


class Sealed(NamedTuple):
    """What the batches of one commit moved: accounts and their four sums (a row each) as of a position."""

    accounts: Integers
    sums: Integers
    position: int


class Engine:
    """Balances of all accounts, the holds on them, and the newest counters of cards and terminals.

    One thread applies and seals; any thread may publish, in order, or ask for what is committed.
    """

    def __init__(self, apply: Callable[..., Any] = kernel.apply) -> None:
        self._apply = apply
        self._accounts = Columns(kernel.ACCOUNT_WIDTH)
        self._holds = Columns(kernel.HOLD_WIDTH)
        self._streams = Columns(kernel.STREAM_WIDTH)
        self._touched: list[Integers] = []
        self._publishing = threading.Lock()
        self._placing = threading.Lock()  # a table must not grow while sums are written into it
        self.next_position = 1
        self.committed_position = 0

    def apply(self, rows: Rows) -> Applied:
        """Apply a batch (ROW) in order. Live balances move at once, committed ones at `publish`."""
        with self._placing:
            self._accounts.reserve(2 * len(rows))
        self._holds.reserve(int(np.count_nonzero(rows["flags"] & Flag.PENDING)))
        self._streams.reserve(2 * len(rows))
        applied = Applied(*(np.zeros(len(rows), np.int64) for _ in Applied._fields))
        self.next_position = int(
            self._apply(
                rows, *applied, *self._accounts.view, *self._holds.view, *self._streams.view,
                self.next_position,
            )
        )  # fmt: skip
        # Those of refused rows too: publishing sums that did not move changes nothing.
        self._touched += [rows["debit"].copy(), rows["credit"].copy()]
        return applied

    def seal(self) -> Sealed:
        """What was applied since the last time, for readers to see once it is durable; more may be applied meanwhile."""
        touched = np.concatenate([*self._touched, np.zeros(0, np.int64)])
        self._touched = []
        sums = np.empty((len(touched), 4), np.int64)
        kernel.gather(*self._accounts.view, touched, sums)
        return Sealed(touched, sums, self.next_position - 1)

    def publish(self, sealed: Sealed | None = None) -> None:
        """Show readers what was sealed (all that was applied, where nothing is named): called once it is durable, by any thread."""
        accounts, sums, position = self.seal() if sealed is None else sealed
        with self._publishing, self._placing:
            kernel.publish(*self._accounts.view, accounts, sums)
            self.committed_position = position

    def replay(self, rows: Rows) -> None:
        """Apply rows that the journal holds; raises DatabaseDamaged where one of them does not post as it did."""
        alone = rows.copy()
        # What is in the journal was posted: a group that a chunk of rows cuts in two needs no holding together.
        alone["flags"] &= ~int(Flag.LINKED)
        applied = self.apply(alone)
        wrong = np.flatnonzero((applied.results != Result.POSTED) | (applied.positions != rows["position"]))
        if len(wrong):
            row, result = rows[wrong[0]], Result(int(applied.results[wrong[0]]))
            raise DatabaseDamaged(
                f"position {row['position']} (partition {row['partition']}) does not replay ({result.name}): "
                "restore the database from backup"
            )

    def balance(self, account: AccountId) -> Balance:
        """The live sums of an account: the writer's view; nothing for one that no transfer has moved."""
        return self._sums(account, _LIVE)

    def balances(self) -> dict[AccountId, Balance]:
        """The live sums of all accounts that something has moved, by number."""
        return self._all(_LIVE)

    def committed(self, account: AccountId) -> Balance:
        """The committed sums of an account, for any thread."""
        return self._sums(account, _COMMITTED)

    def committed_balances(self) -> tuple[int, dict[AccountId, Balance]]:
        """A position, and the sums of all accounts as of exactly there, for any thread."""
        with self._publishing:
            return self.committed_position, self._all(_COMMITTED)

    def _sums(self, account: AccountId, columns: slice) -> Balance:
        row = self._accounts.view.at(account)
        return NOTHING if row is None else Balance(*map(Sen, row[columns].tolist()))

    def _all(self, columns: slice) -> dict[AccountId, Balance]:
        keys, values = self._accounts.view
        taken = np.flatnonzero((keys != 0) & values[:, columns].any(axis=1))
        order = taken[np.argsort(keys[taken])]
        numbers, sums = keys[order].tolist(), values[order, columns].tolist()
        return {
            AccountId(number): Balance(*map(Sen, four)) for number, four in zip(numbers, sums, strict=True)
        }

    def pending(self, position: int) -> bool:
        """True where the hold at a position is neither posted nor voided."""
        row = self._holds.view.at(position)
        return row is not None and int(row[kernel.STATE]) == kernel.HOLD_PENDING

    def freshness(self, *, uid: int = 0, tmc: int = 0, terminal: int = 0, sequence: int = 0) -> Freshness:
        """Whether a transfer with a card's counter, or a terminal's sequence, may be in the journal already."""
        streams = self._streams.view
        card = kernel.freshness_of(*streams, uid, tmc)
        return Freshness(max(card, kernel.freshness_of(*streams, -terminal, sequence)))


def warm() -> None:
    """Compile the kernel, or load it from numba's cache: done once after installation."""
    engine = Engine()
    engine.apply(np.zeros(2, ROW))
    engine.publish()
    engine.freshness()
    engine.balance(AccountId(1))
    kernel.rehash(*engine._accounts.view, *Columns(kernel.ACCOUNT_WIDTH).view)  # noqa: SLF001  to compile it now
