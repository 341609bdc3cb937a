"""A city's own bank calendar: Indonesia's, with the decisions that its staff keep in the rulebook."""

from __future__ import annotations

from typing import TYPE_CHECKING

from keys.clock import date_of, day_of
from settlement.calendar.days import DayOverride
from settlement.calendar.indonesia import indonesian_calendar
from settlement.rulebook.model import RuleKind
from settlement.rulebook.reading import Reader

if TYPE_CHECKING:
    from keys.clock import Day, UnixMs
    from settlement.calendar.days import BankCalendar
    from settlement.rulebook.book import Rulebook
    from settlement.rulebook.model import Page


def city_calendar(rulebook: Rulebook) -> BankCalendar:
    """The calendar that holds now."""
    pages = rulebook.current(RuleKind.BANK_DAY)
    return indonesian_calendar().with_overrides(one for page in pages if (one := _override(page)) is not None)


def decide(
    rulebook: Rulebook, day: Day, *, is_open: bool | None, author: str, reason: str, at: UnixMs
) -> Page:
    """Keep a decision about a day; `is_open` None takes earlier ones back. Raises RuleRefused, CalendarEnds."""
    indonesian_calendar().is_bank_day(day)  # a day that the calendar knows
    content = {"open": is_open}
    return rulebook.add(
        RuleKind.BANK_DAY, date_of(day).isoformat(), content, author=author, reason=reason, at=at
    )


def _override(page: Page) -> DayOverride | None:
    read = Reader(page)
    is_open = read.flag_or_none("open")
    if is_open is None:
        return None
    return DayOverride(day_of(read.day_of_name()), is_open, page.reason, page.author)
