"""The flat fare: one price a ride, free transfers within a window that the first tap opens. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from card.layout import Identity, Journey, JourneyState
from keys.clock import UnixMs, service_day
from keys.money import Rupiah

if TYPE_CHECKING:
    from terminals.fares.tariff import Tariff


@dataclass(frozen=True, slots=True)
class Place:
    """Where a terminal stands: names for people, numbers for the card; `vehicle` is the terminal's own number."""

    route: str
    stop: str
    route_number: int
    stop_number: int
    vehicle: int


@dataclass(frozen=True, slots=True)
class FareDecision:
    """What to charge, what the card remembers afterwards, and which rules made it so."""

    amount: Rupiah
    journey: Journey
    rules: tuple[str, ...]


class FareRefused(Exception):  # a decision of the rules, shown on the screen: no error of the program
    """The rules do not let this card ride here now."""

    def __init__(self, rule: str, reason: str) -> None:
        super().__init__(reason)
        self.rule = rule


def decide(tariff: Tariff, identity: Identity, journey: Journey, at: UnixMs, place: Place) -> FareDecision:
    """The fare of a tap.

    Raises FareRefused: the card is past its date, or was tapped here a moment ago (passback).
    """
    seconds, day = at // 1000, service_day(at)
    _may_ride(tariff, identity, journey, at, place)
    price, rule = tariff.price(identity, day)
    if _in_window(tariff, journey, seconds):
        amount = Rupiah(0)
        rules: tuple[str, ...] = (rule, "transfer")
        started, paid = journey.window_started_at, journey.window_paid
    else:
        amount, rules = price, (rule,)
        started, paid = seconds, price
    total = Rupiah((journey.day_total if journey.service_day == day else 0) + amount)
    after = Journey(
        JourneyState.OUTSIDE,
        seconds,
        place.stop_number,
        place.route_number,
        started,
        paid,
        day,
        total,
        place.vehicle,
    )
    return FareDecision(amount, after, rules)


def _in_window(tariff: Tariff, journey: Journey, seconds: int) -> bool:
    """A window opens with a paid ride and is never prolonged by a transfer; a clock set back opens none."""
    since = seconds - journey.window_started_at
    return bool(journey.window_started_at) and 0 <= since < 60 * tariff.transfer_minutes


def need_in_date(identity: Identity, at: UnixMs) -> None:
    """Raises FareRefused for a card past its date: it rides, pays and is loaded no more."""
    if identity.valid_until < service_day(at):
        raise FareRefused("expired", "the card is past its date: exchange it at a counter")


def _may_ride(tariff: Tariff, identity: Identity, journey: Journey, at: UnixMs, place: Place) -> None:
    need_in_date(identity, at)
    since = at // 1000 - journey.tap_in_at
    if journey.last_terminal == place.vehicle and 0 <= since < 60 * tariff.passback_minutes:
        raise FareRefused(
            "passback", "the card was tapped here a moment ago: pay for a companion with another card"
        )
