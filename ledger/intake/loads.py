"""Authorise a load online: a hold on cash at the agent, completed by the card's evidence or voided by it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final

from card.batch import (
    LOAD_CONTENT_TYPE,
    LOCK_CONTENT_TYPE,
    ORDERED_CONTENT_TYPE,
    REFUND_CONTENT_TYPE,
    digest,
)
from card.layout import TapKind
from keys import cbor, envelope
from keys.bundle import BundleKind
from keys.clock import service_day
from keys.errors import CborMalformed, EnvelopeError, SignatureWrong
from keys.identity import TerminalRole
from keys.money import Rupiah, rupiah_of, sen_of
from keys.rights import Right
from ledger.bundles.blocks import block_of
from ledger.bundles.store import last_number
from ledger.chart import purse
from ledger.enrolment.store import moved_in
from ledger.errors import BatchMalformed, LoadRefused, SignatureRefused
from ledger.intake import posting
from ledger.intake.authorised import store as authorised
from ledger.intake.authorised.store import AUTHORISED, is_being_loaded, promised
from ledger.intake.limits import limits_of
from ledger.intake.refunds import Refundable, need_right, sale_of
from ledger.rules import change
from ledger.transfer import Flag, Result
from ledger.wallets.loads.store import waiting_of

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from keys.clock import Clock
    from keys.identity import TerminalCertificate
    from ledger.book import Ledger
    from ledger.intake.intents import Intents
    from ledger.intake.refunds import Sale
    from ledger.intake.registry import Card, Registry
    from ledger.transfer import Transfer
    from ledger.writer import Posted, Transaction

REQUEST_BYTES_MAX = 4096
_FIELDS = 4


@dataclass(frozen=True, slots=True)
class LoadRequest:
    """What a terminal asks for: whom, how much (rupiah), the request's number, unique a terminal; the sale that is given back, None for a load.

    `ordered` tells whether it is what the card's holder ordered from the wallet: then the order says how much. `locks`: nothing is loaded, the card
    is blocked and is to be locked.
    """

    uid: bytes
    amount: Rupiah
    request: int
    sale: Sale | None = None
    ordered: bool = False
    locks: bool = False

    @property
    def kind(self) -> TapKind:
        """What the card's record will say."""
        if self.locks:
            return TapKind.LOCK
        return TapKind.LOAD if self.sale is None else TapKind.REFUND

    def locking(self) -> LoadRequest:
        """What becomes of it where the card is blocked."""
        return replace(self, amount=Rupiah(0), sale=None, ordered=False, locks=True)


def parse_request(payload: bytes, *, refund: bool = False, ordered: bool = False) -> LoadRequest:
    """From CBOR [uid, amount, request number, asked at], for a refund with [terminal, sequence, reason] behind; of an order the amount is 0. Raises BatchMalformed."""
    try:
        fields: Any = cbor.decoded(payload)
    except CborMalformed:
        raise BatchMalformed("the load request is no CBOR") from None
    if not isinstance(fields, list) or len(fields) < _FIELDS or not isinstance(fields[0], bytes):
        raise BatchMalformed("a load request is an array of UID, amount, request number and time")
    uid, *numbers = fields[:_FIELDS]
    if not refund and len(fields) != _FIELDS:
        raise BatchMalformed("a load request is an array of UID, amount, request number and time")
    sale = sale_of(fields[_FIELDS:]) if refund else None
    least = (0 if refund or ordered else 1, 1, 1)  # a refund of 0 is one of the whole sale
    if not all(
        type(number) is int and low <= number < 1 << 62 for number, low in zip(numbers, least, strict=True)
    ):
        raise BatchMalformed("amount, request number and time of a load request are positive integers")
    return LoadRequest(uid, Rupiah(numbers[0]), numbers[1], sale, ordered)


@dataclass(frozen=True, slots=True)
class Admitted:
    """A request that may go on: its card, its kiosk, the position of its hold, and whether it is new; for a lock the number of the newest hotlist."""

    request: LoadRequest
    card: Card
    certificate: TerminalCertificate
    hold: int
    fresh: bool
    hotlist: int = 0


class Loads:
    """The door for load requests."""

    def __init__(self, ledger: Ledger, registry: Registry, intents: Intents, clock: Clock) -> None:
        self._ledger = ledger
        self._registry = registry
        self._intents = intents
        self._clock = clock

    def _unsettled(self, uid: int) -> int:
        """What is held for a card's torn loads and refunds, in sen: the card itself says what became of them before it takes another."""
        loads = [
            one.record for one in self._intents.of(uid) if one.record.kind in {TapKind.LOAD, TapKind.REFUND}
        ]
        return sum(sen_of(record.amount) for record in loads)

    def admit(self, body: bytes, give_way: Callable[[int, LoadRequest], None] = lambda *_: None) -> Admitted:
        """A signed request, with its hold; the same request again gets the same hold, and is not fresh. For a blocked card any becomes a lock, and holds nothing.

        `give_way` hears of a refund before it is looked at: one of before that the card left is over then. Raises BatchMalformed, SignatureRefused, TerminalUnknown, LoadRefused.
        """
        try:
            message = envelope.parse(body[:REQUEST_BYTES_MAX])
        except EnvelopeError as error:
            raise BatchMalformed(f"{error}: send a signed load request") from None
        certificate = self._registry.terminal(int.from_bytes(message.kid, "big"), self._clock.now())
        try:
            payload = message.verify(certificate.public_key)
        except SignatureWrong:
            raise SignatureRefused(f"the signature is not terminal {certificate.terminal}'s") from None
        request = _requested(message.content_type, payload, certificate)
        card = self._registry.card(int.from_bytes(request.uid, "big"))
        if card is None:
            raise LoadRefused("no card with this UID was issued here: do not take the cash")
        if request.sale is not None or request.ordered:
            give_way(certificate.terminal, request)
        refundable = (
            None if request.sale is None else Refundable(self._registry, certificate, card, request.sale)
        )
        unit = _Authorise(request, card, certificate, digest(payload), self._unsettled(card.uid), refundable)
        hold: int = self._ledger.writer.submit(unit).result()
        if unit.refused is not None:
            raise LoadRefused(
                _WHY.get(unit.refused, f"the books refuse it ({unit.refused.name.lower()})").format(
                    limit=unit.rules.ceiling, monthly=unit.rules.monthly
                )
            )
        return Admitted(unit.request, card, certificate, hold, unit.fresh, unit.hotlist)


def need_load_right(certificate: TerminalCertificate) -> None:
    """Raises LoadRefused for a terminal whose certificate does not let it write loads."""
    if Right.LOAD not in certificate.rights.kinds:
        raise LoadRefused(f"terminal {certificate.terminal} may not load: its certificate does not say so")


def _requested(content_type: str, payload: bytes, certificate: TerminalCertificate) -> LoadRequest:
    """What a terminal asks for, where it may; raises LoadRefused, BatchMalformed."""
    if content_type == REFUND_CONTENT_TYPE:
        need_right(certificate)
        return parse_request(payload, refund=True)
    if content_type == ORDERED_CONTENT_TYPE:
        need_load_right(certificate)
        return parse_request(payload, ordered=True)
    if content_type == LOCK_CONTENT_TYPE:  # any terminal may show a blocked card
        return parse_request(payload, ordered=True).locking()
    if content_type != LOAD_CONTENT_TYPE or certificate.role is not TerminalRole.KIOSK:
        raise LoadRefused(f"terminal {certificate.terminal} is a {certificate.role}: only a kiosk may load")
    return parse_request(payload)


_WHY: Final = {
    Result.EXCEEDS_CEILING: "the purse may hold {limit} rupiah at most: load less",
    Result.EXCEEDS_MONTH: "the card may take in {monthly} rupiah a month: load less, or next month",
    Result.ACCOUNT_CLOSED: "the card's account is closed: do not take the cash, send the holder to a counter",
    Result.CREDITS_FROZEN: "the card's account is frozen: do not take the cash, send the holder to a counter",
}
"""What the books answer to a load that an account's rules forbid."""


class _Authorise:
    """The unit that places the hold."""

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

    def plan(self, tx: Transaction) -> Sequence[Transfer]:
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
