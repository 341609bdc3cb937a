"""What orders of a window make us expect on bank statements: payments host to host that are done, and payments into virtual accounts.

They were posted one by one as they happened; a window's settling adds them to its items, so that each line of a bank's statement has something to match.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from keys.money import Sen
from ledger.chart import Code, split
from settlement.banks import store
from settlement.items import Item, ItemKind

if TYPE_CHECKING:
    from keys.clock import Day
    from ledger.chart import AccountId
    from ledger.store import Connection

TOLD_CHARS_MAX: Final = 35
"""What statements have room for of a reference (ISO 20022, Max35Text)."""


def orders_of(connection: Connection, day: Day) -> tuple[Item, ...]:
    """The items of a business date's orders, by reference."""
    paid = [
        _item(day, one.payment.reference, f"PAY-{one.hold}", one.payment.debit, one.payment.credit, one.payment.amount)
        for one in store.posted_in(connection, day)
    ]  # fmt: skip
    told = [
        _item(day, one.request, f"VA-{one.position}", one.debit, one.credit, one.amount)
        for one in store.noticed_in(connection, day)
    ]
    return tuple(sorted([*paid, *told], key=lambda item: item.reference))


def _item(
    day: Day, reference: str, own: str, debit: AccountId, credit: AccountId, amount: Sen
) -> Item:  # fmt: skip
    """Money that comes to our account debits it in the books."""
    comes_in = split(debit).code is Code.BANK_SETTLEMENT
    bank, wallet = (split(debit), split(credit)) if comes_in else (split(credit), split(debit))
    kind = ItemKind.TOP_UP if comes_in else ItemKind.SWEEP
    cut = reference[:TOLD_CHARS_MAX]
    return Item(
        day, own, bank.number, kind, Code.WALLET, wallet.number, f"wallet {wallet.number}", amount if comes_in else Sen(-amount),
        day, None, cut,
    )  # fmt: skip
