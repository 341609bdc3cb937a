"""Authorise a load online: a hold on cash at the agent, completed by the card's evidence or voided by it (DESIGN section 6)."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final

import cbor2

from card.batch import LOAD_CONTENT_TYPE, digest
from card.layout import PURSE_LIMIT_REGISTERED, PURSE_LIMIT_UNREGISTERED, TapKind
from keys import envelope
from keys.clock import service_day
from keys.errors import EnvelopeError, SignatureWrong
from keys.identity import TerminalRole
from keys.money import Rupiah, sen_of
from ledger.bundles.blocks import block_of
from ledger.chart import purse
from ledger.enrolment.store import moved_in
from ledger.errors import BatchMalformed, LoadRefused, SignatureRefused
from ledger.intake import posting, store
from ledger.relay.store import AUTHORISED, promised
from ledger.rules import UNIT, AccountRules, change
from ledger.transfer import Flag, Result

if TYPE_CHECKING:
    from collections.abc import Sequence

    from keys.clock import Clock
    from keys.identity import TerminalCertificate
    from ledger.book import Ledger
    from ledger.intake.intents import Intents
    from ledger.intake.registry import Card, Registry
    from ledger.transfer import Transfer
    from ledger.writer import Posted, Transaction

MONTHLY_LIMIT_REGISTERED: Final = Rupiah(40_000_000)
"""What may come onto a registered card in a calendar month (Bank Indonesia, from 2022-07-01)."""
REQUEST_BYTES_MAX = 4096
_FIELDS = 4


@dataclass(frozen=True, slots=True)
class LoadRequest:
    """What a kiosk asks for: whom, how much (rupiah), and the request's number, unique a terminal."""

    uid: bytes
    amount: Rupiah
    request: int


def parse_request(payload: bytes) -> LoadRequest:
    """From CBOR [uid, amount, request number, asked at]; raises BatchMalformed."""
    try:
        fields: Any = cbor2.loads(payload)
    except (cbor2.CBORDecodeError, ValueError, TypeError, RecursionError, OverflowError):
        raise BatchMalformed("the load request is no CBOR") from None
    if not isinstance(fields, list) or len(fields) != _FIELDS or not isinstance(fields[0], bytes):
        raise BatchMalformed("a load request is an array of UID, amount, request number and time")
    uid, *numbers = fields
    if not all(isinstance(number, int) and 0 < number < 1 << 62 for number in numbers):
        raise BatchMalformed("amount, request number and time of a load request are positive integers")
    return LoadRequest(uid, Rupiah(numbers[0]), numbers[1])


@dataclass(frozen=True, slots=True)
class Admitted:
    """A request that may go on: its card, its kiosk, the position of its hold, and whether it is new."""

    request: LoadRequest
    card: Card
    certificate: TerminalCertificate
    hold: int
    fresh: bool


class Loads:
    """The door for load requests."""

    def __init__(self, ledger: Ledger, registry: Registry, intents: Intents, clock: Clock) -> None:
        self._ledger = ledger
        self._registry = registry
        self._intents = intents
        self._clock = clock

    def _unsettled(self, uid: int) -> int:
        """What is held for a card's torn loads, in sen: the card itself says what became of them before it takes another."""
        loads = [one.record for one in self._intents.of(uid) if one.record.kind is TapKind.LOAD]
        return sum(sen_of(record.amount) for record in loads)

    def admit(self, body: bytes) -> Admitted:
        """A signed request, with its hold; the same request again gets the same hold, and is not fresh.

        Raises BatchMalformed, SignatureRefused, TerminalUnknown, LoadRefused.
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
        if message.content_type != LOAD_CONTENT_TYPE or certificate.role is not TerminalRole.KIOSK:
            raise LoadRefused(
                f"terminal {certificate.terminal} is a {certificate.role}: only a kiosk may load"
            )
        request = parse_request(payload)
        card = self._registry.card(int.from_bytes(request.uid, "big"))
        if card is None:
            raise LoadRefused("no card with this UID was issued here: do not take the cash")
        unit = _Authorise(request, card, certificate, digest(payload), self._unsettled(card.uid))
        hold: int = self._ledger.writer.submit(unit).result()
        if unit.refused is not None:
            raise LoadRefused(
                _WHY.get(unit.refused, f"the books refuse it ({unit.refused.name.lower()})").format(
                    limit=unit.rules.ceiling, monthly=unit.rules.monthly
                )
            )
        return Admitted(request, card, certificate, hold, unit.fresh)


_WHY: Final = {
    Result.EXCEEDS_CEILING: "the purse may hold {limit} rupiah at most: load less",
    Result.EXCEEDS_MONTH: "the card may take in {monthly} rupiah a month: load less, or next month",
    Result.ACCOUNT_CLOSED: "the card's account is closed: do not take the cash, send the holder to a counter",
    Result.CREDITS_FROZEN: "the card's account is frozen: do not take the cash, send the holder to a counter",
}
"""What the books answer to a load that an account's rules forbid."""


def limits_of(card: Card, unsettled: int) -> AccountRules:
    """Bank Indonesia's limits of a card.

    What is held for its torn loads (sen) does not count yet: the card itself says what became of them before it takes another.
    """
    torn = Rupiah(UNIT * -(-unsettled // sen_of(UNIT)))
    if card.registered:
        return AccountRules(ceiling=Rupiah(PURSE_LIMIT_REGISTERED + torn), monthly=MONTHLY_LIMIT_REGISTERED)
    return AccountRules(ceiling=Rupiah(PURSE_LIMIT_UNREGISTERED + torn))


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
    ) -> None:
        self._request = request
        self._card = card
        self._certificate = certificate
        self._identity = identity
        self._known: int | None = None
        self.rules = limits_of(card, unsettled)
        self.refused: Result | None = None

    @property
    def fresh(self) -> bool:
        """True where the request was never seen before."""
        return self._known is None

    def plan(self, tx: Transaction) -> Sequence[Transfer]:
        request, terminal = self._request, self._certificate.terminal
        known = store.load_of(tx.connection, terminal, request.request)
        if known is not None:
            if known.digest != self._identity:
                raise LoadRefused(
                    f"request {request.request} of terminal {terminal} was another one: take a new number"
                )
            self._known = known.hold
            return ()
        if block_of(tx.connection, self._card) is not None:
            raise LoadRefused("the card is blocked: do not take the cash, send the holder to a counter")
        self._require_within_the_day(tx)
        agent, number = self._certificate.owner, self._card.card_number
        hold = posting.hold_load(number, agent, request.amount, tx.received_at, self._card.uid)
        known_rules = tx.rules(purse(number))
        self.rules = replace(self.rules, flags=known_rules.flags)
        if known_rules == self.rules:
            return [hold]
        return [change(purse(number), self.rules, tx.received_at, Flag.LINKED), hold]

    def _require_within_the_day(self, tx: Transaction) -> None:
        """What the kiosk moved in this service day, what it was promised, and this load: within its certificate's limit."""
        terminal, limit = self._certificate.terminal, self._certificate.rights.daily_limit
        moved = moved_in(tx.connection, terminal, service_day(tx.received_at))
        if moved + sen_of(Rupiah(promised(tx.connection, terminal) + self._request.amount)) > sen_of(limit):
            raise LoadRefused(
                f"this kiosk may load {limit} rupiah a day: do not take the cash, send the holder to another"
            )

    def settle(self, posted: Sequence[Posted], tx: Transaction) -> int:
        if self._known is not None:
            return self._known
        hold = posted[-1]
        if hold.result is not Result.POSTED:
            self.refused = hold.result
            return 0
        request = self._request
        store.insert_load(
            tx.connection,
            store.LoadRow(
                self._certificate.terminal, request.request, self._identity, self._card.uid, request.amount,
                hold.position, tx.received_at, AUTHORISED,
            ),
        )  # fmt: skip
        return hold.position
