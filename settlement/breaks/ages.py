"""How long a break has been there, in four buckets: 24, 72 and 120 hours and more. Pure.

Where a bank has to act (it has not booked something, or not as asked) only its business days count, 24 hours each; where the money is on
our account already, every day counts.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from keys.clock import Day
from settlement.breaks.filters import Span
from settlement.breaks.kept import Age
from settlement.breaks.model import Reason
from settlement.matching.days import business_days_between

if TYPE_CHECKING:
    from collections.abc import Iterable

    from settlement.matching.days import BusinessDays

OF_THE_BANK: Final = frozenset(
    {Reason.MISSING_ON_STATEMENT, Reason.AMOUNT_DIFFERS, Reason.WRONG_BANK, Reason.FEE, Reason.DUPLICATE_LINE}
)
HOURS: Final = {Age.DAY: 24, Age.THREE_DAYS: 72, Age.FIVE_DAYS: 120}
DAYS_LOOKED_AT_MAX: Final = 60
"""Beyond this a break is old, whatever the calendar says."""


def hours_of(reason: Reason, since: Day, today: Day, calendar: BusinessDays) -> int:
    """A break's age in hours, by whole days."""
    if today - since > DAYS_LOOKED_AT_MAX:
        return 24 * (today - since)
    days = business_days_between(calendar, since, today) if reason in OF_THE_BANK else max(0, today - since)
    return 24 * days


def age_of(reason: Reason, since: Day, today: Day, calendar: BusinessDays) -> Age:
    """A break's bucket."""
    hours = hours_of(reason, since, today, calendar)
    return next((age for age, most in HOURS.items() if hours <= most), Age.OLDER)


def spans_of(age: Age, today: Day, calendar: BusinessDays) -> tuple[Span, ...]:
    """Which breaks are in a bucket today, as spans of days: for a question to the database."""
    return tuple(
        span
        for reasons in (sorted(OF_THE_BANK), sorted(set(Reason) - OF_THE_BANK))
        if (span := _span(age, tuple(reasons), today, calendar)) is not None
    )


def _span(age: Age, reasons: tuple[Reason, ...], today: Day, calendar: BusinessDays) -> Span | None:
    days = [
        Day(day)
        for day in range(today - DAYS_LOOKED_AT_MAX, today + 1)
        if age_of(reasons[0], Day(day), today, calendar) is age
    ]
    if not days:
        return None
    first = None if age is Age.OLDER else min(days)
    last = max(days) if age is not Age.DAY else Day(today + DAYS_LOOKED_AT_MAX)
    return Span(reasons, first, last)


def counted(
    found: Iterable[tuple[Reason, Day, int, int]], today: Day, calendar: BusinessDays
) -> dict[Age, tuple[int, int]]:
    """Counts and sums of (reason, since, count, sum) rows by bucket, in the buckets' order."""
    made = dict.fromkeys(Age, (0, 0))
    for reason, since, count, size in found:
        age = age_of(reason, since, today, calendar)
        made[age] = (made[age][0] + count, made[age][1] + size)
    return made
