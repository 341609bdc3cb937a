"""An order: what a client asks of a wallet, read and checked before anything waits for it.

Clients move wallets only. A purse moves by its card's evidence and nothing else (law 2), and what settlement moves has four eyes
of its own; no order can name those accounts.
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache
from typing import TYPE_CHECKING, Final, NewType

from card.layout import luhn_ok
from keys.money import Sen
from ledger.chart import AccountId, account_id, partition_in, wallet
from ledger.clients.scopes import CODES, Party, PartyKind
from ledger.errors import KeyMissing, OrderInvalid, ScopeMissing
from ledger.transfer import Kind

if TYPE_CHECKING:
    from ledger.clients.scopes import Client

Fingerprint = NewType("Fingerprint", bytes)

AMOUNT_MAX: Final = Sen(100_000_000_000)
"""Sen that one order may move: Rp1.000.000.000."""
NUMBER_MAX: Final = (1 << 50) - 1
KEY_CHARS_MAX: Final = 64
CARDS_KNOWN: Final = 1 << 16
"""Card numbers whose check digit need not be computed again."""
_KEY: Final = re.compile(r'(")?([A-Za-z0-9._:~+/=-]{1,64})(?(1)")\Z')
_CARD: Final = re.compile(r"9360[0-9]{12}\Z")
_TAKEN: Final = {PartyKind.MERCHANT: Kind.SALE, PartyKind.OPERATOR: Kind.FARE}
_GIVEN: Final = {
    PartyKind.BANK: Kind.DEPOSIT,
    PartyKind.AGENT: Kind.DEPOSIT,
    PartyKind.MERCHANT: Kind.REFUND,
    PartyKind.OPERATOR: Kind.REFUND,
}


class Act(StrEnum):
    """What an order does."""

    DEBIT = "debit"
    CREDIT = "credit"
    HOLD = "hold"
    CAPTURE = "capture"
    VOID = "void"


@dataclass(frozen=True, slots=True)
class Caller:
    """Who asks, under which key, and the digest of what exactly is asked."""

    client: Client
    key: str
    fingerprint: Fingerprint

    @property
    def name(self) -> tuple[str, str]:
        """Client and key: what an answer is kept under."""
        return self.client.name, self.key


@dataclass(frozen=True, slots=True)
class Order:
    """Takes from `debit` and gives to `credit`; a hold does for so many seconds. A capture or a void names its hold, and 0 captures all of it.

    `once` names what is paid once, whoever pays it (b"": nothing such): no unit takes two of the same.
    """

    caller: Caller
    act: Act
    debit: AccountId
    credit: AccountId
    amount: Sen
    kind: Kind
    hold: int = 0
    seconds: int = 0
    once: bytes = b""


def caller_of(client: Client, key: str | None, *asked: bytes) -> Caller:
    """Who asks, by a call's Idempotency-Key (a quoted string as RFC 8941 writes it, or bare); raises KeyMissing."""
    if key is None:
        raise KeyMissing(
            "send an Idempotency-Key of its own with every call that moves money, such as a UUID"
        )
    found = _KEY.match(key)
    if found is None:
        raise KeyMissing(f"an Idempotency-Key has 1 to {KEY_CHARS_MAX} letters, digits or ._:~+/=-")
    fingerprint = hashlib.sha256(b"\0".join(asked)).digest()
    return Caller(client, found[2], Fingerprint(fingerprint))


@lru_cache(CARDS_KNOWN)
def wallet_of(card: str) -> AccountId:
    """The wallet of a card by its 16 digits; raises OrderInvalid."""
    if not _CARD.match(card) or not luhn_ok(int(card)):
        raise OrderInvalid(
            "card is no card number: 16 digits that begin with 9360 and pass their check digit"
        )
    return wallet(int(card))


def debit(caller: Caller, card: str, party: Party, amount: int, hold_seconds: int = 0) -> Order:
    """Take from a wallet, or reserve for some seconds; raises OrderInvalid, ScopeMissing."""
    kind = _TAKEN.get(party.kind)
    if kind is None:
        raise OrderInvalid(f"a {party.kind} takes nothing from wallets: name a merchant or an operator")
    account, other = _sides(caller, card, party)
    act = Act.HOLD if hold_seconds else Act.DEBIT
    return Order(caller, act, account, other, _amount(amount), kind, seconds=hold_seconds)


def credit(caller: Caller, card: str, party: Party, amount: int) -> Order:
    """Put into a wallet; raises OrderInvalid, ScopeMissing."""
    account, other = _sides(caller, card, party)
    return Order(caller, Act.CREDIT, other, account, _amount(amount), _GIVEN[party.kind])


def _sides(caller: Caller, card: str, party: Party) -> tuple[AccountId, AccountId]:
    own = caller.client.party
    if own is not None and own != party:
        raise ScopeMissing(f"{caller.client.name} moves the money of {own} only")
    if not 0 < party.number <= NUMBER_MAX:
        raise OrderInvalid("the party's number is none")
    account = wallet_of(card)
    return account, account_id(CODES[party.kind], partition_in(account), party.number)


def _amount(amount: int) -> Sen:
    if not 0 < amount <= AMOUNT_MAX:
        raise OrderInvalid(f"amount is in sen, from 1 to {AMOUNT_MAX}")
    return Sen(amount)
