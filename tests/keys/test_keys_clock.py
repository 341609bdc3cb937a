"""Time's faces: the city's wall clock and the service day."""

from __future__ import annotations

from datetime import date, datetime

from hypothesis import given
from hypothesis import strategies as st

from keys.clock import Day, UnixMs, date_of, day_of, local, moment, service_day


def test_law_09_a_tap_at_half_past_one_belongs_to_the_service_day_before() -> None:
    night = moment(datetime(2026, 11, 19, 1, 30))  # noqa: DTZ001  the city's wall clock
    assert date_of(service_day(night)) == date(2026, 11, 18)
    morning = moment(datetime(2026, 11, 19, 3, 0))  # noqa: DTZ001  likewise
    assert date_of(service_day(morning)) == date(2026, 11, 19)


@given(st.integers(0, 2**41).map(UnixMs))
def test_moments_and_wall_clock_are_each_others_inverse(at: UnixMs) -> None:
    assert moment(local(at)) == at


@given(st.integers(0, 40_000).map(Day))
def test_days_and_dates_are_each_others_inverse(day: Day) -> None:
    assert day_of(date_of(day)) == day
