"""Tap-in and tap-out: price by where a ride began and ended, reversal, continuation, missing taps, caps, places unknown, newer cards."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, datetime

import pytest

from card.layout import Concession, Journey, JourneyState
from keys.clock import UnixMs, moment
from keys.money import Rupiah
from terminals.fares import (
    FareDecision,
    FareRefused,
    Place,
    Step,
    Tariff,
    decide,
    tap_in,
    tap_out,
    unfinished,
)
from tests.terminals.zones import IDENTITY, WEDNESDAY, place, uniform, zonal

ZONAL = zonal(continuation_minutes=10)
PUPIL = replace(IDENTITY, concession=Concession.PUPIL)


def at(hour: int, minute: int = 0, day: date = WEDNESDAY) -> UnixMs:
    return moment(datetime(day.year, day.month, day.day, hour, minute))  # noqa: DTZ001  the city's wall clock


class Card:
    """A card under one tariff, tapped in order."""

    def __init__(self, tariff: Tariff = ZONAL) -> None:
        self.tariff, self.identity, self.journey = tariff, IDENTITY, Journey()

    def _keep(self, decided: FareDecision) -> FareDecision:
        self.journey = Journey.decode(decided.journey.encode())
        assert self.journey == decided.journey
        return decided

    def into(self, now: UnixMs, where: Place) -> FareDecision:
        return self._keep(tap_in(self.tariff, self.identity, self.journey, now, where))

    def out(self, now: UnixMs, where: Place) -> FareDecision:
        return self._keep(tap_out(self.tariff, self.identity, self.journey, now, where))


def steps(decided: FareDecision) -> dict[str, int]:
    return {step.code: step.amount for step in decided.steps}


@pytest.mark.parametrize(("stop", "due", "pupil"), [(2, 3_000, 1_000), (3, 5_000, 2_000), (4, 9_000, 4_000)])
def test_a_ride_costs_what_lies_between_its_ends(stop: int, due: int, pupil: int) -> None:
    for identity, price in ((IDENTITY, due), (PUPIL, pupil)):
        card = Card()
        card.identity = identity
        assert card.into(at(8), place(1)).amount == 0
        assert card.journey.state is JourneyState.INSIDE
        assert card.out(at(8, 30), place(stop)).amount == price
        assert (card.journey.state, card.journey.day_total) == (JourneyState.OUTSIDE, price)


def test_the_concession_of_one_among_several_products_is_named_and_its_subsidy_is_the_difference() -> None:
    card = Card()
    card.identity = PUPIL
    card.into(at(8), place(1))
    rules = card.out(at(8, 30), place(4)).rules
    assert rules == ("tap-out", "concession:pupil@AC")
    assert ZONAL.subsidy(Rupiah(4_000), rules) == 5_000
    assert ZONAL.subsidy(Rupiah(0), rules) == 0


@pytest.mark.parametrize(("minute", "due"), [(0, 0), (14, 0), (15, 3_000)])
def test_out_where_one_came_in_is_free_for_some_minutes(minute: int, due: int) -> None:
    card = Card()
    card.into(at(8), place(1))
    back = card.out(at(8, minute), place(1, gate=1))
    assert (back.amount, "reversal" in back.rules) == (due, due == 0)


def test_a_card_with_no_tap_out_is_charged_the_dearest_ride_at_its_next_tap() -> None:
    card = Card()
    card.into(at(8), place(3))
    assert unfinished(ZONAL, IDENTITY, card.journey) == (Step("missing-tap-out", Rupiah(5_000)),)
    assert steps(card.into(at(12), place(1))) == {"tap-in": 0, "missing-tap-out": 5_000}
    assert steps(card.out(at(12, 20), place(2))) == {"tap-out": 0, "full": 3_000}
    assert unfinished(ZONAL, IDENTITY, card.journey) == ()


@pytest.mark.parametrize(("stop", "minute", "due"), [(1, 14, 0), (1, 15, 9_000), (3, 5, 9_000)])
def test_who_taps_in_again_where_he_just_did_begins_one_ride(stop: int, minute: int, due: int) -> None:
    card = Card()
    card.into(at(8), place(1))
    again = card.into(at(8, minute), place(stop, gate=1))
    assert (again.amount, "entry-again" in again.rules) == (due, due == 0)
    assert card.out(at(9), place(4)).amount == {1: 9_000, 3: 5_000}[stop]


def test_a_flat_tap_after_a_missing_tap_out_charges_both() -> None:
    card = Card()
    card.into(at(8), place(4))
    both = decide(ZONAL, IDENTITY, card.journey, at(9), place(1, route=3))
    assert steps(both) == {"missing-tap-out": 9_000, "full": 20_000}


def test_a_card_with_no_tap_in_is_charged_the_dearest_ride_to_here() -> None:
    card = Card()
    assert steps(card.out(at(8), place(4))) == {"tap-out": 0, "missing-tap-in": 9_000}
    with pytest.raises(FareRefused) as refused:
        card.out(at(8, 1), place(4))
    assert refused.value.rule == "passback"


@pytest.mark.parametrize("minute", [35, 44])
def test_a_second_tap_out_at_the_stop_is_no_ride_and_the_gate_stays_shut(minute: int) -> None:
    card = Card()
    card.into(at(8), place(1))
    card.out(at(8, 30), place(4))
    before = card.journey
    with pytest.raises(FareRefused, match="ask the staff"):
        card.out(at(8, minute), place(4, gate=1))
    assert card.journey == before
    assert steps(card.out(at(8, 45), place(4, gate=1))) == {"tap-out": 0, "missing-tap-in": 9_000}


def test_a_ride_longer_than_any_is_two_of_which_half_is_known() -> None:
    card = Card()
    card.into(at(8), place(1))
    late = card.out(at(12, 1), place(2))
    assert steps(late) == {"tap-out": 0, "missing-tap-out": 9_000, "missing-tap-in": 9_000}


def test_in_on_one_network_and_out_on_another_is_two_rides_of_which_half_is_known() -> None:
    card = Card()
    card.into(at(8), place(1))
    assert steps(card.out(at(9), place(4, route=3))) == {
        "tap-out": 0,
        "missing-tap-out": 9_000,
        "missing-tap-in": 20_000,
    }


def test_who_goes_on_from_where_he_came_out_pays_what_the_longer_ride_costs_more() -> None:
    card = Card()
    card.into(at(8), place(1))
    assert card.out(at(8, 30), place(3)).amount == 5_000
    assert card.into(at(8, 39), place(3, gate=2)).rules == ("tap-in", "continuation")
    assert steps(card.out(at(9), place(4))) == {"tap-out": 0, "full": 9_000, "continuation": -5_000}
    assert card.journey.day_total == 9_000


@pytest.mark.parametrize("stop_and_minute", [(3, 40), (2, 35)], ids=["too late", "another stop"])
def test_who_comes_later_or_elsewhere_begins_anew(stop_and_minute: tuple[int, int]) -> None:
    stop, minute = stop_and_minute
    card = Card()
    card.into(at(8), place(1))
    card.out(at(8, 30), place(3))
    assert card.into(at(8, minute), place(stop, gate=1)).rules == ("tap-in",)


def test_two_people_with_one_card_at_one_gate_are_told_so_and_a_companion_pays_in_full() -> None:
    card = Card()
    card.into(at(8), place(1))
    with pytest.raises(FareRefused) as refused:
        card.into(at(8, 1), place(1))
    assert refused.value.rule == "passback"
    beside = decide(ZONAL, PUPIL, card.journey, at(8, 1), place(1), companion=True)
    assert beside.steps == (Step("companion", Rupiah(9_000)),)
    assert beside.journey == card.journey


def test_a_days_fares_stop_at_the_cap_and_the_next_service_day_begins_anew() -> None:
    card = Card(zonal(daily_caps=(("", Rupiah(12_000)),)))
    paid = []
    for hour in (8, 10, 12):
        card.into(at(hour), place(1))
        paid.append(card.out(at(hour, 30), place(4)))
    assert [one.amount for one in paid] == [9_000, 3_000, 0]
    assert steps(paid[1]) == {"tap-out": 0, "full": 9_000, "daily-cap": -6_000}
    card.into(at(2, 59, date(2026, 11, 19)), place(1))
    assert card.out(at(3, 20, date(2026, 11, 19)), place(4)).amount == 0
    card.into(at(3, 30, date(2026, 11, 19)), place(1))
    assert card.out(at(4, 0, date(2026, 11, 19)), place(4)).amount == 9_000


def test_a_weeks_fares_stop_at_the_cap_until_monday_at_three() -> None:
    card = Card(zonal(weekly_caps=(("", Rupiah(20_000)),)))
    paid = []
    for day in range(18, 25):  # Wednesday to Tuesday
        card.into(at(8, day=date(2026, 11, day)), place(1))
        paid.append(card.out(at(9, day=date(2026, 11, day)), place(4)).amount)
    assert paid == [9_000, 9_000, 2_000, 0, 0, 9_000, 9_000]


def test_a_missing_tap_out_stays_under_the_cap_of_its_own_day() -> None:
    card = Card(zonal(daily_caps=(("general", Rupiah(12_000)),)))
    card.into(at(8), place(1))
    card.out(at(9), place(4))
    card.into(at(22), place(1))
    next_day = card.into(at(7, day=date(2026, 11, 19)), place(1))
    assert steps(next_day) == {"tap-in": 0, "missing-tap-out": 9_000, "daily-cap": -6_000}
    assert card.out(at(8, day=date(2026, 11, 19)), place(4)).amount == 9_000


def test_transfers_between_gated_rides_are_free_within_the_window_from_the_first_tap_in() -> None:
    card = Card(uniform())
    paid = []
    for begin, end in ((at(8), at(8, 40)), (at(9), at(9, 40)), (at(9, 59), at(10, 30)), (at(10, 40), at(11))):
        card.into(begin, place(1))
        paid.append(card.out(end, place(3)).amount)
    assert paid == [3_500, 0, 0, 3_500]


@pytest.mark.parametrize("known", [True, False])
def test_where_the_terminal_does_not_know_its_place_the_doubt_is_the_riders(*, known: bool) -> None:
    card = Card()
    card.into(at(8), place(1))
    ride = card.out(at(9), place(4) if known else Place("", "", 1, 0, 900))
    assert steps(ride) == ({"tap-out": 0, "full": 9_000} if known else {"tap-out": 0, "full": 3_000, "degraded:position-unknown": 0})  # fmt: skip
    lost = Card()
    lost.into(at(8), Place("", "", 0, 0, 900))
    assert lost.journey.provisional == 20_000
    assert steps(lost.out(at(9), place(4)))["degraded:position-unknown"] == 0


def test_a_city_may_fix_what_is_charged_where_the_place_is_unknown() -> None:
    card = Card(zonal(degraded=(("", Rupiah(2_500)),)))
    card.into(at(8), place(1))
    assert card.out(at(9), Place("", "", 1, 0, 900)).amount == 2_500


def test_a_card_whose_journey_a_newer_software_wrote_rides_and_its_file_is_left_alone() -> None:
    newer = Journey.decode(bytes([0x30]) + bytes(31))
    for decided, due in (
        (decide(ZONAL, IDENTITY, newer, at(8), place(1, route=3)), 20_000),
        (tap_in(ZONAL, IDENTITY, newer, at(8), place(1)), 3_000),
        (tap_out(ZONAL, IDENTITY, newer, at(9), place(4)), 0),
    ):
        assert (decided.journey, decided.amount) == (newer, due)
        assert "degraded:journey-newer" in decided.rules


def test_a_place_without_any_fare_is_refused_and_says_which_tariff() -> None:
    bare = replace(ZONAL, legs=ZONAL.legs[:1])
    with pytest.raises(FareRefused, match="zonal-1") as refused:
        decide(bare, IDENTITY, Journey(), at(8), place(4))
    assert refused.value.rule == "no-fare"


def test_a_card_that_ended_while_inside_may_still_go_out() -> None:
    card = Card()
    card.into(at(8), place(1))
    card.identity = replace(IDENTITY, valid_until=card.journey.service_day)
    assert card.out(at(9), place(3)).amount == 5_000
