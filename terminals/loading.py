"""A load at a kiosk: the ledger speaks to the card through this terminal, which holds no load key and sees no session key.

The commands come in batches and are sent as they are; the answers go back signed. What the load came to is the ledger's word, and green
needs its receipt.
"""

from __future__ import annotations

import base64
import binascii
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final

import cbor2

from card.batch import (
    LOAD_CONTENT_TYPE,
    LOCK_CONTENT_TYPE,
    ORDERED_CONTENT_TYPE,
    REFUND_CONTENT_TYPE,
    RELAYED_FROM,
    STEP_CONTENT_TYPE,
    WAITING_CONTENT_TYPE,
)
from card.far import carried
from keys.money import Rupiah
from terminals.errors import LoadDenied, Offline, ReceiptWrong, UploadRefused
from terminals.tap import Colour, Outcome

if TYPE_CHECKING:
    from collections.abc import Callable

    from card.transport import Transport
    from keys.clock import UnixMs
    from terminals.refunds import Sale
    from terminals.upload import Link

    Show = Callable[[Outcome], None]

STEPS_MAX: Final = 64
COMMANDS_MAX: Final = 16
_UNPROCESSABLE: Final = 422
_OK: Final = 200


@dataclass(frozen=True, slots=True)
class Step:
    """What the ledger wants next: commands for the card, or nothing more; and how the load ended, once it did. `record` is the number of its record."""

    record: int
    session: bytes
    number: int
    apdus: tuple[bytes, ...]
    outcome: Outcome | None


def load(
    link: Link, card: Transport, amount: Rupiah, request: int, at: UnixMs, show: Show | None = None
) -> Outcome:
    """Load an amount; never raises for what the card or the line does once the card is spoken to.

    `show` hears how the load ended as soon as the ledger says so. The ledger may go on and give the card newer keys then: a card that is
    pulled away there is loaded all the same.

    Raises Offline (no load without the ledger), LoadDenied with the ledger's reason, UploadRefused.
    """
    asked = cbor2.dumps([card.uid, amount, request, at], canonical=True)
    return _carried(link, card, _begun(link, "/v1/loads", asked, LOAD_CONTENT_TYPE, request), show)


def load_ordered(link: Link, card: Transport, request: int, at: UnixMs, show: Show | None = None) -> Outcome:
    """Write what the card's holder ordered from the wallet, as `load` does and raises; LoadDenied where nothing waits."""
    asked = cbor2.dumps([card.uid, 0, request, at], canonical=True)
    done = _carried(link, card, _begun(link, "/v1/loads/ordered", asked, ORDERED_CONTENT_TYPE, request), show)
    return replace(done, rules=("wallet",)) if done.colour is Colour.GREEN else done


def lock(link: Link, card: Transport, request: int, at: UnixMs) -> Outcome:
    """Have the ledger lock a blocked card: red, whatever became of it; raises as `load` does, LoadDenied where the card is not blocked in the books."""
    asked = cbor2.dumps([card.uid, 0, request, at], canonical=True)
    begun = _begun(
        link, "/v1/locks", asked, LOCK_CONTENT_TYPE, request, attempts=1
    )  # nobody waits to be told of a block
    return _carried(link, card, begun, None)


def waiting(link: Link, at: UnixMs) -> frozenset[bytes]:
    """The UIDs of the cards for which a load waits.

    Raises Offline, LoadDenied where this terminal writes none, UploadRefused.
    """
    try:
        told = link.post_signed("/v1/loads/waiting", cbor2.dumps([at], canonical=True), WAITING_CONTENT_TYPE)
        return frozenset(bytes.fromhex(uid) for uid in told["uids"])
    except UploadRefused as refusal:
        if refusal.status == _UNPROCESSABLE:
            raise LoadDenied(refusal.detail) from None
        raise
    except (KeyError, TypeError, ValueError):
        raise UploadRefused(_OK, "the answer names no cards: is this a ledger's address?") from None


def refund(link: Link, card: Transport, sale: Sale, request: int, at: UnixMs, reason: str) -> Outcome:
    """Give a sale back onto the card that paid it, as `load` does and raises."""
    about = [sale.terminal, sale.sequence, reason]
    asked = cbor2.dumps([card.uid, sale.amount, request, at, *about], canonical=True)
    done = _carried(link, card, _begun(link, "/v1/refunds", asked, REFUND_CONTENT_TYPE, request), None)
    return replace(done, rules=("refund",)) if done.colour is Colour.GREEN else done


def _carried(link: Link, card: Transport, step: Step, show: Show | None) -> Outcome:
    """Carry commands and answers until the ledger wants nothing more."""
    outcome = step.outcome
    for _ in range(STEPS_MAX):
        if not step.apdus:
            break
        try:
            step = _next(link, step, carried(card, step.apdus))
        except (Offline, UploadRefused, ReceiptWrong) as error:
            return outcome or Outcome(Colour.AMBER, "tap-again", str(error))
        if step.outcome and not outcome and show is not None:
            show(step.outcome)
        outcome = step.outcome or outcome
    return outcome or Outcome(Colour.AMBER, "tap-again", "the ledger did not say how the load ended")


def _begun(link: Link, path: str, payload: bytes, content_type: str, request: int, attempts: int = 0) -> Step:
    try:
        return _step(link, link.post_signed(path, payload, content_type, attempts), RELAYED_FROM + request)
    except UploadRefused as refusal:
        if refusal.status == _UNPROCESSABLE:
            raise LoadDenied(refusal.detail) from None
        raise


def _next(link: Link, step: Step, answers: list[bytes]) -> Step:
    payload = cbor2.dumps([step.session, step.number, answers], canonical=True)
    return _step(link, link.post_signed("/v1/loads/step", payload, STEP_CONTENT_TYPE), step.record)


def _step(link: Link, answer: Any, record: int) -> Step:
    try:
        apdus = tuple(bytes.fromhex(apdu) for apdu in answer["apdus"][:COMMANDS_MAX])
        told = answer["outcome"]
        outcome = None if told is None else _outcome(link, told, record)
        return Step(record, bytes.fromhex(answer["session"]), _whole(answer["step"]), apdus, outcome)
    except (KeyError, TypeError, ValueError, binascii.Error):
        raise UploadRefused(_OK, "the answer is no step of a load: is this a ledger's address?") from None


def _whole(value: Any) -> int:
    if type(value) is not int:  # no float ever touches an amount, an endless one least of all
        raise TypeError
    return value


def _outcome(link: Link, told: Any, record: int) -> Outcome:
    """How the load ended; green only against the ledger's receipt for this very load. Raises ReceiptWrong."""
    colour = Colour(told["colour"])
    if colour is not Colour.GREEN:
        return Outcome(colour, str(told["reason"]), str(told["detail"]), sequence=_whole(told["sequence"]))
    link.receipted(base64.b64decode(told["receipt"], validate=True), record)
    amount, balance = Rupiah(_whole(told["amount"])), Rupiah(_whole(told["balance"]))
    return Outcome(
        colour,
        str(told["reason"]),
        amount=amount,
        balance=balance,
        rules=("cash",),
        sequence=_whole(told["sequence"]),
    )
