"""Fare decisions: one tap on a flat network, tap-in and tap-out on a gated one. Pure functions over card, tariff, time and place.

The rules, in the order in which they are asked, stand in docs/decisions/0026-fares.md.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from card.journey import OUT_SECONDS_MAX, TERMINAL_MASK, Journey, JourneyState
from keys.clock import UnixMs, service_day
from keys.money import Rupiah
from terminals.fares.bill import Bill
from terminals.fares.conditions import (
    continues,
    need_no_passback,
    need_not_out_already,
    networks_differ,
    reverses,
    seconds_of,
    stop_of,
    too_long,
)
from terminals.fares.decision import FareDecision, Step
from terminals.fares.prices import Leg
from terminals.fares.rider import Rider
from terminals.fares.transfers import Window, transferred

if TYPE_CHECKING:
    from card.layout import Identity
    from terminals.fares.decision import Place
    from terminals.fares.prices import Quote
    from terminals.fares.tariff import Tariff

_INSIDE, _OUTSIDE = JourneyState.INSIDE, JourneyState.OUTSIDE
_NOTHING = Rupiah(0)


def decide(
    tariff: Tariff, identity: Identity, journey: Journey, at: UnixMs, place: Place, *, companion: bool = False
) -> FareDecision:
    """The fare of a single tap on a flat network; `companion` pays once more for somebody beside the card's holder.

    Raises FareRefused: the card is past its date, was tapped here a moment ago (passback), or no fare is known here.
    """
    rider = Rider.of(tariff, identity, at)
    if companion:
        return _for_companion(tariff, journey, at, place)
    quote = rider.boarding(Leg(place.route_number, place.stop_number, 0, at))
    if not journey.known:
        return FareDecision(journey, (*rider.steps_of(quote), *_without_journey()))
    need_no_passback(tariff, journey, at, place)
    bill = Bill(tariff, journey)
    if journey.state is _INSIDE:
        _close_unfinished(bill, rider, journey)
    bill.start(service_day(at))
    steps, window = transferred(
        tariff, rider, _window(journey), quote, starts=seconds_of(at), ends=seconds_of(at)
    )
    charged = bill.charge(rider.category, *steps)
    return FareDecision(_begun(bill, at, place, _OUTSIDE, window.plus(charged)), tuple(bill.steps))


def tap_in(tariff: Tariff, identity: Identity, journey: Journey, at: UnixMs, place: Place) -> FareDecision:
    """Begin a ride on a gated network; an open one is charged as far as it could have gone, unless it began here a moment ago.

    Raises FareRefused: the card is past its date, was tapped in here a moment ago, or no fare is known here.
    """
    rider = Rider.of(tariff, identity, at)
    leg = Leg(place.route_number, place.stop_number, 0, at)
    if not journey.known:
        return FareDecision(journey, (*rider.steps_of(rider.degraded(leg)), *_without_journey()))
    if journey.state is _INSIDE:
        need_no_passback(tariff, journey, at, place)
    bill = Bill(tariff, journey)
    bill.note("tap-in")
    dearest = rider.dearest(leg).amount
    if continues(tariff, journey, at, place):
        bill.note("continuation")
        due = Rupiah(max(0, dearest - journey.ride_paid))
        return FareDecision(
            replace(
                journey,
                state=_INSIDE,
                tap_out_at=0,
                last_terminal=place.vehicle & TERMINAL_MASK,
                provisional=due,
            ),
            tuple(bill.steps),
        )
    if journey.state is _INSIDE and reverses(tariff, journey, at, place):
        bill.note("entry-again")  # the gate did not open, or its answer was lost: the ride begins once
    elif journey.state is _INSIDE:
        _close_unfinished(bill, rider, journey)
    bill.start(service_day(at))
    return FareDecision(_begun(bill, at, place, _INSIDE, _window(journey), dearest), tuple(bill.steps))


def tap_out(tariff: Tariff, identity: Identity, journey: Journey, at: UnixMs, place: Place) -> FareDecision:
    """End a ride at its price: nothing where it began and a moment later (reversal), all it could have been without a tap-in.

    Raises FareRefused: the card was tapped out here a moment ago, or no fare is known here.
    """
    rider = Rider.of(tariff, identity, at, in_date=False)
    bill = Bill(tariff, journey)
    bill.note("tap-out")
    if not journey.known:
        return FareDecision(journey, (*bill.steps, *_without_journey()))
    if journey.state is not _INSIDE:
        need_no_passback(tariff, journey, at, place)
        need_not_out_already(tariff, journey, at, place)
        return _without_tap_in(bill, rider, journey, at, place)
    if too_long(tariff, journey, at) or networks_differ(tariff, journey, place):
        _close_unfinished(bill, rider, journey)
        return _without_tap_in(bill, rider, journey, at, place)
    if reverses(tariff, journey, at, place):
        bill.note("reversal")
        return FareDecision(_ended(journey, bill, at, place, _window(journey)), tuple(bill.steps))
    leg = Leg(
        journey.tap_in_route or place.route_number, journey.tap_in_stop, place.stop_number,
        _moment(journey.tap_in_at), at,
    )  # fmt: skip
    quote = rider.riding(leg)
    steps, window = _of_ride(tariff, rider, journey, quote, at)
    charged = bill.charge(rider.category, *steps)
    out = _ended(journey, bill, at, place, window.plus(charged), quote.amount)
    return FareDecision(out, tuple(bill.steps))


def _of_ride(
    tariff: Tariff, rider: Rider, journey: Journey, quote: Quote, at: UnixMs
) -> tuple[tuple[Step, ...], Window]:
    """The steps of a ride that ends: a continued one pays what the longer ride costs more, another may be a transfer."""
    if journey.ride_paid:
        credit = Step("continuation", Rupiah(-min(journey.ride_paid, quote.amount)))
        return (*rider.steps_of(quote), credit), _window(journey)
    return transferred(tariff, rider, _window(journey), quote, starts=journey.tap_in_at, ends=seconds_of(at))


def unfinished(tariff: Tariff, identity: Identity, journey: Journey) -> tuple[Step, ...]:
    """What an open ride costs as long as nobody knows where it ended: the provisional maximum fare, under its day's caps."""
    if journey.state is not _INSIDE or not journey.known:
        return ()
    bill = Bill(tariff, journey)
    _close_unfinished(bill, Rider.of(tariff, identity, _moment(journey.tap_in_at), in_date=False), journey)
    return tuple(bill.steps)


def _for_companion(tariff: Tariff, journey: Journey, at: UnixMs, place: Place) -> FareDecision:
    """The full fare, without window or cap: the rules remember one rider a card, and that is its holder."""
    rider = Rider(tariff, tariff.default_category, "")
    quote = rider.boarding(Leg(place.route_number, place.stop_number, 0, at))
    return FareDecision(journey, (Step("companion", quote.amount),))


def _close_unfinished(bill: Bill, rider: Rider, journey: Journey) -> None:
    bill.charge(rider.category, Step("missing-tap-out", journey.provisional))


def _without_tap_in(bill: Bill, rider: Rider, journey: Journey, at: UnixMs, place: Place) -> FareDecision:
    """A ride of which only the end is known: the dearest that could have ended here; no window opens."""
    bill.start(service_day(at))
    bill.charge(rider.category, Step("missing-tap-in", rider.dearest_to(place, at).amount))
    after = replace(_begun(bill, at, place, _OUTSIDE, _window(journey)), tap_in_stop=0)
    return FareDecision(after, tuple(bill.steps))


def _without_journey() -> tuple[Step, ...]:
    return (Step("degraded:journey-newer", Rupiah(0)),)


def _begun(
    bill: Bill, at: UnixMs, place: Place, state: JourneyState, window: Window, provisional: Rupiah = _NOTHING
) -> Journey:
    """The journey after a tap that begins a ride, or is one."""
    return Journey(
        state, seconds_of(at), stop_of(place), place.route_number, window.started_at, window.paid, window.transfers,
        window.group, bill.day_total, bill.week_total, place.vehicle & TERMINAL_MASK, provisional=provisional,
    )  # fmt: skip


def _ended(
    journey: Journey, bill: Bill, at: UnixMs, place: Place, window: Window, paid: Rupiah = _NOTHING
) -> Journey:
    """The journey after a tap-out."""
    since = min(max(1, seconds_of(at) - journey.tap_in_at), OUT_SECONDS_MAX)
    return Journey(
        _OUTSIDE, journey.tap_in_at, journey.tap_in_stop, journey.tap_in_route, window.started_at, window.paid,
        window.transfers, window.group, bill.day_total, bill.week_total, place.vehicle & TERMINAL_MASK,
        journey.tap_in_at + since, stop_of(place), paid,
    )  # fmt: skip


def _window(journey: Journey) -> Window:
    return Window(journey.window_started_at, journey.window_paid, journey.transfers, journey.group)


def _moment(seconds: int) -> UnixMs:
    return UnixMs(seconds * 1000)
