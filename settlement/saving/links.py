"""Consents: asked for durably before the bank hears of it, so that one which was cut off is brought to its end; ended here before the bank is told."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final

from ledger.cardholder.resealing import EACH, renewed
from ledger.cardholder.savings import Consent, LinkState
from ledger.cardholder.unit import noted
from ledger.errors import DatabaseDamaged, SavingReason, SavingRefused
from settlement.errors import BankError, BankRefused, PaymentInvalid
from settlement.saving import store
from settlement.saving.store import Link
from settlement.snap.codes import ResponseCode, Service, Verdict

if TYPE_CHECKING:
    from collections.abc import Callable, Collection

    from keys.clock import Clock
    from ledger.book import Ledger
    from ledger.cardholder.sealing import Sealing
    from ledger.intake.cards.issued import Card
    from ledger.store import Connection
    from settlement.banks.payment import Payment
    from settlement.banks.services import BankServices

PREFIX: Final = "SAV-"
"""What references of saving orders begin with."""
LINKS_MAX: Final = 100
"""Links of one card, ended ones too."""
CODE_CHARS_MAX: Final = 256
_CONTEXT: Final = "saving"
_HANDLE_DIGITS: Final = 3


@dataclass(frozen=True, slots=True)
class Account:
    """What is sealed: the account's number and the token that stands for the consent."""

    number: str
    token: str

    def __repr__(self) -> str:
        return f"<Account ..{self.number[-4:]}>"


def is_no(error: BankError) -> bool:
    """Whether a bank said no for good; everything else may be asked again."""
    code = ResponseCode.parse(error.code) if isinstance(error, BankRefused) else None
    return code is not None and code.verdict is Verdict.REFUSED


class Links:
    """Makes links, ends them, and opens what is sealed in them."""

    def __init__(
        self, ledger: Ledger, sealing: Sealing, services: Callable[[str], BankServices], clock: Clock
    ) -> None:
        self._ledger = ledger
        self._sealing = sealing
        self._services = services
        self._clock = clock

    def link(self, card: Card, bank: str, code: str, consents: Collection[Consent]) -> Link:
        """Link the account whose holder got this code from the bank. Raises SavingRefused."""
        if not consents:
            raise SavingRefused("without an agreement nothing is linked", SavingReason.NO_CONSENT)
        if not 0 < len(code) <= CODE_CHARS_MAX or not code.isprintable():
            raise SavingRefused(
                "the bank gives the holder a code: type it as it stands there", SavingReason.CODE
            )
        sealed, at = self._sealing.seal(_CONTEXT, card.uid, json.dumps([code]).encode()), self._clock.now()

        def ask(connection: Connection) -> Link:
            known = store.links_of(connection, card)
            if any(one.bank == bank and one.state in {LinkState.ACTIVE, LinkState.ASKED} for one in known):
                raise SavingRefused(
                    f"an account at {bank} is linked already: end that first", SavingReason.LINKED
                )
            if len(known) >= LINKS_MAX:
                raise SavingRefused(
                    f"a card has at most {LINKS_MAX} links: ask at a counter", SavingReason.LINKED
                )
            agreed = tuple(one for one in Consent if one in consents)
            made = Link(
                card.partition, card.uid, len(known) + 1, bank, LinkState.ASKED, agreed, at, sealed=sealed
            )
            store.put_link(connection, made)
            return made

        return self.bring_on(noted(self._ledger, ask))

    def bring_on(self, link: Link) -> Link:
        """Ask the bank for a consent that was asked for, or tell it of one that ended. Raises SavingRefused where it says no, or nothing."""
        if link.state is LinkState.ASKED:
            return self._bind(link)
        return self._unbind(link) if link.state is LinkState.REVOKING else link

    def resume(self) -> list[Link]:
        """Bring all links that are on their way on, as far as their banks answer."""
        with self._ledger.database.transaction() as connection:
            waiting = store.links_in(connection, LinkState.ASKED, LinkState.REVOKING)
        done = []
        for one in waiting:
            try:
                done.append(self.bring_on(one))
            except SavingRefused:
                continue  # the bank does not answer now, or has said no for good
        return done

    def revoke(self, link: Link) -> Link:
        """End a consent, then tell the bank; where the bank does not answer, it is told later."""
        if link.state not in {LinkState.ACTIVE, LinkState.REVOKING}:
            raise SavingRefused("there is no such link in force", SavingReason.NO_LINK)
        ended = self._put(
            replace(link, state=LinkState.REVOKING, revoked_at=link.revoked_at or self._clock.now())
        )
        try:
            return self.bring_on(ended)
        except SavingRefused:
            return ended

    def account(self, link: Link) -> Account:
        """What a link in force stands for; raises SavingRefused, DatabaseDamaged."""
        if link.state not in {LinkState.ACTIVE, LinkState.REVOKING} or not link.sealed:
            raise SavingRefused("there is no such link in force", SavingReason.NO_LINK)
        number, token = self._open(link)
        return Account(number, token)

    def opened(self, payment: Payment) -> Payment:
        """A payment with the account or token that its handle stands for; raises PaymentInvalid where the consent has ended."""
        if not payment.reference.startswith(PREFIX):
            return payment
        is_debit = payment.service is Service.DIRECT_DEBIT
        handle = payment.source if is_debit else payment.beneficiary
        link = self._handled(payment, handle)
        wanted = Consent.TOP_UP if is_debit else Consent.SWEEP
        if link is None or link.state is not LinkState.ACTIVE or wanted not in link.consents:
            raise PaymentInvalid(f"{payment.reference}: the holder's consent has ended")
        account = self.account(link)
        return (
            replace(payment, source=account.token)
            if is_debit
            else replace(payment, beneficiary=account.number)
        )

    def _handled(self, payment: Payment, handle: str) -> Link | None:
        wallet = payment.credit if payment.service is Service.DIRECT_DEBIT else payment.debit
        uid, ordinal = handle[:-_HANDLE_DIGITS], handle[-_HANDLE_DIGITS:]
        if not (uid.isascii() and uid.isdigit() and ordinal.isdigit()):
            return None
        with self._ledger.database.transaction() as connection:
            return store.link_at(connection, wallet >> 50 & 63, int(uid), int(ordinal))

    def _bind(self, link: Link) -> Link:
        (code,) = self._open(link)
        try:
            bound = self._services(link.bank).bind(f"{PREFIX}BIND-{link.handle}", code)
        except BankError as error:
            if is_no(error):
                self._put(replace(link, state=LinkState.REFUSED, sealed=b""))
                raise SavingRefused(
                    f"{link.bank} does not take the code: {error}", SavingReason.CODE
                ) from None
            raise SavingRefused(
                f"{link.bank} does not answer: it is asked again", SavingReason.SILENT
            ) from error
        sealed = self._sealing.seal(_CONTEXT, link.uid, json.dumps([bound.account, bound.token]).encode())
        return self._put(replace(link, state=LinkState.ACTIVE, digits=bound.account[-4:], sealed=sealed))

    def _unbind(self, link: Link) -> Link:
        try:
            self._services(link.bank).unbind(f"{PREFIX}END-{link.handle}", self.account(link).token)
        except BankError as error:
            if not is_no(error):  # a bank that knows of no such consent has ended it too
                raise SavingRefused(
                    f"{link.bank} does not answer: it is told later", SavingReason.SILENT
                ) from error
        return self._put(replace(link, state=LinkState.REVOKED, sealed=b""))

    def seal_anew(self) -> int:
        """Seal accounts that are in an older form anew, some at each closing; how many."""
        with self._ledger.database.transaction() as connection:
            old = store.links_sealed_otherwise(connection, self._sealing.newest, EACH)
        fresh = [
            (one, sealed) for one in old if (sealed := renewed(self._sealing, _CONTEXT, one.uid, one.sealed))
        ]

        def keep(connection: Connection) -> None:
            for one, sealed in fresh:
                # Else it was changed since it was read.
                if store.link_at(connection, one.partition, one.uid, one.ordinal) == one:
                    store.put_link(connection, replace(one, sealed=sealed))

        if fresh:
            noted(self._ledger, keep)
        return len(fresh)

    def _put(self, link: Link) -> Link:
        def keep(connection: Connection) -> Link:
            store.put_link(connection, link)
            if link.state is LinkState.REVOKED:
                store.forget_mirror(connection, link)
            return link

        return noted(self._ledger, keep)

    def _open(self, link: Link) -> list[Any]:
        read = json.loads(self._sealing.open(_CONTEXT, link.uid, link.sealed))
        if not isinstance(read, list):
            raise DatabaseDamaged("a link to a saving account is not what was sealed: restore it from backup")
        return read
