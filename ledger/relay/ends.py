"""How a relayed load can end without a green of its own: an earlier one that turns out to be done, and every kind of fault."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from card.errors import CardError, CardForeign, CardLost, CardRefused, SessionBroken
from card.layout import TapKind
from keys.clock import service_day
from ledger.relay.told import AMBER, RED, Told

if TYPE_CHECKING:
    from card.batch import TapRecord
    from card.layout import Identity
    from card.purse import Seen
    from keys.clock import UnixMs
    from ledger.intake.receive import Intake
    from ledger.relay.session import LoadSession

AGAIN_SECONDS: Final = 120
"""How long a torn load stays the same load, at the same kiosk: after that a customer wants another one."""


class Expired(CardRefused):
    """A card past its date."""


def need_in_date(identity: Identity, at: UnixMs) -> None:
    """Raises Expired for a card past its date: it is loaded no more."""
    if identity.valid_until < service_day(at):
        raise Expired("the card is past its date: exchange it at a counter")


def earlier(intake: Intake, session: LoadSession, seen: Seen, now: UnixMs) -> TapRecord | None:
    """The load of a moment ago whose answer was lost at this kiosk, where the card shows that it was done.

    The proof is the chip's value, which the ledger computes itself: no kiosk can invent it.
    """
    for intent in intake.intents.of(session.card.uid):
        record = intent.record
        recent = 0 <= now - record.occurred_at <= 1000 * AGAIN_SECONDS
        if intent.terminal != session.terminal or record.kind is not TapKind.LOAD or not recent:
            continue
        if (record.tmc, intake.assessor.tmv_of(session.card, record.tmc, record.tmi)) == (seen.tmc, seen.tmv):
            return record
    return None


def refusal(fault: CardError, session: LoadSession) -> Told:
    """Amber where the same card may tell, red where it is no use to hold it again."""
    detail = str(fault)
    if session.intended is not None or isinstance(fault, CardLost | SessionBroken):
        return Told(AMBER, "tap-again", detail, sequence=session.sequence if session.intended else 0)
    if isinstance(fault, CardForeign):
        return Told(RED, "foreign", detail)
    if isinstance(fault, Expired):
        return Told(RED, "expired", detail)
    return Told(RED, "refused" if isinstance(fault, CardRefused) else "unreadable", detail)
