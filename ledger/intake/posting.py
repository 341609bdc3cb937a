"""Posting rules: what a card transaction becomes in the books. Pure."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final, Protocol

from card.layout import TapKind
from keys.clock import Day, UnixMs, service_day
from keys.money import Sen, sen_of
from ledger.chart import AccountId, Code, account_id, issuer_of, purse, split
from ledger.transfer import Flag, Kind, Transfer

if TYPE_CHECKING:
    from card.evidence import CardTransaction
    from card.layout import Identity
    from keys.identity import TerminalCertificate
    from keys.money import Rupiah

CITY: Final = 1
"""Number of the city among those who owe subsidies."""
TRANSIT = {TapKind.FARE, TapKind.TAP_IN, TapKind.TAP_OUT}


class Tariffs(Protocol):
    """What the ledger needs to know of fares: nothing but who else pays."""

    def subsidy(self, tariff: str, identity: Identity, paid: Rupiah, rules: tuple[str, ...]) -> Rupiah:
        """What the city adds to a fare that was paid; 0 for a full fare or a free transfer.

        Of the identity it may ask the rider class alone: the answer for one card is taken for others of that class.
        """


@dataclass(frozen=True, slots=True)
class Tap:
    """A card transaction with what the ledger knows around it; `payer` is the account that its hold takes from, 0 where it has none."""

    uid: int
    tmc: int
    terminal: int
    sequence: int
    transaction: CardTransaction
    tariff: str
    rules: tuple[str, ...]
    hold: int = 0
    payer: AccountId = AccountId(0)  # noqa: RUF009  a number

    @property
    def occurred_at(self) -> UnixMs:
        """When the chip was told it happened, to the second."""
        return UnixMs(self.transaction.record.at * 1000)

    @property
    def service_day(self) -> Day:
        """The service day that it belongs to, however late it arrives."""
        return service_day(self.occurred_at)


def post(tap: Tap, certificate: TerminalCertificate, tariffs: Tariffs) -> list[Transfer]:
    """The linked transfers of a transaction; none where no money moved."""
    kind, amount = tap.transaction.record.kind, tap.transaction.record.amount
    account = purse(tap.transaction.identity.card_number)
    if not amount:
        return []
    if kind.credits_card:
        return [_credit(tap, certificate.owner, Flag.POST_PENDING if tap.hold else Flag.NONE)]
    if kind in TRANSIT:
        return _fare(tap, account, certificate.owner, tariffs)
    merchant = _beside(account, Code.MERCHANT_PAYABLE, certificate.owner)
    return [_transfer(tap, account, merchant, sen_of(amount), Kind.SALE)]


def post_in_suspense(tap: Tap) -> list[Transfer]:
    """A debit by a terminal that may not make it: the card has paid, and nobody has earned it until somebody looks."""
    amount = tap.transaction.record.amount
    if not amount:
        return []
    account = purse(tap.transaction.identity.card_number)
    suspense = _beside(account, Code.SUSPENSE, issuer_of(account))
    kind = Kind.SALE if tap.transaction.record.kind is TapKind.SALE else Kind.FARE
    return [_transfer(tap, account, suspense, sen_of(amount), kind)]


def _fare(tap: Tap, account: AccountId, operator: int, tariffs: Tariffs) -> list[Transfer]:
    paid = tap.transaction.record.amount
    payable = _beside(account, Code.OPERATOR_PAYABLE, operator)
    subsidy = tariffs.subsidy(tap.tariff, tap.transaction.identity, paid, tap.rules)
    fare = _transfer(tap, account, payable, sen_of(paid), Kind.FARE, Flag.LINKED if subsidy else Flag.NONE)
    if not subsidy:
        return [fare]
    city = _beside(account, Code.SUBSIDY_RECEIVABLE, CITY)
    return [fare, _transfer(tap, city, payable, sen_of(subsidy), Kind.SUBSIDY)]


_SOURCES: Final = {
    TapKind.LOAD: (Code.AGENT_CASH, Kind.LOAD),
    TapKind.REFUND: (Code.MERCHANT_PAYABLE, Kind.REFUND),
}
"""Where value comes from that goes onto a card: cash at an agent, or what a merchant is owed."""


def _credit(tap: Tap, owner: int, flag: Flag) -> Transfer:
    record, account = tap.transaction.record, purse(tap.transaction.identity.card_number)
    code, kind = _SOURCES[record.kind]
    return _transfer(
        tap, tap.payer or _beside(account, code, owner), account, sen_of(record.amount), kind, flag
    )


def void_credit(tap: Tap, owner: int) -> Transfer:
    """Give back the hold of a load or refund that never reached its card."""
    return _credit(tap, owner, Flag.VOID_PENDING)


def void_hold(kind: TapKind, card_number: int, owner: int, amount: Rupiah, at: UnixMs, hold: int) -> Transfer:
    """Give back a hold whose card was never asked to commit."""
    held = hold_credit(kind, card_number, owner, amount, at, 0)
    return replace(held, flags=Flag.VOID_PENDING, hold=hold)


def hold_credit(
    kind: TapKind, card_number: int, owner: int, amount: Rupiah, at: UnixMs, uid: int
) -> Transfer:
    """The hold that authorises a cash load (cash at the agent > purse) or a refund (what the merchant is owed > purse)."""
    account = purse(card_number)
    code, what = _SOURCES[kind]
    source = _beside(account, code, owner)
    return Transfer(source, account, sen_of(amount), what, at, service_day(at), Flag.PENDING, uid=uid)


def _beside(account: AccountId, code: Code, number: int) -> AccountId:
    """A party's sub-account in the card's own partition."""
    return account_id(code, split(account).partition, number)


def _transfer(
    tap: Tap, debit: AccountId, credit: AccountId, amount: Sen, kind: Kind, flags: Flag = Flag.NONE
) -> Transfer:
    """The card's evidence shows that it happened: no rule of an account refuses it (`Flag.PROVEN`)."""
    hold = tap.hold if flags & (Flag.POST_PENDING | Flag.VOID_PENDING) else 0
    return Transfer(
        debit, credit, amount, kind, tap.occurred_at, tap.service_day, flags | Flag.PROVEN, hold=hold,
        uid=tap.uid, tmc=tap.tmc, terminal=tap.terminal, sequence=tap.sequence,
    )  # fmt: skip
