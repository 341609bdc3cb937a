"""Refunds to wallets: each names the payment that it gives back, and all of one payment together give back at most what it was.

A payment is the journal's row, which never changes: it is read before the refund's unit. What was given back of it is read within the unit.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from keys.money import Sen
from ledger.cardholder.records import replaced_by
from ledger.chart import AccountId, split
from ledger.clients.scopes import PartyKind
from ledger.errors import OrderInvalid, PaymentUnknown
from ledger.history.lines.store import row_at
from ledger.orders import store
from ledger.orders.answers import refused
from ledger.orders.order import Order, credit, wallet_of
from ledger.problems import REFUNDED
from ledger.transfer import Flag, Kind

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from ledger.bulk.store import Columns
    from ledger.clients.scopes import Party
    from ledger.orders.answers import Answer
    from ledger.orders.order import Caller
    from ledger.store import Connection, Database

SELLERS: Final = frozenset({PartyKind.MERCHANT, PartyKind.OPERATOR})
"""Who is paid from wallets, and so gives back."""
_BOUGHT: Final = frozenset({Kind.SALE, Kind.FARE})
_UNSETTLED: Final = Flag.PENDING | Flag.VOID_PENDING


@dataclass(frozen=True, slots=True)
class Paid:
    """A payment in the journal: where, from which wallet to whom, and how much."""

    position: int
    wallet: AccountId
    seller: AccountId
    amount: Sen


@dataclass(frozen=True, slots=True)
class Refund(Order):
    """A credit that gives back a payment, or a part of it."""

    paid: Paid | None = None

    @classmethod
    def of(cls, caller: Caller, card: str, party: Party, amount: int, paid: Paid) -> Refund:
        """What a caller asks for; raises OrderInvalid, ScopeMissing."""
        plain = credit(caller, card, party, amount)
        return cls(
            caller, plain.act, plain.debit, plain.credit, plain.amount, plain.kind,
            once=b"refund of %d" % paid.position, paid=paid,
        )  # fmt: skip


def find_payment(database: Database, number: int, card: str, party: Party) -> Paid:
    """The payment at a journal position, of a card's wallet (or that of a lost card whose place it took) to a party.

    Raises PaymentUnknown, OrderInvalid; StorageError where it is in an archive that is away.
    """
    if party.kind not in SELLERS:
        raise OrderInvalid(f"a {party.kind} gives no payment back: leave `payment` out, or name who was paid")
    with database.transaction() as connection:
        for wallet in _wallets(connection, card):
            found = _paid(connection, number, wallet)
            if found is not None and party.owns(found.seller):
                return found
    raise PaymentUnknown(
        f"{party} had no payment {number} from this card's wallet: its number is the position that its answer gave"
    )


def _wallets(connection: Connection, card: str) -> Iterator[AccountId]:
    """A card's wallet; then, if still asked, those of the lost cards behind it."""
    cards = [card]
    for one in cards:
        wallet = wallet_of(one)
        yield wallet
        lost = map(str, replaced_by(connection, split(wallet).partition, int(one)))
        cards += [number for number in lost if number not in cards]


def _paid(connection: Connection, number: int, wallet: AccountId) -> Paid | None:
    row = row_at(connection, split(wallet).partition, number)
    if row is None or int(row["debit"]) != wallet or Kind(int(row["kind"])) not in _BOUGHT:
        return None
    if int(row["flags"]) & _UNSETTLED:
        return None  # a hold is no payment: its capture is
    return Paid(number, wallet, AccountId(int(row["credit"])), Sen(int(row["amount"])))


class GivenBack:
    """What a unit's refunds may still give back; made in its plan."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._left: dict[int, int] = {}

    def take(self, paid: Paid, amount: Sen) -> Answer | None:
        """Count a refund on, or say what is left of its payment. One that the books refuse then counts until the unit ends: no unit has two of one payment."""
        left = self._left.get(paid.position)
        if left is None:
            partition = split(paid.wallet).partition
            left = paid.amount - store.given_back(self._connection, partition, paid.position)
        if amount > left:
            detail = f"{left} sen are left of payment {paid.position}, and {amount} were asked"
            return refused(REFUNDED.problem(detail, left=left))
        self._left[paid.position] = left - amount
        return None


def columns_of(posted: Sequence[tuple[Refund, int]]) -> Columns:
    """Refunds that are in the books, with their positions, as columns of their table."""
    payments = [one.paid for one, _ in posted if one.paid is not None]
    return {
        "partition": [split(one.wallet).partition for one in payments],
        "payment": [one.position for one in payments],
        "position": [position for _, position in posted],
        "amount": [one.amount for one, _ in posted],
    }
