"""What is asked of a journey before a fare is decided: passback, reversal, a ride that goes on, one that took too long. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from card.journey import STOP_MAX, TERMINAL_MASK, Journey, JourneyState
from terminals.fares.decision import FareRefused

if TYPE_CHECKING:
    from keys.clock import UnixMs
    from terminals.fares.decision import Place
    from terminals.fares.tariff import Tariff


def ride_ended_by(tariff: Tariff, journey: Journey) -> int:
    """The last second (Unix) at which an open ride may be tapped out."""
    return journey.tap_in_at + 60 * tariff.policy.ride_minutes


def need_no_passback(tariff: Tariff, journey: Journey, at: UnixMs, place: Place) -> None:
    """Raises FareRefused where the card was tapped at this machine a moment ago."""
    since = seconds_of(at) - journey.last_tap_at
    here = journey.last_terminal == place.vehicle & TERMINAL_MASK
    if here and 0 <= since < 60 * tariff.policy.passback_minutes:
        raise FareRefused(
            "passback", "the card was tapped here a moment ago: pay for a companion, or with another card"
        )


def need_not_out_already(tariff: Tariff, journey: Journey, at: UnixMs, place: Place) -> None:
    """At another gate of the stop where the card was just tapped out: somebody else, or one whose gate did not open."""
    since = seconds_of(at) - journey.tap_out_at
    here = bool(journey.tap_out_at and place.stop_number) and journey.tap_out_stop == stop_of(place)
    if here and 0 <= since < 60 * tariff.policy.reversal_minutes:
        raise FareRefused(
            "passback",
            "the card was tapped out at this stop a moment ago: if the gate is shut, ask the staff",
        )


def continues(tariff: Tariff, journey: Journey, at: UnixMs, place: Place) -> bool:
    """Whether a tap-in goes on with the ride that ended at this stop minutes ago."""
    since = seconds_of(at) - journey.tap_out_at
    here = bool(place.stop_number) and journey.tap_out_stop == stop_of(place) and bool(journey.tap_in_stop)
    within = 0 <= since < 60 * tariff.policy.continuation_minutes
    fresh = journey.ride_paid and not too_long(tariff, journey, at)
    return journey.state is JourneyState.OUTSIDE and bool(journey.tap_out_at and fresh) and here and within


def reverses(tariff: Tariff, journey: Journey, at: UnixMs, place: Place) -> bool:
    """Whether a tap takes back the tap-in that was made at this stop a moment ago."""
    here = bool(place.stop_number) and journey.tap_in_stop == stop_of(place) and not journey.ride_paid
    return here and seconds_of(at) - journey.tap_in_at < 60 * tariff.policy.reversal_minutes


def too_long(tariff: Tariff, journey: Journey, at: UnixMs) -> bool:
    """Whether an open ride has lasted longer than a ride may."""
    return seconds_of(at) > ride_ended_by(tariff, journey)


def networks_differ(tariff: Tariff, journey: Journey, place: Place) -> bool:
    """Whether a card was tapped in on one network and out on another: two rides, each half known."""
    ins, out = tariff.prices.network(journey.tap_in_route), tariff.prices.network(place.route_number)
    return ins is not None and out is not None and ins != out


def stop_of(place: Place) -> int:
    """A stop as the card's journey keeps it; 0 where its number is too large for that."""
    return place.stop_number if place.stop_number <= STOP_MAX else 0


def seconds_of(at: UnixMs) -> int:
    """A moment in whole seconds (Unix), as the card keeps it."""
    return at // 1000
