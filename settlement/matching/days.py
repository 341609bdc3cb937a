"""Business days as matching asks for them: a calendar says which days banks work, and nothing else is assumed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Protocol

import polars as pl

from keys.clock import Day, date_of
from settlement.errors import CalendarEnds

if TYPE_CHECKING:
    from datetime import date

_SATURDAY: Final = 5
CLOSED_DAYS_MAX: Final = 60
"""A calendar that closes banks for longer is wrong: the search for the next business day ends there."""


class BusinessDays(Protocol):
    """A calendar of bank days."""

    def is_bank_day(self, day: Day) -> bool:
        """Whether banks work on a day."""


@dataclass(frozen=True, slots=True)
class Weekdays:
    """Monday to Friday, less the holidays that are named."""

    holidays: frozenset[date] = frozenset()

    def is_bank_day(self, day: Day) -> bool:
        """Whether banks work on a day."""
        found = date_of(day)
        return found.weekday() < _SATURDAY and found not in self.holidays


@dataclass(frozen=True, slots=True)
class _Tolerant:
    calendar: BusinessDays

    def is_bank_day(self, day: Day) -> bool:
        try:
            return self.calendar.is_bank_day(day)
        except CalendarEnds:
            return Weekdays().is_bank_day(day)


def tolerant(calendar: BusinessDays) -> BusinessDays:
    """A calendar that counts weekdays outside its years: a statement's odd date must not stop the matching of all others."""
    return calendar if isinstance(calendar, _Tolerant) else _Tolerant(calendar)


def nth_after(calendar: BusinessDays, day: Day, count: int) -> Day:
    """The `count`th business day after a day; the day itself for 0."""
    closed = 0
    while count > 0 and closed < CLOSED_DAYS_MAX:
        day = Day(day + 1)
        is_open = calendar.is_bank_day(day)
        count -= is_open
        closed = 0 if is_open else closed + 1
    return day


def business_days_between(calendar: BusinessDays, first: Day, last: Day) -> int:
    """How many business days come after `first`, up to `last` inclusive; 0 where `last` is not later."""
    return sum(calendar.is_bank_day(Day(day)) for day in range(first + 1, last + 1))


def with_last_day(items: pl.DataFrame, calendar: BusinessDays, days_late: int) -> pl.DataFrame:
    """Items with `last`: the latest value date, so many business days after `due`."""
    dues = items["due"].unique().to_list()
    last = [int(nth_after(calendar, Day(due), days_late)) for due in dues]
    table = pl.DataFrame({"due": dues, "last": last}, schema={"due": pl.Int32, "last": pl.Int32})
    return items.join(table, on="due", how="left", maintain_order="left")
