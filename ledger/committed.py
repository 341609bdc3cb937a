"""What readers see of balances: sums and rules as of the last commit. Nobody who reads waits for the writer, nor keeps it waiting."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING, Final, NamedTuple

import numpy as np

from keys.money import Sen
from ledger import cells, kernel, places
from ledger.balance import NOTHING, Balance, by_account
from ledger.columns import reserved
from ledger.refusals import CODE_SHIFT
from ledger.rules import AccountRules, default_rules

if TYPE_CHECKING:
    import numpy.typing as npt

    from ledger.chart import AccountId
    from ledger.columns import Columns

    Integers = npt.NDArray[np.int64]

_SHOWN: Final = slice(cells.DEBITS_POSTED, cells.DEBITS_POSTED + cells.COMMITTED_WIDTH)
_COPIES_MAX: Final = 8
_HALF: Final = 32
_LOW_HALF: Final = (1 << _HALF) - 1


class Sealed(NamedTuple):
    """What the batches of one commit moved: rows of accounts, and what readers are to see of each (n, 5) as of a position."""

    touched: Integers
    shown: Integers
    position: int


class Committed:
    """The committed columns of a table of accounts, a row each as there. Any thread publishes, in order; any thread looks."""

    def __init__(self, accounts: Columns) -> None:
        self._accounts = accounts
        self._rows = reserved(cells.COMMITTED_WIDTH)
        self._publishing = threading.Lock()
        self._published = 0
        self.position = 0

    def reserve(self) -> None:
        """Room for as many rows as the accounts have."""
        if len(self._rows) < len(self._accounts.view.rows):
            grown = np.zeros((len(self._accounts.view.rows), cells.COMMITTED_WIDTH), np.int64)
            with self._publishing:
                grown[: len(self._rows)] = self._rows
                self._rows = grown

    def publish(self, sealed: Sealed) -> None:
        """Show what was sealed, once that is durable."""
        touched, shown, position = sealed
        with self._publishing:
            self._published += 1  # odd while sums move: a reader that copies all of them looks twice
            kernel.publish(self._rows, touched, shown)
            self.position = position
            self._published += 1

    def show_all(self, position: int) -> None:
        """Show all accounts as they are, for a start: as of this position everything is committed."""
        self._rows[1 : len(self._accounts) + 1] = self._accounts.used[:, _SHOWN]
        self.position = position

    def balance(self, account: AccountId) -> Balance:
        """The sums of an account."""
        row = self._row(account)
        return NOTHING if row is None else Balance(*map(Sen, row[: cells.SUMS]))

    def rules(self, account: AccountId) -> AccountRules:
        """The rules of an account."""
        row = self._row(account)
        # Sums and rules of zero: opened, and nothing committed yet, or nothing at all; a kind's own rules hold in both cases but one.
        return (
            default_rules(account) if row is None or not any(row) else AccountRules.unpacked(row[cells.SUMS])
        )

    def _row(self, account: AccountId) -> list[int] | None:
        """What readers see of an account, taken at one moment."""
        view = self._accounts.view
        at = places.row_of(*view, account)
        row: list[int] | None = self._rows[at].tolist() if at else None
        return row

    def columns(self) -> tuple[int, Integers, Integers]:
        """A position, all account numbers, and their four sums (n, 4) as of exactly there.

        The writer is not kept waiting, unless it commits so often that no copy comes between eight commits.
        """
        for _ in range(_COPIES_MAX):
            before = self._published
            if before % 2 == 0:
                copied = self._copied()
                if self._published == before:
                    return copied
            time.sleep(0)
        with self._publishing:
            return self._copied()

    def _copied(self) -> tuple[int, Integers, Integers]:
        rows, committed, position = self._accounts.view.rows, self._rows, self.position
        count = int(rows[0, places.USED]) + 1
        count = min(count, len(committed))
        return position, rows[1:count, places.KEY].copy(), committed[1:count, : cells.SUMS].copy()

    def totals(self) -> list[tuple[int, int, list[int]]]:
        """Of each kind of account that something has moved: code, how many, and their four sums, as of one commit."""
        _, numbers, sums = self.columns()
        moved = sums.any(axis=1)
        codes, sums = numbers[moved] >> CODE_SHIFT, sums[moved]
        found = []
        for code in np.unique(codes).tolist():
            mine = sums[codes == code]
            # In two halves: sums of single accounts fit 64 bits, those of many might not.
            high, low = (mine >> _HALF).sum(axis=0).tolist(), (mine & _LOW_HALF).sum(axis=0).tolist()
            found.append(
                (code, len(mine), [(one << _HALF) + other for one, other in zip(high, low, strict=True)])
            )
        return found

    def balances(self) -> tuple[int, dict[AccountId, Balance]]:
        """A position, and the sums of all accounts as of exactly there."""
        position, numbers, sums = self.columns()
        return position, by_account(numbers, sums)
