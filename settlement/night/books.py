"""The ledger's balances as a closed window left them, whatever has been posted since."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from ledger.chart import Code
from ledger.rows.store import read_rows
from ledger.transfer import ROW
from settlement.night import store
from settlement.positions.flows import UNPOSTED
from settlement.store import settlements

if TYPE_CHECKING:
    import numpy.typing as npt

    from ledger.balance import Balance
    from ledger.chain.store import Window
    from ledger.chart import AccountId
    from ledger.store import Connection
    from settlement.kept import Settlement

    Integers = npt.NDArray[np.int64]
    Rows = npt.NDArray[np.void]
    Held = tuple[int, dict[AccountId, Balance]]

_CODE_SHIFT = 56


@dataclass(frozen=True, slots=True)
class Books:
    """Credits less debits of every account, as of one commit; and the rows since the window, its own entries apart from the rest."""

    accounts: Integers
    nets: Integers
    entries: Rows
    since: Rows

    @classmethod
    def of(cls, held: Held, connection: Connection, window: Window, settlement: Settlement) -> Books:
        """What the ledger held, with what came after a settled window.

        `held` is `Ledger.balances_at` of before the connection's transaction: taps are posted meanwhile, and a transaction that began
        earlier would not show the rows of all that is in the balances.
        """
        position, balances = held
        accounts = np.array(sorted(balances), np.int64)
        nets = np.array(
            [balances[one].credits_posted - balances[one].debits_posted for one in sorted(balances)], np.int64
        )
        # What comes between the cut-off and the closing belongs to the next window already, and lies before the closing.
        first = store.first_after(connection, window.business_date) or window.last_position + 1
        later = [
            rows[rows["business_date"] > window.business_date]
            for rows in read_rows(connection, first, position)
        ]
        rows = np.concatenate([np.zeros(0, ROW), *later])
        rows = rows[rows["flags"] & UNPOSTED == 0]
        own = (rows["position"] >= settlement.first_position) & (rows["position"] <= settlement.last_position)
        return cls(
            accounts, nets, rows[own], rows[~own & ~_of_earlier(rows["position"], connection, settlement)]
        )

    def at_closing(self, accounts: Integers) -> Integers:
        """Credits less debits of accounts when the window was closed."""
        return self._before(accounts, self.entries, self.since)

    def settled(self) -> tuple[Integers, Integers]:
        """All accounts, and credits less debits of each as the window and its entries left them."""
        known = np.unique(np.concatenate([self.accounts, self.since["debit"], self.since["credit"]]))
        return known, self._before(known, self.since)

    def _before(self, accounts: Integers, *later: Rows) -> Integers:
        if not len(self.accounts):
            return np.zeros(len(accounts), np.int64)
        at = np.minimum(np.searchsorted(self.accounts, accounts), len(self.accounts) - 1)
        found = np.where(self.accounts[at] == accounts, self.nets[at], 0)
        order = np.argsort(accounts, kind="stable")
        for rows in later:
            for side, sign in (("debit", 1), ("credit", -1)):
                place = np.searchsorted(accounts[order], rows[side])
                inside = np.flatnonzero(place < len(accounts))
                inside = inside[accounts[order][place[inside]] == rows[side][inside]]
                np.add.at(found, order[place[inside]], sign * rows["amount"][inside])
        return found


def _of_earlier(positions: Integers, connection: Connection, settlement: Settlement) -> npt.NDArray[np.bool_]:
    """Which rows are the entries of earlier windows: a night that catches up posts them on a later business date, and they settle what was."""
    found = np.zeros(len(positions), np.bool_)
    for one in settlements(connection):
        if one.business_date < settlement.business_date:
            found |= (positions >= one.first_position) & (positions <= one.last_position)
    return found


def codes_of(accounts: Integers) -> Integers:
    """The kind of each account."""
    return accounts >> _CODE_SHIFT


def bank_movements(entries: Rows) -> dict[int, int]:
    """What a window's entries move on our account at each bank, in sen: positive where it grows."""
    moved: dict[int, int] = {}
    for side, sign in (("debit", 1), ("credit", -1)):
        ours = entries[codes_of(entries[side]) == Code.BANK_SETTLEMENT]
        for number, amount in zip(
            (ours[side] & (1 << 50) - 1).tolist(), ours["amount"].tolist(), strict=True
        ):
            moved[number] = moved.get(number, 0) + sign * amount
    return moved
