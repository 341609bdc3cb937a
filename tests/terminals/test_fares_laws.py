"""What must hold for any taps: an oracle's figures, the caps, steps that sum to the fare. (Taps left out: test_fares_left_out.py.)"""

from __future__ import annotations

from collections import defaultdict
from datetime import datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from card.layout import Journey
from keys.clock import moment
from keys.money import Rupiah
from terminals.fares import FareDecision, Tariff, tap_in, tap_out, unfinished
from terminals.fares.words import LANGUAGES, words
from tests.terminals.fare_oracle import Rules, Tap, charged, day_of
from tests.terminals.zones import IDENTITY, place, uniform, zonal

START = datetime(2026, 11, 16, 3)  # noqa: DTZ001  Monday, when the service week begins, by the city's wall clock
CAPS = {"daily_caps": (("", Rupiah(14_000)),), "weekly_caps": (("general", Rupiah(30_000)),)}
CASES: dict[str, tuple[Tariff, Rules]] = {
    "zones": (zonal(), Rules()),
    "zones with caps": (zonal(**CAPS), Rules(day_cap=14_000, week_cap=30_000)),
    "one price": (uniform(), Rules(price=3_500, transfer=120)),
    "one price with caps": (
        uniform(daily_caps=(("", Rupiah(8_000)),), weekly_caps=(("", Rupiah(20_000)),)),
        Rules(price=3_500, transfer=120, day_cap=8_000, week_cap=20_000),
    ),
}
FEW = settings(max_examples=60, deadline=None)
case = st.sampled_from(list(CASES))
steps_apart = st.tuples(st.integers(4, 500), st.integers(1, 4), st.booleans())


def taps_of(steps: list[tuple[int, int, bool]]) -> list[Tap]:
    """Taps in order, at least four minutes apart (two tap-outs at one stop 15), every one at another gate: passback is no matter here."""
    when, found = START, list[Tap]()
    for minutes, stop, goes_in in steps:
        out_again = bool(found) and not (goes_in or found[-1].goes_in) and found[-1].stop == stop
        when += timedelta(minutes=max(minutes, 15) if out_again else minutes)
        found.append(Tap(when, stop, goes_in))
    return found


def decisions(tariff: Tariff, taps: list[Tap]) -> tuple[list[FareDecision], Journey]:
    journey, found = Journey(), []
    for number, tap in enumerate(taps):
        decide = tap_in if tap.goes_in else tap_out
        done = decide(tariff, IDENTITY, journey, moment(tap.when), place(tap.stop, gate=number % 90))
        journey = Journey.decode(done.journey.encode())
        found.append(done)
    return found, journey


def amounts(tariff: Tariff, taps: list[Tap]) -> list[int]:
    found, journey = decisions(tariff, taps)
    return [
        *(one.amount for one in found),
        sum(step.amount for step in unfinished(tariff, IDENTITY, journey)),
    ]


@FEW
@given(case, st.lists(steps_apart, max_size=24))
def test_every_tap_is_charged_what_an_independent_reckoning_says(
    name: str, steps: list[tuple[int, int, bool]]
) -> None:
    tariff, rules = CASES[name]
    taps = taps_of(steps)
    assert amounts(tariff, taps) == charged(rules, taps)


@FEW
@given(st.sampled_from(["zones with caps", "one price with caps"]), st.lists(steps_apart, max_size=40))
def test_no_service_day_and_no_week_ever_costs_more_than_its_cap(
    name: str, steps: list[tuple[int, int, bool]]
) -> None:
    tariff, rules = CASES[name]
    days: dict[datetime, int] = defaultdict(int)
    weeks: dict[datetime, int] = defaultdict(int)
    journey = Journey()
    for number, tap in enumerate(taps_of(steps)):
        before = journey
        done = (tap_in if tap.goes_in else tap_out)(
            tariff, IDENTITY, journey, moment(tap.when), place(tap.stop, gate=number % 90)
        )
        journey = done.journey
        late = (
            sum(step.amount for step in unfinished(tariff, IDENTITY, before))
            if "missing-tap-out" in done.rules
            else 0
        )
        for amount, second in ((late, before.tap_in_at), (done.amount - late, journey.tap_in_at)):
            day = day_of(datetime.fromtimestamp(second + 7 * 3600, tz=None) if second else START)  # noqa: DTZ006  compared by day alone
            days[day] += amount
            weeks[day - timedelta(days=day.weekday())] += amount
    assert max(days.values(), default=0) <= rules.day_cap
    assert max(weeks.values(), default=0) <= rules.week_cap


def rides_within_days(rides: list[tuple[int, int, int, int]]) -> list[Tap]:
    """Whole rides, each within one service day (a ride over 03:00 counts for the day that it began)."""
    when, found = START, []
    for wait, origin, minutes, destination in rides:
        begin = when + timedelta(minutes=wait)
        if day_of(begin) != day_of(begin + timedelta(minutes=minutes)):
            begin = day_of(begin) + timedelta(days=1, hours=3)
        when = begin + timedelta(minutes=minutes)
        found += [Tap(begin, origin, goes_in=True), Tap(when, destination, goes_in=False)]
    return found


@pytest.mark.parametrize("language", LANGUAGES)
@FEW
@given(steps=st.lists(steps_apart, max_size=20))
def test_the_steps_of_a_decision_sum_to_its_fare_and_each_has_words(
    language: str, steps: list[tuple[int, int, bool]]
) -> None:
    found, _ = decisions(CASES["zones with caps"][0], taps_of(steps))
    for done in found:
        assert done.amount == sum(step.amount for step in done.steps) >= 0
        assert len(done.rules) <= 16
        assert all(len(rule) <= 64 for rule in done.rules)
        assert all(words(step, language) for step in done.steps)
