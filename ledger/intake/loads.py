"""Authorise a load online: a hold on cash at the agent, completed by the card's evidence or voided by it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from card.batch import digest
from card.layout import TapKind
from keys import envelope
from keys.errors import EnvelopeError, SignatureWrong
from keys.money import sen_of
from ledger.errors import BatchMalformed, LoadRefused, SignatureRefused
from ledger.intake.load_requests import LoadRequest, requested
from ledger.intake.load_unit import Authorise
from ledger.intake.named import terminal_of
from ledger.intake.refunds import Refundable

if TYPE_CHECKING:
    from collections.abc import Callable

    from keys.clock import Clock
    from keys.identity import TerminalCertificate
    from ledger.book import Ledger
    from ledger.intake.cards.issued import Card
    from ledger.intake.intents import Intents
    from ledger.intake.registry import Registry

REQUEST_BYTES_MAX = 4096


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
        certificate = self._registry.terminal(terminal_of(message), self._clock.now())
        try:
            payload = message.verify(certificate.public_key)
        except SignatureWrong:
            raise SignatureRefused(f"the signature is not terminal {certificate.terminal}'s") from None
        request = requested(message.content_type, payload, certificate)
        card = self._registry.card(int.from_bytes(request.uid, "big"))
        if card is None:
            raise LoadRefused("no card with this UID was issued here: do not take the cash")
        if request.sale is not None or request.ordered:
            give_way(certificate.terminal, request)
        refundable = (
            None if request.sale is None else Refundable(self._registry, certificate, card, request.sale)
        )
        unit = Authorise(request, card, certificate, digest(payload), self._unsettled(card.uid), refundable)
        hold: int = self._ledger.writer.submit(unit).result()
        if unit.refused is not None:
            raise LoadRefused(unit.why(unit.refused))
        return Admitted(unit.request, card, certificate, hold, unit.fresh, unit.hotlist)
