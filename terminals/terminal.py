"""A terminal: one machine with its identity, its keys, its outbox and its tariff; what it does with a card."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final

from card import purse
from card.batch import RELAYED_FROM, Context
from card.errors import CardRefused
from card.layout import NEVER, Concession, Identity, Journey, JourneyState, TapKind
from card.purse import Change
from keys.clock import UnixMs, service_day
from keys.freshqr import FreshQr
from keys.money import Rupiah
from keys.vault import Role
from terminals import fares, loading
from terminals.bundles.in_use import InUse
from terminals.errors import LoadDenied, Offline, UploadRefused
from terminals.fares import FareRefused
from terminals.locking import Admission
from terminals.tap import Colour, Outcome, TapMachine, Wish
from terminals.upkeep import Parts, Upkeep

if TYPE_CHECKING:
    from card.batch import TapRecord
    from card.inspecting import Inspection
    from card.purse import OpenCard
    from card.transport import Transport
    from terminals.fares import FareDecision, Place
    from terminals.loading import Show
    from terminals.refunds import Sale

SOMEBODY: Final = Identity(
    0, 0, 0, registered=False, concession=Concession.GENERAL, concession_until=NEVER, valid_until=NEVER
)
"""A rider of whom nothing is known."""


class Terminal(Upkeep):
    """What a conductor, a merchant or a kiosk's attendant uses."""

    def __init__(self, parts: Parts) -> None:
        super().__init__(parts)
        vault = InUse(parts.vault, self._rules)
        self._locked_far: tuple[bytes, int] | None = None
        admission = Admission(parts.number, self._rules, parts.clock, lambda: self.standing)
        self._machine = TapMachine(parts.outbox, vault, admission, self._lock_far)

    def fare(self, card: Transport, place: Place, *, companion: bool = False) -> Outcome:
        """Take the fare of a single tap, or with `companion` once more for somebody beside the card's holder."""

        def wish(open_: OpenCard, sequence: int) -> Wish:
            at = self._parts.clock.now()
            tariff = self._rules.tariff(at)
            decided = fares.decide(tariff, open_.identity, open_.journey, at, place, companion=companion)
            return self._ride(TapKind.FARE, decided, place, sequence, at)

        return self._machine.run(card, Role.DEBIT, wish)

    def full_fare(self, place: Place) -> Rupiah:
        """What a rider without a concession pays here now, for a screen that says it before anybody taps; 0 where none is known."""
        at = self._parts.clock.now()
        try:
            return fares.decide(self._rules.tariff(at), SOMEBODY, Journey(), at, place).amount
        except FareRefused:
            return Rupiah(0)

    def cash_fares(self, place: Place) -> tuple[tuple[Concession, Rupiah], ...]:
        """What each rider class of the tariff pays here now in cash, the general one first; empty where no fare is known."""
        at = self._parts.clock.now()
        tariff = self._rules.tariff(at).in_cash()
        riders = [replace(SOMEBODY, concession=one) for one in Concession]
        known = [one for one in riders if not tariff.category(one, service_day(at))[1]]
        try:
            return tuple(
                (one.concession, fares.decide(tariff, one, Journey(), at, place).amount) for one in known
            )
        except FareRefused:
            return ()

    def inspect(self, card: Transport) -> tuple[Outcome, Inspection | None]:
        """Look at a card: green with its balance, and what it told (None where it told nothing, or is blocked: then it is locked)."""
        return self._machine.look(card, Role.READ)

    def fresh_code(self, found: Inspection) -> str:
        """What was just seen on a card, signed by this terminal for a phone to scan: good for two minutes and one look (`keys.freshqr`)."""
        number, counter = found.identity.card_number, found.seen.tmc
        at = self._parts.clock.now()
        return FreshQr.made(self._parts.link.sign, self.number, number, found.balance, counter, at).text()

    def tap_in(self, card: Transport, place: Place) -> Outcome:
        """Begin a ride; `most` is what it may cost."""
        most: list[Rupiah] = []

        def wish(open_: OpenCard, sequence: int) -> Wish:
            at = self._parts.clock.now()
            decided = fares.tap_in(self._rules.tariff(at), open_.identity, open_.journey, at, place)
            most.append(decided.journey.provisional)
            return self._ride(TapKind.TAP_IN, decided, place, sequence, at)

        return _with_most(self._machine.run(card, Role.DEBIT, wish), most)

    def tap_out(self, card: Transport, place: Place) -> Outcome:
        """End a ride; `most` is what it might have cost, 0 where none was open."""
        most: list[Rupiah] = []

        def wish(open_: OpenCard, sequence: int) -> Wish:
            at = self._parts.clock.now()
            decided = fares.tap_out(self._rules.tariff(at), open_.identity, open_.journey, at, place)
            inside = open_.journey.state is JourneyState.INSIDE and "missing-tap-in" not in decided.rules
            most.append(open_.journey.provisional if inside else Rupiah(0))
            return self._ride(TapKind.TAP_OUT, decided, place, sequence, at)

        return _with_most(self._machine.run(card, Role.DEBIT, wish), most)

    def is_gated(self, place: Place) -> bool:
        """Whether rides are tapped in and out here, by the tariff of now."""
        return self._rules.tariff(self._parts.clock.now()).is_gated(place.route_number)

    def _ride(self, kind: TapKind, decided: FareDecision, place: Place, sequence: int, at: UnixMs) -> Wish:
        reference = place.route_number << 32 | place.stop_number
        journey = decided.journey if decided.journey.known else None
        change = Change(kind, decided.amount, journey, self.number, sequence, at, reference)
        tariff = self._rules.tariff(at).version
        return Wish(change, Context(place.route, place.stop, str(place.vehicle), tariff, decided.rules))

    def sale(self, card: Transport, amount: Rupiah) -> Outcome:
        """Take the price of a sale; red where it is nothing or less."""

        def wish(open_: OpenCard, sequence: int) -> Wish:
            at = self._parts.clock.now()
            fares.need_in_date(open_.identity, at)
            if amount <= 0:
                raise CardRefused("a sale has a price: enter one", reason="no-price")
            self._rules.need_sale_within(amount, at)
            change = Change(TapKind.SALE, amount, None, self.number, sequence, at)
            return Wish(change, Context(rules=("sale",)))

        def wanted(record: TapRecord) -> bool:
            return record.kind is TapKind.SALE and record.amount == -amount

        return self._machine.run(card, Role.DEBIT, wish, wanted)

    @property
    def next_load(self) -> int:
        """The number that the record of the next load gets."""
        return RELAYED_FROM + self.outbox.last_request + 1

    def load(self, card: Transport, amount: Rupiah, show: Show | None = None) -> Outcome:
        """Load cash onto a card: the ledger speaks to it, this terminal carries the bytes and holds no key for it.

        `show` hears the outcome before the card may be given newer keys, which takes a moment more.
        Raises Offline, LoadDenied, UploadRefused before the card is touched.
        """
        if (refused := self._refusal(card, amount)) is not None:  # before any cash is held
            return refused
        request = self.outbox.next_request()
        return loading.load(self._parts.link, card, amount, request, self._parts.clock.now(), show)

    def load_ordered(self, card: Transport, show: Show | None = None) -> Outcome:
        """Write what the card's holder ordered from the wallet, as `load` does; LoadDenied where nothing waits for this card."""
        if (refused := self._refusal(card)) is not None:
            return refused
        request = self.outbox.next_request()
        done = loading.load_ordered(self._parts.link, card, request, self._parts.clock.now(), show)
        if done.colour is Colour.GREEN:
            self._waiting -= {card.uid}
        return done

    def write_waiting(self, card: Transport) -> Outcome | None:
        """The same where the ledger has said that a load waits for this card; None where it has not, or it cannot be now. Raises nothing."""
        if card.uid not in self._waiting:
            return None
        try:
            return self.load_ordered(card)
        except LoadDenied:
            self._waiting -= {card.uid}  # written elsewhere, or taken back
        except (Offline, UploadRefused):
            pass  # a fare does not wait for a load
        return None

    def refund(self, card: Transport, sale: Sale, reason: str) -> Outcome:
        """Give a sale back onto the card that paid it: the ledger decides, and speaks to the card itself.

        What waits is sent first, for the ledger has to have the sale. Raises Offline, LoadDenied, UploadRefused, ShiftRefused before the card is touched.
        """
        if (refused := self._refusal(card)) is not None:
            return refused
        self.upload()
        request = self.outbox.begin_refund(sale)
        done = loading.refund(self._parts.link, card, sale, request, self._parts.clock.now(), reason)
        if done.colour is Colour.GREEN:
            self.outbox.finish_refund(done.sequence - RELAYED_FROM, done.amount)
        return done

    def _lock_far(self, card: Transport) -> None:
        """Have the ledger lock a blocked card, once however often it is held here; raises CardError, TerminalError."""
        if self._locked_far == (card.uid, purse.seen_now(card).tmc):
            return
        link, request = self._parts.link, self.outbox.next_request()
        if loading.lock(link, card, request, self._parts.clock.now()).reason == "blocked":
            self._locked_far = (card.uid, purse.seen_now(card).tmc)

    def _refusal(self, card: Transport, amount: Rupiah = Rupiah(0)) -> Outcome | None:
        """Why nothing is put onto a card here, before anybody asks the ledger; a blocked card is locked on the way."""
        try:
            self._rules.need_load_within(amount, self._parts.clock.now())
            self._rules.need_admitted(card.uid)
        except FareRefused as refusal:
            return self._machine.turned_away(card, refusal)
        return None


def _with_most(outcome: Outcome, most: list[Rupiah]) -> Outcome:
    """A ride's outcome with its provisional maximum, where this tap decided one and it is paid."""
    return replace(outcome, most=most[0]) if most and outcome.colour is Colour.GREEN else outcome
