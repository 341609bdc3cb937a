"""What a terminal asks for when it wants to load a card, give a sale back or lock a blocked card, and whether it may ask."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from card.batch import LOAD_CONTENT_TYPE, LOCK_CONTENT_TYPE, ORDERED_CONTENT_TYPE, REFUND_CONTENT_TYPE
from card.layout import TapKind
from keys import cbor
from keys.cardmacs import UID_BYTES
from keys.errors import CborMalformed
from keys.identity import TerminalRole
from keys.money import Rupiah
from keys.rights import Right
from ledger.errors import BatchMalformed, LoadRefused
from ledger.intake.refunds import need_right, sale_of

if TYPE_CHECKING:
    from keys.identity import TerminalCertificate
    from ledger.intake.refunds import Sale

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
    if len(uid) != UID_BYTES:
        raise BatchMalformed(f"the UID of a load request has {UID_BYTES} bytes")
    if not refund and len(fields) != _FIELDS:
        raise BatchMalformed("a load request is an array of UID, amount, request number and time")
    sale = sale_of(fields[_FIELDS:]) if refund else None
    least = (0 if refund or ordered else 1, 1, 1)  # a refund of 0 is one of the whole sale
    if not all(
        type(number) is int and low <= number < 1 << 62 for number, low in zip(numbers, least, strict=True)
    ):
        raise BatchMalformed("amount, request number and time of a load request are positive integers")
    return LoadRequest(uid, Rupiah(numbers[0]), numbers[1], sale, ordered)


def requested(content_type: str, payload: bytes, certificate: TerminalCertificate) -> LoadRequest:
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


def need_load_right(certificate: TerminalCertificate) -> None:
    """Raises LoadRefused for a terminal whose certificate does not let it write loads."""
    if Right.LOAD not in certificate.rights.kinds:
        raise LoadRefused(f"terminal {certificate.terminal} may not load: its certificate does not say so")
