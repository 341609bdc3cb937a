"""Make a blank card a card of the city, and make the ledger know it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from card import ndef
from card.layout import NEVER, VALID_DAYS, Concession, Identity, card_number
from card.personalise import made_with, personalise
from hebat.cards.clearing import cleared, is_whole
from hebat.cards.reading import read_city_card
from hebat.cards.recognising import Kind, recognise
from hebat.cards.reserving import Reserved, alone
from hebat.errors import InputRefused
from keys.clock import Day, day_of, local
from ledger.cardholder.ways import know_token
from ledger.intake.cards.issued import Card
from ledger.intake.registry import new_token, token_digest

if TYPE_CHECKING:
    from card.transport import Transport
    from hebat.cards.desk import CardRoom

UID_BYTES = 7
CONCESSION_DAYS = 365
_SERIALS = 10_000_000


@dataclass(frozen=True, slots=True)
class Wanted:
    """What the new card is to be; issuer None is the city's first bank, serial None the issuer's next one.

    `address` is where a phone that is held to the card is led, None for nowhere.
    """

    issuer: int | None = None
    serial: int | None = None
    concession: Concession = Concession.GENERAL
    registered: bool = False
    address: str | None = None

    def __post_init__(self) -> None:
        """Raise InputRefused for an address that no card can hold."""
        try:
            if self.address is not None:
                ndef.message(self.address)
        except ValueError as error:
            raise InputRefused(f"{error}: choose another") from error


@dataclass(frozen=True, slots=True)
class Made:
    """A card of the city, known to its ledger; `token` is the address part of its balance page."""

    uid: bytes
    identity: Identity
    token: str = field(repr=False)
    finished: bool = False


def make(card: Transport, city: CardRoom, wanted: Wanted) -> Made:
    """Personalise a blank card, or finish one that the ledger never heard of; durable when this returns. One desk of a city makes a card at a time.

    Raises InputRefused where the card cannot become a city card, CardLost (again with the same card finishes it), StatusError.
    """
    with alone(city.folder):
        city.registry.catch_up()
        return _made(card, city, wanted)


def _made(card: Transport, city: CardRoom, wanted: Wanted) -> Made:
    _require_usable(card, city)
    reserved = Reserved(city.folder)
    seen = recognise(card)
    if seen.kind is Kind.CITY and is_whole(card, city.vault):
        own = _own_identity(card, city, reserved)
        return _registered(city, Made(card.uid, own, new_token(), finished=True), *made_with(card))
    if seen.kind not in {Kind.BLANK, Kind.UNFINISHED, Kind.CITY}:
        raise InputRefused(f"not made a city card, nothing was written. {seen.sentence}")
    if wanted.address is not None and "EV3" not in seen.chip:
        raise InputRefused(
            f"a {seen.chip} cannot lead phones to an address: leave --tap-address out, or take an EV3"
        )
    if not cleared(card, city.vault, seen.kind):
        raise InputRefused("this is a card of another city: nothing was written")
    identity = identity_of(city, wanted, card.uid)
    reserved.keep(card.uid, identity.card_number)
    personalise(card, city.vault, identity, wanted.address)
    # The card says which versions it got: somebody may have rolled a key meanwhile.
    return _registered(city, Made(card.uid, identity, new_token()), *made_with(card))


def _require_usable(card: Transport, city: CardRoom) -> None:
    if len(card.uid) != UID_BYTES:
        raise InputRefused(
            f"the card shows a UID of {len(card.uid)} bytes: a city card needs a fixed one of 7 bytes"
        )
    known = city.registry.card(int.from_bytes(card.uid, "big"))
    if known is not None:
        raise InputRefused(f"this chip was issued already, as card {known.card_number}: nothing was written")


def _own_identity(card: Transport, city: CardRoom, reserved: Reserved) -> Identity:
    identity = read_city_card(card, city.vault).identity
    taken = {one.card_number for one in city.registry.cards()} | reserved.others(card.uid)
    if identity.card_number in taken:
        raise InputRefused(f"card number {identity.card_number} is another chip's: take this card out of use")
    return identity


def identity_of(city: CardRoom, wanted: Wanted, uid: bytes | None = None) -> Identity:
    """The identity of a new card, with the number that is kept for its chip; raises InputRefused where issuer or serial cannot be."""
    banks = city.configuration.participants.banks
    issuer = next(iter(banks)) if wanted.issuer is None else wanted.issuer
    if issuer not in banks:
        known = ", ".join(f"{code} ({bank.name})" for code, bank in banks.items())
        raise InputRefused(f"no bank of this city has code {issuer}: choose one of {known}")
    today = day_of(local(city.clock.now()).date())
    concession = wanted.concession
    ends = NEVER if concession in {Concession.GENERAL, Concession.ELDERLY} else Day(today + CONCESSION_DAYS)
    number = card_number(issuer, _serial(city, issuer, wanted.serial, uid))
    return Identity(number, issuer, 1, wanted.registered, concession, ends, Day(today + VALID_DAYS))


def _serial(city: CardRoom, issuer: int, wanted: int | None, uid: bytes | None) -> int:
    """A serial that no card of the issuer has, and that is kept for no other chip; without a wish, the one that is kept for this chip."""
    reserved = Reserved(city.folder)
    numbers = {one.card_number for one in city.registry.cards()} | reserved.others(uid)
    taken = {number // 10 % _SERIALS for number in numbers if number // 10 // _SERIALS % 10_000 == issuer}
    kept = None if uid is None else reserved.of(uid)
    if wanted is None and kept is not None and kept // 10 // _SERIALS % 10_000 == issuer:
        return kept // 10 % _SERIALS
    serial = max(taken, default=0) + 1 if wanted is None else wanted
    if serial in taken or not 0 < serial < _SERIALS:
        raise InputRefused(
            f"serial {serial} of bank {issuer} is taken or has more than seven digits: choose another"
        )
    return serial


def _registered(city: CardRoom, made: Made, signing: int, versions: bytes) -> Made:
    number, identity = int.from_bytes(made.uid, "big"), made.identity
    card = Card(
        number, identity.card_number, identity.registered, signing, token_digest(made.token), versions
    )
    know_token(city.registry.database, made.token, number, city.clock.now())
    city.registry.add_cards([card])
    Reserved(city.folder).done(made.uid)
    return made
