"""Holds, as the engine remembers them; a client sees those on wallets, for its own party."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Protocol

from ledger.chart import Code, split
from ledger.errors import HoldUnknown
from ledger.transfer import Kind

if TYPE_CHECKING:
    from ledger.clients.scopes import Client
    from ledger.expiry import Hold

_KINDS: Final = {Code.MERCHANT_PAYABLE: Kind.SALE, Code.OPERATOR_PAYABLE: Kind.FARE}


class Holds(Protocol):
    """Who knows holds: the ledger, and a transaction of its writer."""

    def hold(self, position: int) -> tuple[Hold, bool] | None:
        """A hold, and whether it is pending still."""


def find_hold(holds: Holds, number: int, client: Client) -> tuple[Hold, bool]:
    """A hold by its journal position, and whether it is pending; raises HoldUnknown where it is none of this client's."""
    found = holds.hold(number)
    if found is not None:
        hold, _ = found
        ours = client.party is None or client.party.owns(hold.credit)
        if ours and split(hold.debit).code is Code.WALLET and split(hold.credit).code in _KINDS:
            return found
    raise HoldUnknown(f"you have no hold {number}, or it ended long ago")


def kind_of(hold: Hold) -> Kind:
    """What completing a hold is."""
    return _KINDS[split(hold.credit).code]
