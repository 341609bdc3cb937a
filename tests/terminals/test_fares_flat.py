"""The flat fare: every rider class on every kind of day, free transfers, passback, and what no rule may ever do."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from card.layout import NEVER, Concession, Identity, Journey, card_number
from keys.clock import Day, UnixMs, day_of, moment
from keys.money import Rupiah
from terminals.fares import TRANS_SEMARANG_2022, FareRefused, Place, decide, tap_in

HOLIDAY = date(2026, 12, 25)
TARIFF = replace(TRANS_SEMARANG_2022, holidays=frozenset({day_of(HOLIDAY)}))
BUS, OTHER_BUS = Place("1", "Simpang Lima", 1, 7, 1001), Place("2", "Tugu Muda", 2, 9, 1002)
WEDNESDAY, SUNDAY = date(2026, 11, 18), date(2026, 11, 22)
SCHOOL = {Concession.PUPIL, Concession.STUDENT}
MINUTE = 60_000


def rider(concession: Concession, until: Day = NEVER) -> Identity:
    return Identity(
        card_number(9, 1),
        9,
        1,
        registered=False,
        concession=concession,
        concession_until=until,
        valid_until=NEVER,
    )


def at(day: date, hour: int = 8, minute: int = 0) -> UnixMs:
    return moment(datetime(day.year, day.month, day.day, hour, minute))  # noqa: DTZ001  the city's wall clock


@pytest.mark.parametrize("day", [WEDNESDAY, SUNDAY, HOLIDAY], ids=["weekday", "sunday", "holiday"])
@pytest.mark.parametrize("expired", [False, True], ids=["valid", "expired"])
@pytest.mark.parametrize("concession", Concession)
def test_each_class_pays_what_the_city_says(concession: Concession, day: date, *, expired: bool) -> None:
    until = Day(day_of(day) - 1) if expired else NEVER
    decided = decide(TARIFF, rider(concession, until), Journey(), at(day), BUS)
    rests = day is not WEDNESDAY and concession in SCHOOL
    full = concession is Concession.GENERAL or expired or rests
    assert decided.amount == (3_500 if full else 1_000)
    assert decided.rules[0].startswith("full" if full else "concession:")


def test_a_transfer_within_two_hours_of_the_first_tap_is_free_and_prolongs_nothing() -> None:
    first = decide(TARIFF, rider(Concession.GENERAL), Journey(), at(WEDNESDAY), BUS)
    second = decide(TARIFF, rider(Concession.GENERAL), first.journey, at(WEDNESDAY, 9, 59), OTHER_BUS)
    third = decide(TARIFF, rider(Concession.GENERAL), second.journey, at(WEDNESDAY, 10, 0), BUS)
    assert [one.amount for one in (first, second, third)] == [3_500, 0, 3_500]
    assert "transfer" in second.rules
    assert third.journey.window_started_at == at(WEDNESDAY, 10) // 1000


def test_a_clock_set_back_opens_no_free_ride() -> None:
    later = decide(TARIFF, rider(Concession.GENERAL), Journey(), at(WEDNESDAY, 12), BUS)
    assert (
        decide(TARIFF, rider(Concession.GENERAL), later.journey, at(WEDNESDAY, 11), OTHER_BUS).amount == 3_500
    )


def test_the_same_card_on_the_same_bus_within_minutes_is_refused_and_on_another_it_is_not() -> None:
    first = decide(TARIFF, rider(Concession.GENERAL), Journey(), at(WEDNESDAY), BUS)
    with pytest.raises(FareRefused) as refused:
        decide(TARIFF, rider(Concession.GENERAL), first.journey, at(WEDNESDAY, 8, 2), BUS)
    assert refused.value.rule == "passback"
    assert (
        decide(TARIFF, rider(Concession.GENERAL), first.journey, at(WEDNESDAY, 8, 2), OTHER_BUS).amount == 0
    )
    assert decide(TARIFF, rider(Concession.GENERAL), first.journey, at(WEDNESDAY, 8, 3), BUS).amount == 0


def test_a_card_past_its_date_does_not_ride() -> None:
    old = replace(rider(Concession.GENERAL), valid_until=Day(day_of(WEDNESDAY) - 1))
    with pytest.raises(FareRefused, match="past its date"):
        decide(TARIFF, old, Journey(), at(WEDNESDAY), BUS)
    with pytest.raises(FareRefused, match="past its date"):
        tap_in(TARIFF, old, Journey(), at(WEDNESDAY), BUS)


def test_the_days_total_starts_afresh_at_three_in_the_morning() -> None:
    evening = decide(TARIFF, rider(Concession.GENERAL), Journey(), at(WEDNESDAY, 20), BUS)
    night = decide(
        TARIFF, rider(Concession.GENERAL), evening.journey, at(date(2026, 11, 19), 2, 59), OTHER_BUS
    )
    morning = decide(TARIFF, rider(Concession.GENERAL), night.journey, at(date(2026, 11, 19), 5), BUS)
    assert [one.journey.day_total for one in (evening, night, morning)] == [3_500, 7_000, 3_500]


moments = st.lists(st.integers(0, 3 * 24 * 60), min_size=1, max_size=12).map(sorted)


@given(moments, st.sampled_from(Concession), st.lists(st.booleans(), min_size=12, max_size=12))
def test_over_any_taps_a_window_is_paid_for_once_and_prices_are_the_tariffs(
    minutes: list[int], concession: Concession, buses: list[bool]
) -> None:
    journey, start, identity = Journey(), at(WEDNESDAY, 4), rider(concession)
    paid_at: int | None = None
    for minute, first_bus in zip(minutes, buses, strict=False):
        now = UnixMs(start + minute * MINUTE)
        try:
            decided = decide(TARIFF, identity, journey, now, BUS if first_bus else OTHER_BUS)
        except FareRefused:
            continue
        assert decided == decide(TARIFF, identity, journey, now, BUS if first_bus else OTHER_BUS)
        assert decided.amount in {0, 1_000, 3_500}
        assert (decided.amount == 0) == (paid_at is not None and minute - paid_at < 120)
        paid_at = minute if decided.amount else paid_at
        journey = decided.journey


def test_the_city_pays_what_a_concession_leaves_and_nothing_for_a_free_transfer() -> None:
    assert TARIFF.subsidy(Rupiah(1_000), ("concession:pupil",)) == 2_500
    assert TARIFF.subsidy(Rupiah(0), ("concession:pupil", "transfer")) == 0
    assert TARIFF.subsidy(Rupiah(3_500), ("full",)) == 0
