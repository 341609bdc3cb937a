"""The fare rules at their edges: exact rule names, exact minutes, clocks that run backwards, days that roll over."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from card.layout import Concession, Identity, Journey
from keys.clock import Day, UnixMs, day_of, service_day
from terminals.fares import FareRefused, Place, decide
from tests.terminals.depot import IDENTITY
from tests.terminals.test_fares_flat import BUS, HOLIDAY, OTHER_BUS, SUNDAY, TARIFF, WEDNESDAY, at, rider

if TYPE_CHECKING:
    from keys.money import Rupiah

SECOND = 1_000
SCHOOL_RULES = {
    (False, False): "concession:{}",
    (False, True): "full:{}-rest-day",
    (True, False): "full:{}-expired",
    (True, True): "full:{}-expired",
}


def paid(identity: Identity, now: UnixMs, journey: Journey | None = None, bus: Place = BUS) -> Rupiah:
    return decide(TARIFF, identity, journey or Journey(), now, bus).amount


@pytest.mark.parametrize("day", [WEDNESDAY, SUNDAY, HOLIDAY], ids=["weekday", "sunday", "holiday"])
@pytest.mark.parametrize("expired", [False, True], ids=["valid", "expired"])
@pytest.mark.parametrize("concession", Concession)
def test_the_rule_that_made_a_price_goes_with_it(concession: Concession, day: date, *, expired: bool) -> None:
    school = concession in {Concession.PUPIL, Concession.STUDENT}
    rests = school and day is not WEDNESDAY
    rule = SCHOOL_RULES[expired, rests].format(concession.name.lower())
    if concession is Concession.GENERAL:
        rule = "full"
    until = Day(day_of(day) - expired)
    decided = decide(TARIFF, rider(concession, until), Journey(), at(day), BUS)
    assert decided.rules == (rule,)
    assert TARIFF.subsidy(decided.amount, decided.rules) == (2_500 if rule.startswith("concession") else 0)


def test_a_concession_and_a_card_hold_to_the_end_of_their_last_service_day() -> None:
    last = replace(rider(Concession.ELDERLY, day_of(WEDNESDAY)), valid_until=day_of(WEDNESDAY))
    after_midnight = WEDNESDAY + timedelta(days=1)
    assert paid(last, at(after_midnight, 2, 59)) == 1_000
    with pytest.raises(FareRefused) as refused:
        paid(last, at(after_midnight, 3))
    assert refused.value.rule == "expired"


def test_sunday_begins_and_ends_at_three_for_a_pupil() -> None:
    pupil = rider(Concession.PUPIL)
    monday = SUNDAY + timedelta(days=1)
    moments = [at(SUNDAY, 2, 59), at(SUNDAY, 3), at(monday, 2, 59), at(monday, 3)]
    assert [paid(pupil, now) for now in moments] == [1_000, 3_500, 3_500, 1_000]


@pytest.mark.parametrize(("seconds", "due"), [(0, 0), (7_199, 0), (7_200, 3_500), (-1, 3_500)])
def test_a_window_is_open_from_its_first_second_to_before_its_last(seconds: int, due: int) -> None:
    first = decide(TARIFF, IDENTITY, Journey(), at(WEDNESDAY), BUS)
    now = UnixMs(at(WEDNESDAY) + seconds * SECOND)
    assert paid(IDENTITY, now, first.journey, OTHER_BUS) == due


@pytest.mark.parametrize("seconds", [0, 1, 179])
def test_each_second_of_the_passback_time_is_refused_also_after_a_free_transfer(seconds: int) -> None:
    first = decide(TARIFF, IDENTITY, Journey(), at(WEDNESDAY), OTHER_BUS)
    transfer = decide(TARIFF, IDENTITY, first.journey, at(WEDNESDAY, 8, 30), BUS)
    with pytest.raises(FareRefused) as refused:
        paid(IDENTITY, UnixMs(at(WEDNESDAY, 8, 30) + seconds * SECOND), transfer.journey)
    assert refused.value.rule == "passback"
    assert paid(IDENTITY, at(WEDNESDAY, 8, 33), transfer.journey) == 0


taps = st.lists(st.tuples(st.integers(-300, 600), st.sampled_from([BUS, OTHER_BUS])), min_size=1, max_size=15)


@given(taps, st.sampled_from(Concession))
def test_under_any_clock_a_free_ride_lies_within_two_hours_after_a_paid_one(
    steps: list[tuple[int, Place]], concession: Concession
) -> None:
    journey, now, paid_at = Journey(), at(WEDNESDAY, 4), UnixMs(0)
    totals: dict[Day, int] = {}
    for minutes, bus in steps:
        now = UnixMs(now + minutes * 60 * SECOND)
        try:
            decided = decide(TARIFF, rider(concession), journey, now, bus)
        except FareRefused as refusal:
            assert (refusal.rule, journey.last_terminal) == ("passback", bus.vehicle)
            continue
        if decided.amount == 0:
            assert 0 <= now - paid_at < 120 * 60 * SECOND
            assert decided.rules[-1] == "transfer"
        else:
            paid_at = now
        day = service_day(now)
        same = journey.service_day == day
        totals = {day: (totals.get(day, 0) if same else 0) + decided.amount}
        assert (decided.journey.service_day, decided.journey.day_total) == (day, totals[day])
        assert Journey.decode(decided.journey.encode()) == decided.journey
        journey = decided.journey
