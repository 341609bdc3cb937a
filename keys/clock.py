"""Time as the city counts it: milliseconds since 1970 (UTC), service days, and the city's own zone (law 9)."""

from __future__ import annotations

import time
from datetime import UTC, date, datetime, timedelta, timezone
from typing import NewType, Protocol

UnixMs = NewType("UnixMs", int)
Day = NewType("Day", int)
"""A calendar day as days since 1970-01-01."""

CITY = timezone(timedelta(hours=7), "WIB")
"""Asia/Jakarta: UTC+7 all year, no daylight saving, so no zone database is needed on a terminal."""

SERVICE_DAY_STARTS = timedelta(hours=3)
"""Transit's day rolls over at 03:00."""

_EPOCH = date(1970, 1, 1)
_DAY_MS = 86_400_000
_SERVICE_OFFSET_MS = (timedelta(hours=7) - SERVICE_DAY_STARTS) // timedelta(milliseconds=1)


class Clock(Protocol):
    """Where a program asks for the time; a test or a demo day brings its own."""

    def now(self) -> UnixMs:
        """Milliseconds since 1970-01-01T00:00Z."""


class SystemClock:
    """The machine's own clock."""

    def now(self) -> UnixMs:
        """Milliseconds since 1970-01-01T00:00Z."""
        return UnixMs(time.time_ns() // 1_000_000)


def local(at: UnixMs) -> datetime:
    """The city's wall clock at a moment."""
    return datetime.fromtimestamp(at / 1000, UTC).astimezone(CITY)


def moment(wall: datetime) -> UnixMs:
    """The moment of a wall clock's time; one without a zone is the city's."""
    aware = wall if wall.tzinfo else wall.replace(tzinfo=CITY)
    return UnixMs(round(aware.timestamp() * 1000))


def day_of(calendar_day: date) -> Day:
    """A date as days since 1970-01-01."""
    return Day((calendar_day - _EPOCH).days)


def date_of(day: Day) -> date:
    """Days since 1970-01-01 as a date."""
    return _EPOCH + timedelta(days=day)


def service_day(at: UnixMs) -> Day:
    """The service day that a moment belongs to: a tap at 01:30 belongs to the day before."""
    return Day((at + _SERVICE_OFFSET_MS) // _DAY_MS)
