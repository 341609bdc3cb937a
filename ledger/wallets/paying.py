"""Payments by QR as partners' orders are taken: what arrives while a commit runs is one unit, and each payment stands alone in it."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ledger.errors import LedgerError, WalletRefused
from ledger.orders.answers import CREATED, Answer, told_of
from ledger.orders.order import Act, Order
from ledger.orders.unit import Orders
from ledger.transfer import Kind, Result
from ledger.wallets import store
from ledger.wallets.ordering import refused
from ledger.wallets.qr import QrPayment, payable
from ledger.wallets.tables import bills

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ledger.balance import Balance
    from ledger.chart import AccountId
    from ledger.orders.blocked import BlockedWallets
    from ledger.orders.order import Caller
    from ledger.transaction import Posted, PostedRows, Transaction
    from ledger.transfer import Transfer


@dataclass(frozen=True, slots=True)
class Paying(Order):
    """A debit of a wallet for a merchant's code; `card` as the caller wrote it."""

    card: str = ""
    payment: QrPayment | None = None

    @classmethod
    def of(cls, caller: Caller, card: str, wallet: AccountId, payment: QrPayment) -> Paying:
        """A caller's payment of what it agreed to."""
        merchant = payable(wallet, payment)
        return cls(
            caller, Act.DEBIT, wallet, merchant, payment.total, Kind.SALE, once=payment.once, card=card, payment=payment
        )  # fmt: skip

    def said(self, position: int, wallet: Balance) -> bytes:
        """The answer of a payment that is in the books; the wallet as it stands right after it."""
        paid = self.payment
        assert paid is not None  # noqa: S101  made by `of`
        told = {"merchant": paid.merchant, "name": paid.name, "amount": paid.amount, "tip": paid.tip}
        said = {"card": self.card, **told, "position": position, "wallet": told_of(wallet)}
        return json.dumps(said, separators=(",", ":")).encode()


class Payments(Orders):
    """Implements `ledger.writer.Unit`: orders that are all payments by QR. A refusal moved nothing and is kept by nobody: it may be tried again under its key."""

    def __init__(self, payments: Sequence[Order], blocked: BlockedWallets, *, clears: bool = False) -> None:
        super().__init__(payments, blocked, clears=clears)
        self._codes = [one.once for one in payments if one.once]
        self._paid: frozenset[bytes] = frozenset()

    def plan(self, tx: Transaction) -> Sequence[Transfer]:
        """Which of the codes were paid before, then the payments whose keys are new."""
        self._paid = store.paid_of(tx.reading, self._codes) if self._codes else frozenset()
        return super().plan(tx)

    def barred(self, order: Order, blocked: frozenset[AccountId]) -> Answer | LedgerError | None:
        """What is refused before the books are asked."""
        if order.once in self._paid:
            return WalletRefused("this code was paid already: ask for a new one")
        if order.debit in blocked:
            return WalletRefused("the card is blocked: its wallet pays nothing")
        return None

    def answered(
        self, order: Order, _transfer: Transfer, posted: Posted, _tx: Transaction
    ) -> Answer | LedgerError:
        """What became of one."""
        if posted.result is not Result.POSTED:
            return refused(posted.result)
        assert isinstance(order, Paying)  # noqa: S101  this unit has no others
        return Answer(CREATED, order.said(posted.position, posted.debited))

    def settle(self, posted: PostedRows, tx: Transaction) -> list[Answer | LedgerError]:
        """Answer each, and note the codes that are paid for good."""
        done = [
            (order.once, order.debit, one.position)
            for order, one in zip(self.planned_orders, posted, strict=True)
            if order.once and one.result is Result.POSTED
        ]
        if done:
            codes, debits, positions = (list(column) for column in zip(*done, strict=True))
            places = [store.place_of(code) for code in codes]
            tx.add(bills, {"partition": places, "code": codes, "debit": debits, "position": positions})
        return super().settle(posted, tx)
