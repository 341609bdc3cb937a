"""What the cardholder's room asks of the city: transfers left by the tariffs that terminals use, payees by their names, and terminals' codes."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Final

from keys.clock import UnixMs
from keys.errors import FreshQrExpired, FreshQrUnreadable, SignatureWrong
from keys.freshqr import FreshQr
from keys.handout import TERMINAL_KEYS
from keys.identity import TerminalRole
from keys.vault import Role
from ledger.cardholder.shown import Transfers
from ledger.chart import Code
from ledger.errors import TerminalUnknown
from settlement.calendar.city import city_calendar
from settlement.errors import ParticipantUnknown

if TYPE_CHECKING:
    from card.evidence import CardTransaction
    from hebat.known_tariffs import KnownTariffs
    from keys.clock import Day
    from ledger.intake.registry import Registry
    from settlement.participants import Participants
    from settlement.rulebook.book import Rulebook
    from terminals.fares.tariff import TransferRule

PAYEES_KEPT: Final = 4096
OWNERS: Final = {
    TerminalRole.VALIDATOR: Code.OPERATOR_PAYABLE,
    TerminalRole.CONDUCTOR: Code.OPERATOR_PAYABLE,
    TerminalRole.MERCHANT: Code.MERCHANT_PAYABLE,
    TerminalRole.KIOSK: Code.AGENT_CASH,
}
"""Whose account a terminal of each role earns for, or takes cash for."""


class Town:
    """Implements `ledger.cardholder.reading.City` and `ledger.cardholder.disputes.Promise`."""

    def __init__(
        self,
        tariffs: KnownTariffs,
        registry: Registry,
        participants: Participants,
        rulebook: Rulebook,
        answer_bank_days: int,
    ) -> None:
        self._rulebook = rulebook
        self._answer_bank_days = answer_bank_days
        self._tariffs = tariffs
        self._registry = registry
        self._participants = participants
        self.payee = lru_cache(PAYEES_KEPT)(self._payee)

    def transfers(self, signed: CardTransaction, tariff: str, now: UnixMs) -> Transfers | None:
        """By the tariff's transfer rules within a group: the last that ends, and how many it still gives."""
        known, journey = self._tariffs.find(tariff), signed.journey_after
        if known is None or journey is None or not journey.known or not journey.window_started_at:
            return None
        given = [_left(rule, journey.window_started_at, journey.transfers, now) for rule in known.transfers]
        open_ = [one for one in given if one is not None]
        return max(open_, key=lambda one: (one.until, one.left is None), default=None)

    def due(self, day: Day) -> Day:
        """As many bank days after a report as this city takes to answer, by its own calendar."""
        return city_calendar(self._rulebook).plus(day, self._answer_bank_days)

    def _payee(self, terminal: int) -> str:
        try:
            certificate = self._registry.enrolled(terminal)
            return self._participants.party(OWNERS[certificate.role], certificate.owner).name
        except (TerminalUnknown, ParticipantUnknown):
            return ""


def _left(rule: TransferRule, started: int, used: int, now: UnixMs) -> Transfers | None:
    """What one rule leaves; None where its time or its number is over. A rule without a time is not told: nobody could say until when."""
    until = UnixMs((started + rule.seconds) * 1000)
    left = rule.count - used if rule.count > 0 else None
    if not rule.seconds or until <= now or left == 0:
        return None
    return Transfers(until, left)


class SignedCodes:
    """Implements `ledger.cardholder.ways.ScreenCodes`: what a terminal of this city signed within two minutes (`keys.freshqr`).

    Only one whose role reads cards: a stolen bus validator must not open the page of a card that it never saw.
    """

    def __init__(self, registry: Registry) -> None:
        self._registry = registry

    def read(self, code: str, now: UnixMs) -> tuple[int, UnixMs] | None:
        """The card's UID and when the code ends; None where no terminal with a certificate in force signed it, or it is over."""
        try:
            fresh = FreshQr.read(code)
            signer = self._registry.terminal(fresh.terminal, now)
            fresh.verify(signer.public_key, now)
        except (FreshQrExpired, FreshQrUnreadable, SignatureWrong, TerminalUnknown):
            return None
        card = self._registry.card_numbered(fresh.card_number)
        return (
            None
            if card is None or Role.READ not in TERMINAL_KEYS[signer.role]
            else (card.uid, fresh.good_until)
        )
