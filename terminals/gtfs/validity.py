"""Whether a feed is whole: the files and fields that the GTFS Schedule reference requires, and every reference between them.

What is looked at: agency, stops, routes, trips, stop_times, calendar and calendar_dates, frequencies, feed_info and, through the import, the fares.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from terminals.gtfs.calendars import CALENDAR, CALENDAR_DATES
from terminals.gtfs.feed import Feed

if TYPE_CHECKING:
    from collections.abc import Collection
    from pathlib import Path

    from terminals.gtfs.feed import Row

_ROUTE_TYPES: Final = frozenset({"0", "1", "2", "3", "4", "5", "6", "7", "11", "12"})
_TIME_MAX: Final = 72 * 3600
_STOPS_A_TRIP_MIN: Final = 2
_TIMED: Final = frozenset({"", "0"})


@dataclass(frozen=True, slots=True)
class FeedFigures:
    """What a whole feed holds."""

    agencies: int
    stops: int
    routes: int
    trips: int
    stop_times: int


def check_feed(path: Path) -> FeedFigures:
    """Look a feed through; raises FeedWrong at the first thing that the reference does not allow."""
    with Feed(path) as feed:
        agencies = _agencies(feed)
        stops = _stops(feed)
        routes = _routes(feed, agencies)
        services = _services(feed)
        trips = _trips(feed, routes, services)
        times = _stop_times(feed, trips, stops)
        for row in feed.optional("frequencies.txt", ["trip_id", "start_time", "end_time", "headway_secs"]):
            row.one_of("trip_id", trips, "trip", needed=True)
            if row.seconds("end_time", _TIME_MAX) <= row.seconds("start_time", _TIME_MAX):
                raise row.wrong("end_time", "it is not after start_time")
            row.whole("headway_secs", 1, _TIME_MAX)
        for row in feed.optional("feed_info.txt", ["feed_publisher_name", "feed_publisher_url", "feed_lang"]):
            _url(row, "feed_publisher_url")
            row.needed("feed_publisher_name")
            row.needed("feed_lang")
    return FeedFigures(len(agencies), len(stops), len(routes), len(trips), times)


def _fresh(row: Row, column: str, seen: Collection[str]) -> str:
    name = row.name(column, needed=True)
    if name in seen:
        raise row.wrong(column, f"{name!r} stands there twice")
    return name


def _url(row: Row, column: str) -> None:
    if not row.needed(column).startswith(("http://", "https://")):
        raise row.wrong(column, f"{row.text(column)!r} is no address that begins with http:// or https://")


def _agencies(feed: Feed) -> set[str]:
    found: set[str] = set()
    zones: set[str] = set()
    for row in feed.rows("agency.txt", ["agency_name", "agency_url", "agency_timezone"]):
        row.needed("agency_name")
        _url(row, "agency_url")
        zones.add(row.needed("agency_timezone"))
        if found and not row.text("agency_id"):
            raise row.wrong("agency_id", "it is needed where there are several agencies")
        if len(zones) > 1:
            raise row.wrong("agency_timezone", "all agencies of a feed are in one time zone")
        name = row.name("agency_id")
        if name in found:
            raise row.wrong("agency_id", f"{name!r} stands there twice")
        found.add(name)
    return found


def _stops(feed: Feed) -> set[str]:
    found: set[str] = set()
    parents: list[Row] = []
    for row in feed.rows("stops.txt", ["stop_id"]):
        found.add(_fresh(row, "stop_id", found))
        if row.whole("location_type", 0, 4, default=0) < 3:  # noqa: PLR2004  stops, stations and entrances have a place
            row.needed("stop_name")
            _degrees(row, "stop_lat", 90)
            _degrees(row, "stop_lon", 180)
        if row.text("parent_station"):
            parents.append(row)
    for row in parents:
        row.one_of("parent_station", found, "stop")
    return found


def _degrees(row: Row, column: str, most: int) -> None:
    try:
        degrees = float(row.needed(column))
    except ValueError:
        degrees = float("nan")
    if not -most <= degrees <= most:
        raise row.wrong(column, f"{row.text(column)!r} is not from -{most} to {most} degrees")


def _routes(feed: Feed, agencies: set[str]) -> set[str]:
    found: set[str] = set()
    for row in feed.rows("routes.txt", ["route_id", "route_type"]):
        found.add(_fresh(row, "route_id", found))
        row.one_of("agency_id", agencies, "agency", needed=len(agencies) > 1)
        row.one_of("route_type", _ROUTE_TYPES, "kind of route", needed=True)
        if not (row.text("route_short_name") or row.text("route_long_name")):
            raise row.wrong("route_short_name", "a route has a short name or a long one")
    return found


def _services(feed: Feed) -> set[str]:
    if not feed.has("calendar.txt"):
        return {row.needed("service_id") for row in feed.rows("calendar_dates.txt", CALENDAR_DATES)}
    found: set[str] = set()
    for row in feed.rows("calendar.txt", CALENDAR):
        found.add(_fresh(row, "service_id", found))
        if row.day("end_date") < row.day("start_date"):
            raise row.wrong("end_date", "it is before start_date")
    dated = {row.needed("service_id") for row in feed.optional("calendar_dates.txt", CALENDAR_DATES)}
    return found | dated


def _trips(feed: Feed, routes: set[str], services: set[str]) -> set[str]:
    found: set[str] = set()
    for row in feed.rows("trips.txt", ["route_id", "service_id", "trip_id"]):
        found.add(_fresh(row, "trip_id", found))
        row.one_of("route_id", routes, "route", needed=True)
        row.one_of("service_id", services, "service", needed=True)
        row.whole("direction_id", 0, 1, default=0)
    return found


def _stop_times(feed: Feed, trips: set[str], stops: set[str]) -> int:
    """Stops of a trip in order, with times that never go back; the first and the last stop have one."""
    count: Counter[str] = Counter()
    before: Row | None = None
    latest = sequence = -1
    for row in feed.rows("stop_times.txt", ["trip_id", "stop_id", "stop_sequence"]):
        trip = row.one_of("trip_id", trips, "trip", needed=True)
        row.one_of("stop_id", stops, "stop", needed=True)
        number = row.whole("stop_sequence", 0, 1_000_000)
        begins = before is None or before.text("trip_id") != trip
        if begins:
            _need_last_time(before)
            latest = sequence = -1
            row.needed("departure_time")
            if count[trip]:
                raise row.wrong("trip_id", f"the stops of {trip!r} do not stand together")
        if number <= sequence:
            raise row.wrong("stop_sequence", "it does not grow along the trip")
        latest, sequence, before = _time(row, latest), number, row
        count[trip] += 1
    _need_last_time(before)
    for trip in sorted(trips):
        if count[trip] < _STOPS_A_TRIP_MIN and before is not None:
            raise before.wrong("trip_id", f"trip {trip!r} has {count[trip]} stops: a trip has two or more")
    return count.total()


def _need_last_time(row: Row | None) -> None:
    if row is not None:
        row.needed("arrival_time")


def _time(row: Row, latest: int) -> int:
    for column in ("arrival_time", "departure_time"):
        if row.text(column):
            at = row.seconds(column, _TIME_MAX)
            if at < latest:
                raise row.wrong(column, "it is before the stop before")
            latest = at
        elif row.text("timepoint") not in _TIMED:
            raise row.wrong(column, "a stop with exact times has both")
    return latest
