"""The unit that authorises a load: a hold, where the books, the card and the terminal's day allow it."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final

from keys.bundle import BundleKind
from keys.clock import service_day
from keys.money import Rupiah, rupiah_of, sen_of
from ledger.bundles.blocks import block_of
from ledger.bundles.store import last_number
from ledger.chart import purse
from ledger.enrolment.store import moved_in
from ledger.errors import LoadRefused
from ledger.intake import posting
from ledger.intake.authorised import store as authorised
from ledger.intake.authorised.store import AUTHORISED, is_being_loaded, promised
from ledger.intake.limits import limits_of
from ledger.rules import change
from ledger.transfer import Flag, Result
from ledger.wallets.loads.store import waiting_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from keys.identity import TerminalCertificate
    from ledger.intake.cards.issued import Card
    from ledger.intake.load_requests import LoadRequest
    from ledger.intake.refunds import Refundable
    from ledger.transfer import Transfer
    from ledger.writer import Posted, Transaction

_WHY: Final = {
    Result.EXCEEDS_CEILING: "the purse may hold {limit} rupiah at most: load less",
    Result.EXCEEDS_MONTH: "the card may take in {monthly} rupiah a month: load less, or next month",
    Result.ACCOUNT_CLOSED: "the card's account is closed: do not take the cash, send the holder to a counter",
    Result.CREDITS_FROZEN: "the card's account is frozen: do not take the cash, send the holder to a counter",
}
"""What the books answer to a load that an account's rules forbid."""


class Authorise:
    """Places the hold, or says why not; the same request again finds the hold that it has."""

    document = b""

    def __init__(
        self,
        request: LoadRequest,
        card: Card,
        certificate: TerminalCertificate,
        identity: bytes,
        unsettled: int,
        refundable: Refundable | None,
    ) -> None:
        self._refundable = refundable
        self.request = request
        self._card = card
        self._certificate = certificate
        self._identity = identity
        self._known: int | None = None
        self._hold = 0
        self.rules = limits_of(card, unsettled)
        self.refused: Result | None = None
        self.hotlist = 0

    @property
    def fresh(self) -> bool:
        """True where the request was never seen before."""
        return self._known is None

    def why(self, refused: Result) -> str:
        """What the terminal is told of a hold that the books refuse."""
        told = _WHY.get(refused, f"the books refuse it ({refused.name.lower()})")
        limits = limits_of(self._card, 0)  # the card's own, whatever room its torn loads were given besides
        return told.format(limit=limits.ceiling, monthly=limits.monthly)

    def plan(self, tx: Transaction) -> Sequence[Transfer]:
        """The hold, and the account's rules before it where they changed; nothing for a lock, an order, and what was asked before. Raises LoadRefused."""
        request, terminal = self.request, self._certificate.terminal
        known = authorised.load_of(tx.connection, terminal, request.request)
        if known is not None:
            if known.digest != self._identity:
                raise LoadRefused(
                    f"request {request.request} of terminal {terminal} was another one: take a new number"
                )
            self._known, self.request = known.hold, replace(request, amount=Rupiah(known.amount))
            return ()
        if block_of(tx.connection, self._card) is not None:
            self.request, self.hotlist = request.locking(), last_number(tx.connection, BundleKind.HOTLIST)
            return ()
        if request.locks:
            raise LoadRefused("the card is not blocked in the books: fetch the newest hotlist")
        if self._refundable is not None:
            request = self.request = replace(request, amount=self._refundable.amount(request.amount, tx))
        if request.ordered:
            request = self.request = replace(request, amount=self._ordered(tx))
        self._require_within_the_day(tx)
        if request.ordered:
            return ()
        owner, number = self._certificate.owner, self._card.card_number
        hold = posting.hold_credit(
            request.kind, number, owner, request.amount, tx.received_at, self._card.uid
        )
        known_rules = tx.rules(purse(number))
        self.rules = replace(self.rules, flags=known_rules.flags)
        if known_rules == self.rules:
            return [hold]
        return [change(purse(number), self.rules, tx.received_at, Flag.LINKED), hold]

    def _ordered(self, tx: Transaction) -> Rupiah:
        """What waits for the card, held in its wallet already; raises LoadRefused."""
        one = waiting_of(tx.connection, self._card.partition, self._card.uid)
        if one is None or not tx.pending(one.hold):
            raise LoadRefused("nothing waits for this card: order a load on the card's page")
        if is_being_loaded(tx.connection, one.hold):
            raise LoadRefused("this load is being written just now: hold the card again in a moment")
        self._hold = one.hold
        return rupiah_of(one.amount)

    def _require_within_the_day(self, tx: Transaction) -> None:
        """What the kiosk moved in this service day, what it was promised, and this load: within its certificate's limit."""
        terminal, limit = self._certificate.terminal, self._certificate.rights.daily_limit
        moved = moved_in(tx.connection, terminal, service_day(tx.received_at))
        if moved + sen_of(Rupiah(promised(tx.connection, terminal) + self.request.amount)) > sen_of(limit):
            raise LoadRefused(
                f"this terminal may move {limit} rupiah a day: do not take the cash, send the holder to another"
            )

    def settle(self, posted: Sequence[Posted], tx: Transaction) -> int:
        """Keep the request with its hold; the hold's position, 0 where the books refuse it."""
        if self._known is not None:
            return self._known
        if not self.request.ordered and not self.request.locks:
            placed = posted[-1]
            if placed.result is not Result.POSTED:
                self.refused = placed.result
                return 0
            self._hold = placed.position
        request, sale = self.request, self.request.sale
        about = () if sale is None else (sale.terminal, sale.sequence, sale.reason)
        authorised.insert_load(
            tx.connection,
            authorised.LoadRow(
                self._certificate.terminal, request.request, self._identity, self._card.uid, request.amount,
                self._hold, tx.received_at, AUTHORISED, b"", *about,
            ),
        )  # fmt: skip
        return self._hold
