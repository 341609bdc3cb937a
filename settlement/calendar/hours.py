"""When the rails are open: dated rows, city time. A payment that misses a cut-off is executed on the next bank day.

As read in press reports (docs/payments.md): BI-FAST runs always; SKN closes at 16:45, RTGS at 16:30 (some banks say 19:00, and later
at year end: a dated row says which holds).
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, time
from typing import TYPE_CHECKING, Final

from keys.clock import Day, UnixMs, date_of, day_of, local
from settlement.errors import HoursUnknown

if TYPE_CHECKING:
    from collections.abc import Iterable

    from settlement.calendar.days import BankCalendar

ALWAYS: Final = (time(0), time(23, 59, 59, 999_999))


@dataclass(frozen=True, slots=True)
class Hours:
    """From a day on (until `valid_to`, where that is told) a rail takes payments from `opens` to before `closes`."""

    rail: str
    valid_from: date
    opens: time
    closes: time
    bank_days_only: bool
    valid_to: date | None = None


class HoursTable:
    """The rows in force by day; of several the one that begins last holds."""

    def __init__(self, rows: Iterable[Hours]) -> None:
        self.rows = tuple(sorted(rows, key=lambda row: (row.rail, row.valid_from)))

    def on(self, rail: str, day: Day) -> Hours:
        """The hours of a rail on a day; raises HoursUnknown."""
        wanted = date_of(day)
        held = [
            row
            for row in self.rows
            if row.rail == rail
            and row.valid_from <= wanted
            and (row.valid_to is None or wanted <= row.valid_to)
        ]
        if not held:
            raise HoursUnknown(f"no row tells the hours of {rail} on {wanted}: add the one in force then")
        return held[-1]

    def execution(self, rail: str, at: UnixMs, calendar: BankCalendar) -> Day:
        """The day on which a payment that is sent at a moment is executed; raises HoursUnknown, CalendarEnds."""
        wall = local(at)
        day = day_of(wall.date())
        hours = self.on(rail, day)
        if wall.time() < hours.closes and (not hours.bank_days_only or calendar.is_bank_day(day)):
            return day
        following = Day(day + 1)
        return calendar.on_or_after(following) if self.on(rail, following).bank_days_only else following


def shipped_hours() -> HoursTable:
    """The hours that hold today, for all days that the calendar covers."""
    start = date(2015, 1, 1)
    return HoursTable(
        [
            Hours("IN_HOUSE", start, *ALWAYS, bank_days_only=False),
            Hours("BI_FAST", start, *ALWAYS, bank_days_only=False),
            Hours("SKN", start, time(6, 30), time(16, 45), bank_days_only=True),
            Hours("RTGS", start, time(6, 30), time(16, 30), bank_days_only=True),
        ]
    )
