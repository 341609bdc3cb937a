"""A payment by QR from a wallet: a merchant's code read, the money to the merchant's payable, a dynamic code paid once. Fees come at settlement."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from keys.clock import service_day
from keys.money import Sen
from ledger.bundles.blocks import need_unblocked
from ledger.chart import Code, account_id, split
from ledger.errors import QrReason, QrRefused, WalletRefused
from ledger.qris.amounts import LIMIT
from ledger.qris.code import QrisCode
from ledger.qris.merchant import Method, TipKind
from ledger.transfer import Kind, Result, Transfer
from ledger.wallets import store

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ledger.chart import AccountId
    from ledger.transaction import Posted, PostedRows, Transaction

OUR_DOMAIN: Final = "ID.GO.SEMARANGKOTA.WWW"
"""The reverse domain of merchant accounts that this ledger keeps; its merchant number is the ledger's."""
_NUMBER_DIGITS_MAX: Final = 12
_NOTHING: Final = Sen(0)


@dataclass(frozen=True, slots=True)
class QrPayment:
    """What a payer agreed to: the merchant's number, amount and tip in sen, and the digest of a code that is paid once (b"": a static one)."""

    merchant: int
    name: str
    amount: Sen
    tip: Sen
    once: bytes

    @property
    def total(self) -> Sen:
        """What leaves the wallet."""
        return Sen(self.amount + self.tip)


def read_payment(text: str, amount: Sen | None = None, tip: Sen = _NOTHING) -> QrPayment:
    """What a code asks for. `amount` where the code leaves it open, `tip` where it asks for one.

    Raises QrRefused; WalletRefused where an amount is missing or differs, or the merchant is another acquirer's.
    """
    code = QrisCode.read(text)
    number = next((one.merchant for one in code.accounts if one.domain.upper() == OUR_DOMAIN), "")
    if not (number.isascii() and number.isdigit() and 0 < len(number) <= _NUMBER_DIGITS_MAX and int(number)):
        raise WalletRefused(f"{code.merchant_name} has no account here: pay by another wallet")
    if amount is None and code.amount is None:
        raise WalletRefused("the code leaves the amount open: say how much")
    if amount is not None and code.amount is not None and amount != code.amount:
        raise WalletRefused("the code says another amount: pay that one, or ask for a new code")
    paid = code.amount if code.amount is not None else amount or _NOTHING
    extra = code.tip.on(paid, tip) if code.tip else _NOTHING
    if tip and (code.tip is None or code.tip.kind is not TipKind.ASKED):
        raise WalletRefused("the code asks for no tip of your own")
    if paid <= 0 or tip < 0:
        raise WalletRefused("an amount is at least one sen")
    if paid + extra > LIMIT:
        raise QrRefused(QrReason.AMOUNT_OVER_LIMIT, "a payment by QR is at most Rp10.000.000", "54")
    once = hashlib.sha256(text.encode()).digest() if code.method is Method.DYNAMIC else b""
    return QrPayment(int(number), code.merchant_name, paid, extra, once)


def payable(wallet: AccountId, payment: QrPayment) -> AccountId:
    """The merchant's account in a wallet's partition."""
    return account_id(Code.MERCHANT_PAYABLE, split(wallet).partition, payment.merchant)


@dataclass(slots=True)
class PayByQr:
    """The unit of one payment. Answers what was posted."""

    wallet: AccountId
    payment: QrPayment
    document: bytes = field(default=b"", init=False)

    def plan(self, tx: Transaction) -> Sequence[Transfer]:
        """The sale; raises WalletRefused where the code was paid before."""
        one = self.payment
        if one.once and store.paid_of(tx.reading, [one.once]):
            raise WalletRefused("this code was paid already: ask for a new one")
        need_unblocked(tx.reading, self.wallet)
        now = tx.received_at
        return (
            Transfer(self.wallet, payable(self.wallet, one), one.total, Kind.SALE, now, service_day(now)),
        )

    def settle(self, posted: PostedRows, tx: Transaction) -> Posted:
        """Note a code that is paid once."""
        done = next(iter(posted))
        if done.result is Result.POSTED and self.payment.once:
            store.keep_paid(tx.connection, self.payment.once, self.wallet, done.position)
            self.document = json.dumps({"qr_paid": self.payment.once.hex()}).encode()
        return done
