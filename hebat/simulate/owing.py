"""What parties are owed, by a second hand: row by row, window by window, and nothing once a window is settled but the fee, to the sen."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING, Final

from ledger.chart import Code, split
from ledger.qris.classes import MerchantClass
from ledger.transfer import Kind

if TYPE_CHECKING:
    from collections.abc import Mapping

    from keys.clock import Day
    from ledger.chart import AccountId

_PARTIES: Final = frozenset(
    {Code.MERCHANT_PAYABLE, Code.OPERATOR_PAYABLE, Code.AGENT_CASH, Code.SUBSIDY_RECEIVABLE, Code.ISSUER_RECEIVABLE}
)  # fmt: skip
_SETTLES: Final = frozenset(
    {Kind.FEE, Kind.PAYOUT, Kind.DEPOSIT, Kind.SUBSIDY_PAID, Kind.INTERBANK, Kind.ISSUER_PAID}
)
_WHOLE: Final = 10_000
_RATES: Final = {MerchantClass.UMI: (30, 50_000_000), MerchantClass.UKE: (70, 0), MerchantClass.UME: (70, 0)}
"""Ten-thousandths of each sale, and up to how many sen it costs nothing (Bank Indonesia's rates for QRIS since December 2024)."""


class Owing:
    """Sums by party, and fees by merchant and business date."""

    def __init__(self, merchants: Mapping[int, MerchantClass]) -> None:
        self._merchants = merchants
        self._moved: defaultdict[Day, defaultdict[tuple[Code, int], int]] = defaultdict(
            lambda: defaultdict(int)
        )
        self._settled: defaultdict[tuple[Code, int], int] = defaultdict(int)
        self._exact: defaultdict[tuple[Day, int], int] = defaultdict(int)
        self._fees: defaultdict[int, int] = defaultdict(int)

    def row(self, kind: Kind, debit: AccountId, credit: AccountId, amount: int, day: Day) -> None:
        """Take a posted row in: amounts in sen."""
        into = self._settled if kind in _SETTLES else self._moved[day]
        for account, sign in ((debit, -1), (credit, 1)):
            code, _, number = split(account)
            if code in _PARTIES:
                into[code, number] += sign * amount
            if code is Code.MERCHANT_PAYABLE and kind is Kind.SALE:
                points, free = _RATES[self._merchants[number]]
                self._exact[day, number] += amount * points if amount > free else 0
            if code is Code.MERCHANT_PAYABLE and kind is Kind.FEE:
                self._fees[number] -= sign * amount

    def wrong(self, last: Day) -> str:
        """What is wrong once everything up to a business date is settled; empty where nothing is."""
        owed = defaultdict(int, self._settled)
        for day, moved in self._moved.items():
            for party, amount in moved.items() if day <= last else ():
                owed[party] += amount
        for (code, number), amount in owed.items():
            if amount:
                return f"{code.name.lower()} {number} is owed {amount} sen, and every window up to {last} is settled"
        for number in self._merchants:
            due = sum((2 * exact + _WHOLE) // (2 * _WHOLE) for (day, one), exact in self._exact.items() if one == number and day <= last)  # fmt: skip
            if due != self._fees[number]:
                return f"merchant {number} paid {self._fees[number]} sen of fees, and owes {due}"
        return ""
