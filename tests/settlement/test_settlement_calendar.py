"""Bank days: weekends, public holidays and cuti bersama left out; counted the same forwards, backwards and in columns."""

from __future__ import annotations

from datetime import date, datetime, time, timedelta
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from keys.clock import CITY, Day, UnixMs, date_of, day_of, moment
from ledger.book import Ledger
from settlement import tables
from settlement.calendar.city import city_calendar, decide
from settlement.calendar.days import BankCalendar, DayOverride, Holiday
from settlement.calendar.hours import Hours, HoursTable, shipped_hours
from settlement.calendar.indonesia import indonesian_calendar
from settlement.errors import CalendarEnds, HoursUnknown, RuleRefused
from settlement.rulebook.book import Rulebook
from settlement.rulebook.model import RuleKind

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

FIRST, LAST = day_of(date(2026, 1, 1)), day_of(date(2027, 12, 31))
DAYS = st.integers(FIRST, LAST).map(Day)
CALENDAR = indonesian_calendar()


@st.composite
def calendars(draw: st.DrawFn) -> BankCalendar:
    holidays = [Holiday(day, "hari libur") for day in draw(st.sets(DAYS, max_size=60))]
    overrides = [
        DayOverride(day, draw(st.booleans()), "keputusan", "maker") for day in draw(st.sets(DAYS, max_size=8))
    ]
    return BankCalendar(FIRST, LAST, holidays, overrides)


def works(calendar: BankCalendar, day: Day) -> bool:
    """The rule in words, day by day: the oracle."""
    if day in calendar.overrides:
        return calendar.overrides[day].is_open
    return date_of(day).weekday() < 5 and day not in calendar.holidays


@given(calendar=calendars(), day=DAYS)
def test_a_bank_day_is_a_weekday_without_holiday_unless_somebody_decided(
    calendar: BankCalendar, day: Day
) -> None:
    assert calendar.is_bank_day(day) == works(calendar, day)
    assert bool(calendar.closed_because(day)) == (not works(calendar, day))


@given(calendar=calendars(), day=st.integers(FIRST, LAST - 400).map(Day), count=st.integers(1, 40))
def test_t_plus_n_is_a_bank_day_and_n_bank_days_away(calendar: BankCalendar, day: Day, count: int) -> None:
    found = calendar.plus(day, count)
    assert works(calendar, found)
    assert sum(works(calendar, Day(one)) for one in range(day + 1, found + 1)) == count
    assert calendar.next_bank_day(day) == calendar.plus(day, 1) > day
    assert calendar.on_or_after(day) == (day if works(calendar, day) else calendar.next_bank_day(day))


@pytest.mark.parametrize(
    ("day", "because"),
    [
        (date(2026, 3, 18), "Day of Silence Joint Holiday"),  # cuti bersama of Nyepi 1948
        (date(2026, 3, 20), "Eid al-Fitr Joint Holiday"),
        (date(2026, 8, 17), "Independence Day"),
        (date(2026, 12, 24), "Christmas Joint Holiday"),
        (date(2026, 11, 21), "Saturday"),
        (date(2026, 11, 18), ""),
    ],
)
def test_public_holidays_and_cuti_bersama_of_the_decree_are_known(day: date, because: str) -> None:
    assert CALENDAR.closed_because(day_of(day)) == because


def test_days_that_follow_the_moon_are_marked_until_they_are_decreed() -> None:
    guesses = [why for _, why, guess in CALENDAR.closures(date(2027, 1, 1), date(2027, 12, 31)) if guess]
    assert guesses == ["Eid al-Fitr", "Eid al-Fitr Second Day", "Eid al-Adha"]
    assert not any(guess for *_, guess in CALENDAR.closures(date(2026, 1, 1), date(2026, 12, 31)))


@pytest.mark.parametrize("day", [date(2014, 12, 31), date(2046, 1, 1)])
def test_a_day_that_the_calendar_does_not_reach_is_refused(day: date) -> None:
    with pytest.raises(CalendarEnds, match="covers 2015-01-01 to 2045-12-31"):
        CALENDAR.is_bank_day(day_of(day))
    with pytest.raises(CalendarEnds):
        CALENDAR.plus(CALENDAR.last, 1)


# Hours


def at(day: date, hour: int, minute: int = 0) -> UnixMs:
    return moment(datetime.combine(day, time(hour, minute), CITY))


FRIDAY = date(2026, 11, 20)


@pytest.mark.parametrize(
    ("rail", "sent", "executed"),
    [
        ("SKN", at(FRIDAY, 16, 44), FRIDAY),
        ("SKN", at(FRIDAY, 16, 45), date(2026, 11, 23)),
        ("RTGS", at(FRIDAY, 16, 30), date(2026, 11, 23)),
        ("SKN", at(date(2026, 11, 21), 10), date(2026, 11, 23)),
        ("RTGS", at(date(2026, 12, 25), 10), date(2026, 12, 28)),
        ("SKN", at(date(2026, 12, 23), 23), date(2026, 12, 28)),
        ("BI_FAST", at(date(2026, 12, 25), 23), date(2026, 12, 25)),
        ("IN_HOUSE", at(FRIDAY, 23), FRIDAY),
    ],
)
def test_a_payment_after_the_cut_off_is_executed_on_the_next_bank_day(
    rail: str, sent: UnixMs, executed: date
) -> None:
    assert shipped_hours().execution(rail, sent, CALENDAR) == day_of(executed)


def test_a_dated_row_opens_a_rail_longer_at_year_end_and_ends_by_itself() -> None:
    late = Hours("RTGS", date(2026, 12, 30), time(6, 30), time(21), True, date(2026, 12, 31))
    table = HoursTable([*shipped_hours().rows, late])
    assert table.execution("RTGS", at(date(2026, 12, 30), 20), CALENDAR) == day_of(date(2026, 12, 30))
    assert table.execution("RTGS", at(date(2027, 1, 4), 20), CALENDAR) == day_of(date(2027, 1, 6))


def test_a_day_before_the_first_row_has_no_hours() -> None:
    with pytest.raises(HoursUnknown, match="SKN on 2014-01-02"):
        shipped_hours().on("SKN", day_of(date(2014, 1, 2)))


# Decisions


@pytest.fixture
def rulebook(tmp_path: Path) -> Iterator[Rulebook]:
    database = Ledger.create(f"sqlite:///{tmp_path / 'ledger.db'}", tables.metadata)
    yield Rulebook(database)
    database.close()


def test_a_decision_about_a_day_holds_with_its_reason_and_author_and_can_be_taken_back(
    rulebook: Rulebook,
) -> None:
    flood = day_of(FRIDAY)
    decide(rulebook, flood, is_open=False, author="maker", reason="banjir rob", at=UnixMs(5))
    decided = city_calendar(rulebook)
    assert decided.closed_because(flood) == "banjir rob"
    assert decided.overrides[flood].author == "maker"
    decide(rulebook, flood, is_open=None, author="checker", reason="surut", at=UnixMs(6))
    assert city_calendar(rulebook).is_bank_day(flood)
    history = rulebook.history(RuleKind.BANK_DAY, "2026-11-20")
    assert [(page.version, page.author, page.made_at) for page in history] == [
        (1, "maker", 5),
        (2, "checker", 6),
    ]


def test_the_same_decision_again_changes_nothing(rulebook: Rulebook) -> None:
    first, again = (
        rulebook.add(RuleKind.MAPPING, "x", {"b": 1, "a": 2}, author="A", reason="r", at=UnixMs(moment_))
        for moment_ in (1, 2)
    )
    assert first == again
    assert first.content == '{"a":2,"b":1}'


@pytest.mark.parametrize(("name", "author"), [("", "A"), ("x" * 61, "A"), ("x", " A"), ("x", "A\n")])
def test_a_page_without_a_name_or_an_author_is_refused(rulebook: Rulebook, name: str, author: str) -> None:
    with pytest.raises(RuleRefused):
        rulebook.add(RuleKind.MAPPING, name, {}, author=author, reason="r", at=UnixMs(0))
    assert rulebook.current(RuleKind.MAPPING) == []


def test_a_page_that_is_not_as_it_must_be_is_named(rulebook: Rulebook) -> None:
    rulebook.add(RuleKind.BANK_DAY, "2026-11-20", {"open": "yes"}, author="A", reason="r", at=UnixMs(0))
    with pytest.raises(RuleRefused, match="bank day 2026-11-20, version 1: open"):
        city_calendar(rulebook)


def test_a_decision_about_a_day_beyond_the_calendar_is_refused(rulebook: Rulebook) -> None:
    beyond = Day(CALENDAR.last + timedelta(days=1).days)
    with pytest.raises(CalendarEnds):
        decide(rulebook, beyond, is_open=False, author="A", reason="r", at=UnixMs(0))
