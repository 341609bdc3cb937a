"""The holds that a batch's records name: each has one fate."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ledger.chart import AccountId, Code, split
from ledger.intake.authorised import store as authorised

if TYPE_CHECKING:
    from card.batch import TapRecord
    from ledger.writer import Transaction


class Holds:
    """Which holds this batch has resolved already."""

    def __init__(self) -> None:
        self._spent: set[int] = set()

    def of(self, terminal: int, record: TapRecord, tx: Transaction) -> int:
        """The hold that this load was authorised by; 0 where there is none that fits."""
        wanted = record.context.authorisation
        load = authorised.load_of_hold(tx.reading, terminal, wanted) if wanted else None
        fits = (
            load is not None
            and load.uid == int.from_bytes(record.uid, "big")
            and load.amount == record.amount
        )
        return wanted if fits and self.spend(wanted, tx) else 0

    def spend(self, hold: int, tx: Transaction) -> bool:
        """True the first time in this batch that a pending hold is asked for: one hold has one fate."""
        if hold in self._spent or not tx.pending(hold):
            return False
        self._spent.add(hold)
        return True


def is_from_wallet(hold: int, tx: Transaction) -> bool:
    """True for the hold of a load that a holder ordered: whatever came of one try, it is the order's until that ends."""
    found = payer(hold, tx)
    return bool(found) and split(found).code is Code.WALLET


def payer(hold: int, tx: Transaction) -> AccountId:
    """The account that a hold takes from; 0 where there is no such hold."""
    found = tx.hold(hold) if hold else None
    return AccountId(0) if found is None else found[0].debit
