"""Bank days as a value: which days banks work, counted forwards and backwards. Pure; no clock and no database.

A bank day is a weekday that is neither a public holiday nor cuti bersama (the joint ministerial
decree, SKB 3 Menteri, of each year), unless somebody decided otherwise.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Final

import numpy as np

from keys.clock import Day, date_of, day_of
from settlement.errors import CalendarEnds

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import date

    from numpy.typing import NDArray

DAYS_A_WEEK: Final = 7
_SATURDAY: Final = 5
_EPOCH_WEEKDAY: Final = 3
"""1970-01-01 was a Thursday."""


@dataclass(frozen=True, slots=True)
class Holiday:
    """A day on which banks are closed, and why; `estimated` where no decree names it yet (moon sightings)."""

    day: Day
    name: str
    estimated: bool = False


@dataclass(frozen=True, slots=True)
class DayOverride:
    """Somebody's decision that banks work, or do not, on a day; it goes before holidays and weekends."""

    day: Day
    is_open: bool
    reason: str
    author: str


class BankCalendar:
    """The bank days from `first` to `last`, both included. Immutable.

    Every question about a day outside raises CalendarEnds: a calendar that guessed would put payments on holidays.
    """

    def __init__(
        self, first: Day, last: Day, holidays: Iterable[Holiday] = (), overrides: Iterable[DayOverride] = ()
    ) -> None:
        self.first = first
        self.last = last
        self.holidays = {one.day: one for one in sorted(holidays, key=lambda one: one.day)}
        self.overrides = {one.day: one for one in overrides}

    @cached_property
    def _open(self) -> NDArray[np.bool_]:
        days = np.arange(self.first, self.last + 1, dtype=np.int64)
        opened = (days + _EPOCH_WEEKDAY) % DAYS_A_WEEK < _SATURDAY
        for day in self.holidays:
            if self.first <= day <= self.last:
                opened[day - self.first] = False
        for day, override in self.overrides.items():
            if self.first <= day <= self.last:
                opened[day - self.first] = override.is_open
        return opened

    @cached_property
    def _passed(self) -> NDArray[np.int64]:
        """How many bank days lie from `first` up to each day, that day included."""
        return np.cumsum(self._open, dtype=np.int64)

    def _place(self, day: int) -> int:
        if not self.first <= day <= self.last:
            raise CalendarEnds(
                f"the bank calendar covers {date_of(self.first)} to {date_of(self.last)}, and day {day} lies outside:"
                " install a newer release"
            )
        return int(day - self.first)

    def is_bank_day(self, day: Day) -> bool:
        """Whether banks work; raises CalendarEnds."""
        return bool(self._open[self._place(day)])

    def closed_because(self, day: Day) -> str:
        """Why banks do not work on a day, "" where they do; raises CalendarEnds."""
        if self.is_bank_day(day):
            return ""
        if day in self.overrides:
            return self.overrides[day].reason
        if day in self.holidays:
            return self.holidays[day].name
        return f"{date_of(day):%A}"

    def next_bank_day(self, day: Day) -> Day:
        """The first bank day after a day; raises CalendarEnds."""
        return self.plus(day, 1)

    def on_or_after(self, day: Day) -> Day:
        """The day itself where it is a bank day, else the next; raises CalendarEnds."""
        return day if self.is_bank_day(day) else self.plus(day, 1)

    def plus(self, day: Day, bank_days: int) -> Day:
        """The bank day that lies `bank_days` (1 or more) after a day: T+n; raises CalendarEnds."""
        if bank_days < 1:
            raise ValueError(f"{bank_days} bank days after a day: 1 or more is meant")
        wanted = int(self._passed[self._place(day)]) + bank_days
        place = int(np.searchsorted(self._passed, wanted))
        self._place(self.first + place)
        return Day(self.first + place)

    def with_overrides(self, overrides: Iterable[DayOverride]) -> BankCalendar:
        """The same calendar with these decisions in place of the ones that it has."""
        return BankCalendar(self.first, self.last, self.holidays.values(), overrides)

    def closures(self, first: date, last: date) -> list[tuple[date, str, bool]]:
        """Weekdays from `first` to `last` on which banks do not work: day, why, and whether that is an estimate."""
        found = []
        for number in range(day_of(first), day_of(last) + 1):
            day = Day(number)
            weekday = (day + _EPOCH_WEEKDAY) % DAYS_A_WEEK < _SATURDAY
            if weekday and not self.is_bank_day(day):
                holiday = self.holidays.get(day)
                estimated = holiday is not None and holiday.estimated and day not in self.overrides
                found.append((date_of(day), self.closed_because(day), estimated))
        return found
