"""The saving desk: links, what the bank says, money from the account into the wallet and back. Implements `ledger.cardholder.savings.Savings`."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from keys.money import Sen
from ledger.cardholder.reading import wallet
from ledger.cardholder.savings import Consent, LinkState, Mirror, Order, Progress, Saving
from ledger.cardholder.unit import noted
from ledger.chart import Code, account_id, partition_of
from ledger.errors import SavingReason, SavingRefused
from ledger.transfer import Kind
from settlement.banks import store as payments
from settlement.banks.desk import PaymentDesk
from settlement.banks.payment import OPEN, Payment, Record, State
from settlement.banks.services import BankServices
from settlement.errors import BankError, PaymentInvalid
from settlement.saving import mirror, store
from settlement.saving.links import PREFIX, Links
from settlement.snap.codes import Service

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from keys.clock import Clock
    from ledger.book import Ledger
    from ledger.cardholder.sealing import Sealing
    from ledger.chart import AccountId
    from ledger.intake.cards.issued import Card
    from ledger.store import Connection
    from settlement.banks.line import BankLine
    from settlement.saving.store import Link

KEY: Final = re.compile(r"[0-9A-Za-z]{1,13}\Z")
_CARD_DIGITS: Final = 16


@dataclass(frozen=True, slots=True)
class SavingBank:
    """A bank at which accounts are linked: its number in the books, how people call it, our account there, the prefix of its virtual accounts ("": none)."""

    code: int
    title: str
    account: str
    service_id: str = ""


class SavingDesk:
    """Works on cards' saving accounts; safe to use from several threads."""

    def __init__(
        self, ledger: Ledger, lines: Mapping[str, BankLine], banks: Mapping[str, SavingBank], sealing: Sealing, clock: Clock
    ) -> None:  # fmt: skip
        self._ledger = ledger
        self._banks = banks
        self._clock = clock
        self.links = Links(ledger, sealing, self.services, clock)
        self.payments = PaymentDesk(ledger, lines, clock, self.links.opened)

    def services(self, bank: str) -> BankServices:
        """What may be asked of a bank."""
        return BankServices(self.payments.line(bank), lambda: self.payments.external_ids.next(bank))

    def banks(self) -> Sequence[tuple[str, str]]:
        """See `Savings.banks`."""
        return [(name, one.title) for name, one in self._banks.items()]

    def account_at(self, bank: str) -> str:
        """Our account at a bank; raises SavingRefused."""
        return self._bank(bank).account

    def of(self, card: Card) -> Sequence[Saving]:
        """See `Savings.of`."""
        with self._ledger.database.transaction() as connection:
            return [self._shown(connection, one) for one in store.links_of(connection, card)]

    def orders(self, card: Card) -> Sequence[Order]:
        """See `Savings.orders`."""
        with self._ledger.database.transaction() as connection:
            return [self._order(one) for one in payments.beginning(connection, prefix_of(card.uid))]

    def numbers(self, card: Card) -> Sequence[tuple[str, str]]:
        """See `Savings.numbers`."""
        with self._ledger.database.transaction() as connection:
            return [(self._title(bank), number) for bank, number in store.numbers_of(connection, card)]

    def link(self, card: Card, bank: str, code: str, consents: Collection[Consent]) -> None:
        """See `Savings.link`. Where the bank does not answer, the link is brought to its end later."""
        self._bank(bank)
        made = self.links.link(card, bank, code, consents)
        if Consent.BALANCE in made.consents:
            self._looked(made)

    def revoke(self, card: Card, ordinal: int) -> None:
        """See `Savings.revoke`."""
        self.links.revoke(self._link(card, ordinal))

    def look(self, card: Card, ordinal: int) -> None:
        """See `Savings.look`."""
        link = self.links.bring_on(self._link(card, ordinal))
        for order in self._given(link):
            if order.state in OPEN:
                self.payments.advance(order.payment.reference)
        _agreed(link, Consent.BALANCE)
        if not self._looked(link):
            raise SavingRefused(
                f"{link.bank} does not answer: what it said last is shown", SavingReason.SILENT
            )

    def move(self, card: Card, ordinal: int, amount: Sen, key: str) -> Order:
        """See `Savings.move`. The order is kept before the bank hears of it; whatever is lost, it happens once."""
        if not KEY.match(key):
            raise SavingRefused("a key has 1 to 13 letters and digits", SavingReason.AMOUNT)
        link = self._link(card, ordinal)
        payment = self._payment(card, link, amount, key)
        with self._ledger.database.transaction() as connection:
            known = payments.find(connection, payment.reference)
        if known is None:
            _agreed(link, Consent.TOP_UP if amount > 0 else Consent.SWEEP)
        try:
            record = self.payments.pay(payment)
        except PaymentInvalid as error:
            why = SavingReason.AMOUNT if not amount else SavingReason.WALLET
            raise SavingRefused(str(error), why) from None
        if record.state is State.DONE and known is None and Consent.BALANCE in link.consents:
            self._looked(link)
        return self._order(record)

    def number(self, card: Card, bank: str) -> str:
        """See `Savings.number`."""
        prefix = self._bank(bank).service_id
        if not prefix:
            raise SavingRefused(f"{bank} gives no virtual accounts", SavingReason.NO_BANK)
        with self._ledger.database.transaction() as connection:
            known = dict(store.numbers_of(connection, card)).get(bank)
        if known is not None:
            return known
        customer = str(card.card_number)
        try:
            made = self.services(bank).open_virtual_account(
                prefix, customer, f"KARTU {customer[-4:]}", f"{PREFIX}VA-{customer}"
            )
        except BankError as error:
            raise SavingRefused(f"{bank} does not open it now: {error}", SavingReason.SILENT) from error
        at = self._clock.now()
        noted(self._ledger, lambda connection: store.keep_number(connection, card, bank, made, at))
        return made

    def accounts(self, bank: str, number: str) -> tuple[AccountId, AccountId] | None:
        """Our account at a bank and the wallet that a virtual account pays into; None where the number is none of ours."""
        digits = number[-_CARD_DIGITS:]
        if (
            bank not in self._banks
            or len(digits) < _CARD_DIGITS
            or not (digits.isascii() and digits.isdigit())
        ):
            return None
        card_number = int(digits) // 10
        partition = partition_of(card_number)
        with self._ledger.database.transaction() as connection:
            if not store.is_opened(connection, partition, bank, number):
                return None
        ours = account_id(Code.BANK_SETTLEMENT, partition, self._banks[bank].code)
        return ours, account_id(Code.WALLET, partition, card_number)

    def resume(self) -> None:
        """Bring on everything that is on its way: links, then payments. After a start, and before a window closes."""
        self.links.resume()
        self.payments.resume()

    def _bank(self, name: str) -> SavingBank:
        found = self._banks.get(name)
        if found is None:
            raise SavingRefused(f"no accounts are linked at {name}", SavingReason.NO_BANK)
        return found

    def _title(self, bank: str) -> str:
        found = self._banks.get(bank)
        return bank if found is None else found.title

    def _link(self, card: Card, ordinal: int) -> Link:
        with self._ledger.database.transaction() as connection:
            found = store.link_at(connection, card.partition, card.uid, ordinal)
        if found is None:
            raise SavingRefused("there is no such link", SavingReason.NO_LINK)
        return found

    def _given(self, link: Link) -> list[Record]:
        with self._ledger.database.transaction() as connection:
            return [one for one in payments.beginning(connection, prefix_of(link.uid)) if is_by(one, link)]

    def _payment(self, card: Card, link: Link, amount: Sen, key: str) -> Payment:
        """The order as a payment; what is sealed stands in it as a handle."""
        bank, reference = self._bank(link.bank), prefix_of(card.uid) + key
        ours, mine = account_id(Code.BANK_SETTLEMENT, card.partition, bank.code), wallet(card)
        if amount > 0:
            return Payment(
                reference, link.bank, Service.DIRECT_DEBIT, amount, link.handle, bank.account, text="isi dompet",
                debit=ours, credit=mine, kind=Kind.DEPOSIT,
            )  # fmt: skip
        return Payment(
            reference, link.bank, Service.INTRABANK, Sen(-amount), bank.account, link.handle, text="ke tabungan",
            debit=mine, credit=ours, kind=Kind.PAYOUT,
        )  # fmt: skip

    def _looked(self, link: Link) -> bool:
        """Ask the bank what an account holds, and keep what it says; False where it says nothing."""
        try:
            account = self.links.account(link)
            said = self.services(link.bank).balance(account.number, account.token)
        except (BankError, SavingRefused):
            return False
        at = self._clock.now()

        def keep(connection: Connection) -> None:
            store.put_mirror(
                connection, link, mirror.asked(store.mirror_of(connection, link), said.balance, at)
            )

        noted(self._ledger, keep)
        return True

    def _shown(self, connection: Connection, link: Link) -> Saving:
        held = store.mirror_of(connection, link)
        given = [one for one in payments.beginning(connection, prefix_of(link.uid)) if is_by(one, link)]
        done = [
            one for one in given if one.state is State.DONE and held is not None and one.changed_at > held.at
        ]
        since = sum(mirror.signed(one) for one in done)
        shown = None if held is None else Mirror(held.balance, held.at, held.source)
        return Saving(
            link.ordinal, self._title(link.bank), link.digits, link.state, link.consents, link.consented_at, link.revoked_at,
            shown, Sen(since),
        )  # fmt: skip

    def _order(self, record: Record) -> Order:
        one = record.payment
        progress = {State.DONE: Progress.DONE, State.FAILED: Progress.FAILED}.get(record.state, Progress.OPEN)
        amount = one.amount if one.service is Service.DIRECT_DEBIT else Sen(-one.amount)
        return Order(one.reference, self._title(one.bank), amount, progress, record.changed_at)


def prefix_of(uid: int) -> str:
    """What the references of a card's orders begin with: at most 22 characters, so that a statement has room for all of one."""
    return f"{PREFIX}{uid}-"


def is_by(record: Record, link: Link) -> bool:
    """Whether an order was given by this link."""
    return link.handle in {record.payment.source, record.payment.beneficiary}


def _agreed(link: Link, consent: Consent) -> None:
    if link.state is not LinkState.ACTIVE:
        raise SavingRefused("there is no such link in force", SavingReason.NO_LINK)
    if consent not in link.consents:
        raise SavingRefused(f"the holder did not agree to {consent.value}", SavingReason.NO_CONSENT)
