"""How a relayed load can end without a green of its own: an earlier one that turns out to be done, and every kind of fault."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import structlog

from card import evidence
from card.errors import CardError, CardForeign, CardLost, CardRefused, EvidenceError, SessionBroken
from card.layout import TapKind
from keys.clock import service_day
from ledger.intake.refunds import about_the_same
from ledger.relay.told import AMBER, RED, Told

if TYPE_CHECKING:
    from card.batch import TapRecord
    from card.layout import Identity
    from card.purse import Intent, Seen
    from keys.clock import UnixMs
    from ledger.intake.cards.issued import Card
    from ledger.intake.intents import OpenIntent
    from ledger.intake.receive import Intake
    from ledger.relay.session import LoadSession

AGAIN_SECONDS: Final = 120
"""How long a torn load stays the same load, at the same kiosk: after that a customer wants another one."""
BLOCKED: Final = Told(RED, "blocked", "the card is blocked: nothing was loaded, send the holder to a counter")
"""How every load of a blocked card ends, and every lock, whatever became of the card's files."""
_log = structlog.get_logger("ledger.relay")


class Expired(CardRefused):
    """A card past its date."""


class CounterForged(CardRefused):
    """A counter that the card never showed."""


def need_true_counter(intake: Intake, card: Card, intent: Intent) -> None:
    """Raises CounterForged where the counter that the kiosk showed is not the card's: nothing has been committed yet.

    The TMAC file is read without a session, so that whoever carries the bytes can change it. But the chip enciphers the previous reader's id under a
    key of its own next counter (MF2DLHX0 section 10.3.3, SV A5), and that answer stands under the session's MAC: under another counter no reader's id of
    ours comes out. Without this, a load that lands at another counter than its intent's would be told by nothing that the card ever shows.
    """
    key, found = intake.assessor.tmac_key(card), evidence.parse(intent.tmi)
    try:
        evidence.previous_reader(key, intent.uid, intent.tmc, found.encrypted_previous_reader)
    except EvidenceError:
        raise CounterForged(
            "the card's counter was changed on its way: nothing was loaded; have this kiosk looked at"
        ) from None


def need_in_date(identity: Identity, at: UnixMs) -> None:
    """Raises Expired for a card past its date: it is loaded no more."""
    if identity.valid_until < service_day(at):
        raise Expired("the card is past its date: exchange it at a counter")


def earlier(intake: Intake, session: LoadSession, seen: Seen, now: UnixMs) -> TapRecord | None:
    """The load of a moment ago whose answer was lost at this kiosk, or of this very sale or order whenever and wherever, where the card shows that it was done.

    The proof is the chip's value, which the ledger computes itself: no kiosk can invent it.
    """
    for intent in intake.intents.of(session.card.uid):
        record = intent.record
        if not _may_be(intent, session, now):
            continue
        if (record.tmc, intake.assessor.tmv_of(session.card, record.tmc, record.tmi)) == (seen.tmc, seen.tmv):
            return record
    return None


def _may_be(intent: OpenIntent, session: LoadSession, now: UnixMs) -> bool:
    record, request = intent.record, session.admitted.request
    if request.sale is not None or request.ordered:
        return _is_the_same(intent, session)
    recent = 0 <= now - record.occurred_at <= 1000 * AGAIN_SECONDS
    return intent.terminal == session.terminal and record.kind is TapKind.LOAD and recent


def need_settled(intake: Intake, session: LoadSession, seen: Seen) -> None:
    """Raises CardRefused where a sale may have been given back, or an order written, already, and this card cannot tell now.

    At the counter before the earlier one's it did not happen, and the one that begins now proves it: only one can have the next counter.
    """
    request = session.admitted.request
    if request.sale is None and not request.ordered:
        return
    for intent in intake.intents.of(session.card.uid):
        if _is_the_same(intent, session) and intent.record.tmc != seen.tmc + 1:
            what = "refund of this sale" if request.sale is not None else "try at this load"
            raise CardRefused(f"an earlier {what} is not settled yet: wait until all terminals have sent")


def _is_the_same(intent: OpenIntent, session: LoadSession) -> bool:
    """True for a try at the very sale or order of a session."""
    sale = session.admitted.request.sale
    if sale is not None:
        return about_the_same(intent.record, sale)
    return intent.record.context.authorisation == session.admitted.hold


def refusal(fault: CardError, session: LoadSession) -> Told:
    """Amber where the same card may tell, red where it is no use to hold it again."""
    detail = str(fault)
    if isinstance(fault, CounterForged):
        _log.error(
            "counter forged", terminal=session.terminal, sequence=session.sequence, uid=session.uid.hex()
        )
    if session.admitted.request.locks:
        return BLOCKED
    if session.intended is not None or isinstance(fault, CardLost | SessionBroken):
        return Told(AMBER, "tap-again", detail, sequence=session.sequence if session.intended else 0)
    if isinstance(fault, CardForeign):
        return Told(RED, "foreign", detail)
    if isinstance(fault, Expired):
        return Told(RED, "expired", detail)
    return Told(RED, "refused" if isinstance(fault, CardRefused) else "unreadable", detail)
