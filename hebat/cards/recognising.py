"""What kind of card this is, by what it says to anybody: no key is used, and nothing is ever written."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Final

from card import client, purse
from card.apdu import Ins
from card.errors import CardError, CardLost
from card.layout import AID
from card.product import parse_version

if TYPE_CHECKING:
    from card.product import Product
    from card.transport import Transport

TAPCASH_AID: Final = bytes.fromhex("a000424e49100001")
"""BNI's purse; its contents are not public: it is named, and never written."""
PPSE: Final = b"2PAY.SYS.DDF01"
"""EMV's directory of a contactless payment card (EMV Book B)."""
_SCHEMES: Final = {
    "a000000003": "Visa",
    "a000000004": "Mastercard",
    "a000000065": "JCB",
    "a000000025": "American Express",
}
_PICC: Final = bytes(3)
_RANDOM_UID: Final = 4


class Kind(StrEnum):
    """What a conductor has to tell apart."""

    CITY = "city"
    UNFINISHED = "unfinished"
    BLANK = "blank"
    OTHER_APPLICATIONS = "other-applications"
    TOO_OLD = "too-old"
    OTHER_CHIP = "other-chip"
    TAPCASH = "tapcash"
    PAYMENT = "payment"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Recognised:
    """A card as anybody sees it; `applications` None where it does not tell, `transactions` of a city card's counter."""

    kind: Kind
    uid: bytes
    chip: str = ""
    applications: tuple[bytes, ...] | None = None
    transactions: int | None = None
    scheme: str = ""

    @property
    def sentence(self) -> str:
        """What the card is, in one sentence for a person."""
        chip = self.chip or "card"
        return {
            Kind.CITY: "A Kartu Semarang Hebat.",
            Kind.UNFINISHED: "A Kartu Semarang Hebat whose making was broken off: `hebat card personalise` starts it again.",
            Kind.BLANK: f"A blank {chip}: `hebat card personalise` makes it a city card.",
            Kind.OTHER_APPLICATIONS: f"A {chip} that somebody else uses: no card of this city.",
            Kind.TOO_OLD: f"A {chip}: too old a chip, a city card needs EV2 or newer.",
            Kind.OTHER_CHIP: f"A {chip}: not the kind of chip that city cards have.",
            Kind.TAPCASH: "A TapCash card of BNI: it is only named here, and never written.",
            Kind.PAYMENT: f"A bank's payment card{self.scheme and f' ({self.scheme})'}: nothing on it is read or written.",
            Kind.UNKNOWN: "Not a card that this reader's software knows: no card of this city.",
        }[self.kind]

    @property
    def has_random_uid(self) -> bool:
        """True where the chip shows another number at every tap: no city card can be made of it."""
        return len(self.uid) == _RANDOM_UID


def recognise(card: Transport) -> Recognised:
    """Look at a card; raises CardLost where it leaves the field."""
    if _iso_select(card, TAPCASH_AID) is not None:
        return Recognised(Kind.TAPCASH, card.uid)
    directory = _iso_select(card, PPSE)
    if directory is not None:
        return Recognised(Kind.PAYMENT, card.uid, scheme=_scheme(directory))
    product = parse_version(_asked(card, Ins.GET_VERSION) or b"")
    if product is None:
        return Recognised(Kind.UNKNOWN, card.uid)
    return _known(card, product)


def _known(card: Transport, product: Product) -> Recognised:
    if not product.is_desfire:
        return Recognised(Kind.OTHER_CHIP, card.uid, product.name)
    found = applications(card)
    transactions = _transactions(card)
    if transactions is not None:
        return Recognised(Kind.CITY, card.uid, product.name, found, transactions)
    if _selected(card, AID):
        return Recognised(Kind.UNFINISHED, card.uid, product.name, found)
    if not product.fits_the_city:
        return Recognised(Kind.TOO_OLD, card.uid, product.name, found)
    blank = found == ()  # a chip that tells its applications only to its owner has one
    return Recognised(Kind.BLANK if blank else Kind.OTHER_APPLICATIONS, card.uid, product.name, found)


def applications(card: Transport) -> tuple[bytes, ...] | None:
    """The AIDs on a DESFire, as they are written; None where the chip tells only its owner."""
    if not _selected(card, _PICC):
        return None
    listed = _asked(card, Ins.GET_APPLICATION_IDS)
    if listed is None or len(listed) % 3:
        return None
    return tuple(listed[at : at + 3][::-1] for at in range(0, len(listed), 3))


def _transactions(card: Transport) -> int | None:
    """The counter of a city card; None where there is no complete application of ours."""
    try:
        return purse.seen_now(card).tmc
    except CardError as error:
        _raise_if_gone(error)
        return None


def _selected(card: Transport, aid: bytes) -> bool:
    try:
        client.select(card, aid)
    except CardError as error:
        _raise_if_gone(error)
        return False
    return True


def _asked(card: Transport, ins: Ins) -> bytes | None:
    try:
        return client.exchange(card, ins)[1]
    except CardError as error:
        _raise_if_gone(error)
        return None


def _raise_if_gone(error: CardError) -> None:
    """A card that left is not a card that said no."""
    if isinstance(error, CardLost):
        raise error


def _iso_select(card: Transport, name: bytes) -> bytes | None:
    """SELECT by name (ISO/IEC 7816-4); the answer's data, None where the card has no such application."""
    answer = card.transmit(bytes((0x00, 0xA4, 0x04, 0x00, len(name))) + name + b"\x00")
    return answer[:-2] if answer[-2:] == b"\x90\x00" else None


def _scheme(directory: bytes) -> str:
    found = [name for prefix, name in _SCHEMES.items() if bytes.fromhex(prefix) in directory]
    return ", ".join(found)
