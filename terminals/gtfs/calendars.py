"""Days of services: calendar.txt and calendar_dates.txt, read for the timeframes of fares, and written back."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING, Final

from keys.clock import Day, date_of
from terminals.fares.tariff import Days, Follows

if TYPE_CHECKING:
    from collections.abc import Iterator

    from terminals.fares.tariff import Tariff
    from terminals.gtfs.feed import Feed

WEEKDAYS: Final = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
CALENDAR: Final = ("service_id", *WEEKDAYS, "start_date", "end_date")
CALENDAR_DATES: Final = ("service_id", "date", "exception_type")
_ADDED, _REMOVED = "1", "2"


def read_days(feed: Feed, follows: dict[str, Follows], holidays: frozenset[Day]) -> dict[str, Days]:
    """All services by their id; exceptions that only say what a holiday does are left to the holidays. Raises FeedWrong."""
    weekly: dict[str, tuple[int, Day, Day]] = {}
    for row in feed.optional("calendar.txt", CALENDAR):
        service = row.name("service_id", needed=True)
        if service in weekly:
            raise row.wrong("service_id", f"{service!r} stands there twice")
        mask = sum(row.whole(name, 0, 1) << place for place, name in enumerate(WEEKDAYS))
        first, last = row.day("start_date"), row.day("end_date")
        if last < first:
            raise row.wrong("end_date", "it is before start_date")
        weekly[service] = (mask, first, last)
    changed: dict[str, dict[Day, str]] = defaultdict(dict)
    for row in feed.optional("calendar_dates.txt", CALENDAR_DATES):
        service, day = row.name("service_id", needed=True), row.day("date")
        if day in changed[service]:
            raise row.wrong("date", f"{service!r} has this date twice")
        changed[service][day] = str(row.whole("exception_type", 1, 2))
    return {
        service: _days(service, weekly.get(service, (0, Day(0), Day(0))), changed[service], follows, holidays)
        for service in [*weekly, *(one for one in changed if one not in weekly)]
    }


def _days(
    service: str, weekly: tuple[int, Day, Day], changed: dict[Day, str], follows: dict[str, Follows], holidays: frozenset[Day]
) -> Days:  # fmt: skip
    how = follows.get(service, Follows.NOTHING)
    told = {Follows.ADDS: _ADDED, Follows.REMOVES: _REMOVED}.get(how, "")
    _, first, last = weekly
    own = {
        day: kind
        for day, kind in changed.items()
        if not (kind == told and day in holidays and first <= day <= last)
    }
    added = frozenset(day for day, kind in own.items() if kind == _ADDED)
    return Days(service, *weekly, how, added, frozenset(own) - added)


def calendar_rows(tariff: Tariff) -> Iterator[list[str]]:
    """calendar.txt for a tariff's services."""
    for one in tariff.services:
        runs = [str(one.weekdays >> place & 1) for place in range(7)]
        yield [one.service, *runs, _date(one.first), _date(one.last)]


def calendar_date_rows(tariff: Tariff) -> Iterator[list[str]]:
    """calendar_dates.txt: a service's own exceptions, and its holidays for whoever knows nothing of our policy."""
    for one in tariff.services:
        days = dict.fromkeys(one.added, _ADDED) | dict.fromkeys(one.removed, _REMOVED)
        if one.follows is not Follows.NOTHING:
            within = (day for day in tariff.holidays if one.first <= day <= one.last)
            kind = _ADDED if one.follows is Follows.ADDS else _REMOVED
            days = dict.fromkeys(within, kind) | days
        yield from ([one.service, _date(day), kind] for day, kind in sorted(days.items()))


def _date(day: Day) -> str:
    return f"{date_of(day):%Y%m%d}"
