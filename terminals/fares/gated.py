"""Tap-in and tap-out where a ride's price is known at its end (a feed with its own prices). Pure."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from card.layout import Identity, Journey, JourneyState
from keys.clock import UnixMs, service_day
from keys.money import Rupiah
from terminals.fares.flat import FareDecision, FareRefused, need_in_date

if TYPE_CHECKING:
    from terminals.fares.flat import Place


def tap_in(identity: Identity, journey: Journey, at: UnixMs, place: Place) -> FareDecision:
    """Begin a ride; an open one is closed without a price, and the rules say so.

    Raises FareRefused for a card past its date.
    """
    need_in_date(identity, at)
    unfinished = ("missing-tap-out",) if journey.state is JourneyState.INSIDE else ()
    day = service_day(at)
    inside = replace(
        journey,
        state=JourneyState.INSIDE,
        tap_in_at=at // 1000,
        tap_in_stop=place.stop_number,
        tap_in_route=place.route_number,
        service_day=day,
        day_total=journey.day_total if journey.service_day == day else Rupiah(0),
        last_terminal=place.vehicle,
    )
    return FareDecision(Rupiah(0), inside, ("tap-in", *unfinished))


def tap_out(journey: Journey, place: Place, price: Rupiah) -> FareDecision:
    """End a ride at its price; at the stop where it began, nothing is charged (reversal).

    Raises FareRefused where the card is in no ride.
    """
    if journey.state is not JourneyState.INSIDE:
        raise FareRefused("missing-tap-in", "the card was not tapped in: ask the staff")
    back = journey.tap_in_stop == place.stop_number
    amount = Rupiah(0) if back else price
    outside = replace(
        journey,
        state=JourneyState.OUTSIDE,
        day_total=Rupiah(journey.day_total + amount),
        last_terminal=place.vehicle,
    )
    return FareDecision(amount, outside, ("tap-out", "reversal") if back else ("tap-out",))
