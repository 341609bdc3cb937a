"""The balance engine: columns of NumPy, one kernel, one writer. Readers look without a lock.

State is a function of the journal (DESIGN law 8): feeding the journal's rows to a fresh engine gives the same balances, bit for bit.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from keys.money import Sen
from ledger import kernel
from ledger.chart import DEBIT_NORMAL, AccountId, split
from ledger.errors import DatabaseDamaged
from ledger.transfer import ROW, Result

if TYPE_CHECKING:
    from collections.abc import Callable

    import numpy.typing as npt

    Integers = npt.NDArray[np.int64]
    Rows = npt.NDArray[np.void]

_PLACES_MIN: Final = 1024
_HOLD_FIELDS: Final = 5


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


class Engine:
    """Balances of all accounts and the holds on them."""

    def __init__(self, apply: Callable[..., Any] = kernel.apply) -> None:
        self._apply = apply
        self._accounts: Integers = np.zeros(_PLACES_MIN, np.int64)
        self._balances: Integers = np.zeros((_PLACES_MIN, kernel.BALANCES), np.int64)
        self._flags: Integers = np.zeros(_PLACES_MIN, np.int64)
        self._hold_keys: Integers = np.zeros(_PLACES_MIN, np.int64)
        self._holds: Integers = np.zeros((_PLACES_MIN, _HOLD_FIELDS), np.int64)
        self._used = self._held = 0
        self.next_position = 1

    def apply(self, rows: Rows) -> tuple[Integers, Integers]:
        """Apply a batch (ROW) in order: a `Result` a row, and its position where posted (0 elsewhere)."""
        self._reserve(len(rows))
        results, positions = np.zeros(len(rows), np.int64), np.zeros(len(rows), np.int64)
        self.next_position = int(
            self._apply(
                rows.view(np.recarray), results, positions, self._accounts, self._balances, self._flags,
                self._hold_keys, self._holds, self.next_position,
            )
        )  # fmt: skip
        return results, positions

    def replay(self, rows: Rows) -> None:
        """Apply rows that the journal holds; raises DatabaseDamaged where one of them does not post as it did."""
        results, positions = self.apply(rows)
        wrong = np.flatnonzero((results != Result.POSTED) | (positions != rows["position"]))
        if len(wrong):
            at = rows[wrong[0]]
            reason = Result(int(results[wrong[0]])).name
            raise DatabaseDamaged(
                f"position {at['position']} does not replay ({reason}): restore the database"
            )

    def _reserve(self, rows: int) -> None:
        """Keep both tables at most half full, whatever a batch brings."""
        self._used = int(np.count_nonzero(self._accounts)) if self._near(self._used, rows) else self._used
        while 2 * (self._used + 2 * rows) > len(self._accounts):
            self._grow_accounts()
        self._used += 2 * rows
        self._held = int(np.count_nonzero(self._hold_keys)) if self._near(self._held, rows) else self._held
        while 2 * (self._held + rows) > len(self._hold_keys):
            self._grow_holds()
        self._held += rows

    def _near(self, used: int, rows: int) -> bool:
        return 2 * (used + 2 * rows) > min(len(self._accounts), len(self._hold_keys))

    def _grow_accounts(self) -> None:
        accounts = np.zeros(2 * len(self._accounts), np.int64)
        balances, flags = (
            np.zeros((len(accounts), kernel.BALANCES), np.int64),
            np.zeros(len(accounts), np.int64),
        )
        moved = np.zeros(len(self._accounts), np.int64)
        for old in np.flatnonzero(self._accounts):
            new = kernel.place_of(accounts, self._accounts[old])
            accounts[new], balances[new], flags[new] = (
                self._accounts[old],
                self._balances[old],
                self._flags[old],
            )
            moved[old] = new
        self._holds[:, 2:4] = moved[self._holds[:, 2:4]]
        self._accounts, self._balances, self._flags = accounts, balances, flags

    def _grow_holds(self) -> None:
        keys = np.zeros(2 * len(self._hold_keys), np.int64)
        holds = np.zeros((len(keys), _HOLD_FIELDS), np.int64)
        for old in np.flatnonzero(self._hold_keys):
            new = kernel.place_of(keys, self._hold_keys[old])
            keys[new], holds[new] = self._hold_keys[old], self._holds[old]
        self._hold_keys, self._holds = keys, holds

    def balance(self, account: AccountId) -> Balance:
        """The sums of an account; nothing for one that no transfer has named."""
        accounts, balances = self._accounts, self._balances
        at = kernel.place_of(accounts, account)
        return Balance(*(Sen(int(value)) for value in balances[at])) if accounts[at] else NOTHING

    def balances(self) -> dict[AccountId, Balance]:
        """All accounts that a transfer has named, by number."""
        taken = np.flatnonzero(self._accounts)
        order = taken[np.argsort(self._accounts[taken])]
        numbers, sums = self._accounts[order].tolist(), self._balances[order].tolist()
        return {
            AccountId(number): Balance(*map(Sen, four)) for number, four in zip(numbers, sums, strict=True)
        }

    def pending(self, position: int) -> bool:
        """True where the hold at a position is neither posted nor voided."""
        at = kernel.place_of(self._hold_keys, position)
        return bool(self._hold_keys[at]) and int(self._holds[at, 1]) == kernel.HOLD_PENDING


def warm() -> None:
    """Compile the kernel, or load it from numba's cache: done once after installation."""
    engine = Engine()
    engine.apply(np.zeros(2, ROW))
    engine.balance(AccountId(1))
