"""A transfer between wallets in two steps: ordered, which holds the money for a while, and confirmed, which sends it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from keys.clock import UnixMs
from ledger.balance import NOTHING
from ledger.bundles.blocks import need_unblocked
from ledger.errors import WalletRefused
from ledger.transfer import Flag, Result
from ledger.wallets import store
from ledger.wallets.sending import Leave, leaving
from ledger.wallets.store import Placed, Sent, State

if TYPE_CHECKING:
    from collections.abc import Sequence

    from keys.money import Sen
    from ledger.balance import Balance
    from ledger.chart import AccountId
    from ledger.transaction import PostedRows, Transaction
    from ledger.transfer import Transfer

ORDERS: Final = "order-"
"""How the references of ordered transfers begin, and nobody else's."""
ORDER_MS: Final = 15 * 60_000
"""How long an order waits to be confirmed; then the wallet has its money back."""


def asked_of(placed: Placed) -> Sent:
    """The transfer that an order stands for; its reference is the order's own number, so that it is sent once."""
    return Sent(f"{ORDERS}{placed.hold}", placed.debit, placed.credit, placed.amount, State.HELD)


@dataclass(slots=True)
class PlaceTransfer:
    """The first step: the money is held. Answers the order, or what refuses it."""

    client: str
    debit: AccountId
    credit: AccountId
    amount: Sen
    document: bytes = field(default=b"", init=False)
    wallet: Balance = field(default=NOTHING, init=False)
    """The wallet right after it."""

    def plan(self, tx: Transaction) -> Sequence[Transfer]:
        """The hold, which runs out by itself."""
        need_unblocked(tx.reading, self.debit)
        sent = Sent("", self.debit, self.credit, self.amount, State.HELD)
        return (leaving(sent, tx.received_at, Flag.PENDING, tx.received_at + ORDER_MS),)

    def settle(self, posted: PostedRows, tx: Transaction) -> Placed | WalletRefused:
        """Keep whose it is."""
        done = posted[-1]
        if done.result is not Result.POSTED:
            return refused(done.result)
        until = UnixMs(tx.received_at + ORDER_MS)
        self.wallet = done.debited
        placed = Placed(done.position, self.client, self.debit, self.credit, self.amount, until)
        store.insert_order(tx.connection, placed)
        self.document = b'{"wallet_order":%d}' % placed.hold
        return placed


@dataclass(slots=True)
class Confirm(Leave):
    """The second step: what is held goes, as `Leave` sends it. Confirmed again, it is the same transfer."""

    hold: int = 0

    def plan(self, tx: Transaction) -> Sequence[Transfer]:
        """The hold becomes one that waits for the other side; raises WalletRefused where it is over."""
        known = self._known = store.find(tx.reading, self.sent.debit, self.sent.reference)
        if known is not None:
            return ()
        if not tx.pending(self.hold):
            raise WalletRefused("the order was not confirmed in time: its money is back, order again")
        need_unblocked(tx.reading, self.sent.debit)
        at = tx.received_at
        back = leaving(self.sent, at, Flag.VOID_PENDING | Flag.LINKED, self.hold)
        return (back, self.going(at))


def refused(result: Result) -> WalletRefused:
    """What the books say of a wallet, in words."""
    return WalletRefused(f"the wallet may not give it: {result.name.lower().replace('_', ' ')}")
