"""Which wallets pay nothing because their cards are blocked; read anew only where some process blocked or unblocked a card."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ledger.bundles.store import blocked_numbers
from ledger.chart import Code, Partition, account_id
from ledger.orders.order import Act
from ledger.watch import store as watch

if TYPE_CHECKING:
    from ledger.chart import AccountId
    from ledger.orders.order import Order
    from ledger.store import Connection


class BlockedWallets:
    """Remembers them for one writer: asked within its units, in its transactions."""

    def __init__(self) -> None:
        self._seen = -1
        self._accounts: frozenset[AccountId] = frozenset()

    def forget(self) -> None:
        """What was read within a commit that failed may be in no books: read anew at the next question."""
        self._seen = -1

    def now(self, connection: Connection) -> frozenset[AccountId]:
        """The wallets of the cards that are blocked."""
        count = watch.counts(connection).get(watch.BLOCKS, 0)
        if count != self._seen:
            found = blocked_numbers(connection)
            self._accounts = frozenset(
                account_id(Code.WALLET, Partition(partition), number) for partition, number in found
            )
            self._seen = count
        return self._accounts


def takes_from(order: Order, blocked: frozenset[AccountId]) -> bool:
    """True for an order that would take from such a wallet; what was held before the block may still be captured or given back."""
    return order.act in {Act.DEBIT, Act.HOLD} and order.debit in blocked
