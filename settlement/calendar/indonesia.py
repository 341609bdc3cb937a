"""Indonesia's public holidays and cuti bersama, from the `holidays` package (categories public and government).

Days that follow a moon sighting are estimates until the year's decree (SKB 3 Menteri); the package marks them, and so do we.
"""

from __future__ import annotations

from datetime import date
from functools import cache
from importlib.metadata import version
from typing import Final

from holidays.countries.indonesia import Indonesia

from keys.clock import day_of
from settlement.calendar.days import BankCalendar, Holiday

FIRST_YEAR: Final = 2015
LAST_YEAR: Final = 2045
SOURCE: Final = f"holidays {version('holidays')}, Indonesia, categories public and government"
_ESTIMATED: Final = " (estimated)"


@cache
def indonesian_calendar() -> BankCalendar:
    """Bank days from 2015 to 2045 as far as decrees and estimates tell, without anybody's overrides."""
    known = Indonesia(years=range(FIRST_YEAR, LAST_YEAR + 1), categories=("public", "government"))
    found = [
        Holiday(day_of(day), name.replace(_ESTIMATED, ""), _ESTIMATED in name) for day, name in known.items()
    ]
    return BankCalendar(day_of(date(FIRST_YEAR, 1, 1)), day_of(date(LAST_YEAR, 12, 31)), found)
