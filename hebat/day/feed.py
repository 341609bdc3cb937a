"""Stops and routes of a GTFS folder, and which of them a row of taps means.

GTFS Schedule reference, stops.txt and routes.txt. A row's stop is found by its id, else by its position: the nearest
stop of the feed within `NEAR_METRES`. Real exports name halts by other ids than the feed does (P00142 for H00136P).
"""

from __future__ import annotations

import csv
import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from hebat.day.trips import degrees
from hebat.errors import FeedRefused

if TYPE_CHECKING:
    from pathlib import Path

    from hebat.day.trips import StopRef

NEAR_METRES = 150
_METRES_PER_DEGREE = 111_195  # of latitude, on a sphere of 6,371 km
_CELL_DEGREES = 0.002  # about 220 m: the nine cells around a point hold everything within NEAR_METRES


@dataclass(frozen=True, slots=True)
class Stop:
    """A stop: `number` is its place in the feed (or after it), which fits the card's journey file."""

    number: int
    stop_id: str
    name: str
    latitude: float
    longitude: float


class Feed:
    """The stops and routes of one GTFS folder."""

    def __init__(
        self, stops: list[Stop], routes: list[str], served: dict[str, set[str]] | None = None
    ) -> None:
        self._by_id = {stop.stop_id: stop for stop in stops}
        self._cells: dict[tuple[int, int], list[Stop]] = {}
        for stop in stops:
            self._cells.setdefault(_cell(stop.latitude, stop.longitude), []).append(stop)
        self._routes = {route: number for number, route in enumerate(routes, 1)}
        self._served = served or {}
        self._count = len(stops)
        self._added: dict[tuple[float, float], Stop] = {}

    @property
    def stops(self) -> int:
        """How many stops the feed holds."""
        return self._count

    @property
    def added(self) -> int:
        """How many stops were taken from the taps' own names and positions, the feed having none near."""
        return len(self._added)

    def route(self, name: str) -> int:
        """The route's number in the feed; 0 where the row names none or the feed lacks it."""
        return self._routes.get(name, 0)

    def routes_between(self, tap_in: Stop, tap_out: Stop | None) -> list[int]:
        """The numbers of the routes that serve a stop, or both ends of a ride, by the feed's timetable; empty where it does not tell."""
        found = self._served.get(tap_in.stop_id, set())
        if tap_out is not None:
            found = found & self._served.get(tap_out.stop_id, set())
        return sorted(self._routes[route] for route in found)

    def locate(self, ref: StopRef) -> Stop | None:
        """The stop that a row means; None where neither id nor position tells."""
        known = self._by_id.get(ref.stop_id)
        if known is not None:
            return known
        if ref.latitude is None or ref.longitude is None:
            return None
        return self._nearest(ref.latitude, ref.longitude) or self._add(ref, ref.latitude, ref.longitude)

    def _nearest(self, latitude: float, longitude: float) -> Stop | None:
        row, column = _cell(latitude, longitude)
        around = [
            (metres(latitude, longitude, stop.latitude, stop.longitude), stop.number, stop)
            for north in (-1, 0, 1)
            for east in (-1, 0, 1)
            for stop in self._cells.get((row + north, column + east), ())
        ]
        distance, _, stop = min(around, default=(math.inf, 0, None))
        return stop if distance <= NEAR_METRES else None

    def _add(self, ref: StopRef, latitude: float, longitude: float) -> Stop:
        number = self._count + len(self._added) + 1
        fresh = Stop(number, ref.stop_id, ref.name, latitude, longitude)
        return self._added.setdefault((latitude, longitude), fresh)


def metres(latitude: float, longitude: float, other_latitude: float, other_longitude: float) -> float:
    """Distance in metres, on a plane: exact enough within a city."""
    north = (other_latitude - latitude) * _METRES_PER_DEGREE
    east = (other_longitude - longitude) * _METRES_PER_DEGREE * math.cos(math.radians(latitude))
    return math.hypot(north, east)


def read_feed(folder: Path) -> Feed:
    """Stops and routes of a GTFS folder.

    Raises FeedRefused where stops.txt or routes.txt is absent or lacks what a day needs. A timetable may be absent.
    """
    stops = [
        _stop(number, row, folder)
        for number, row in enumerate(
            _rows(folder / "stops.txt", "stop_id", "stop_name", "stop_lat", "stop_lon"), 1
        )
    ]
    routes = [row["route_id"] for row in _rows(folder / "routes.txt", "route_id")]
    if not stops:
        raise FeedRefused(f"{folder / 'stops.txt'} holds no stop; give --gtfs a whole GTFS folder")
    return Feed(stops, routes, _served(folder, set(routes)))


def _served(folder: Path, routes: set[str]) -> dict[str, set[str]]:
    """Which routes call at a stop (trips.txt, stop_times.txt)."""
    if not ((folder / "trips.txt").is_file() and (folder / "stop_times.txt").is_file()):
        return {}
    route_of = {row["trip_id"]: row["route_id"] for row in _rows(folder / "trips.txt", "trip_id", "route_id")}
    found: dict[str, set[str]] = {}
    for row in _rows(folder / "stop_times.txt", "trip_id", "stop_id"):
        route = route_of.get(row["trip_id"], "")
        if route in routes:
            found.setdefault(row["stop_id"], set()).add(route)
    return found


def _stop(number: int, row: dict[str, str], folder: Path) -> Stop:
    try:
        return Stop(
            number, row["stop_id"], row["stop_name"], degrees(row["stop_lat"]), degrees(row["stop_lon"])
        )
    except ValueError:
        line = f"{folder / 'stops.txt'}, line {number + 1}"
        raise FeedRefused(f"{line}: stop_lat and stop_lon must be degrees; mend the feed") from None


def _rows(path: Path, *needed: str) -> list[dict[str, str]]:
    if not path.is_file():
        raise FeedRefused(f"{path} is missing; give --gtfs the folder of an unpacked GTFS feed")
    try:
        return _read(path, needed)
    except (UnicodeDecodeError, csv.Error) as error:
        raise FeedRefused(f"{path} is no CSV in UTF-8: {error}; mend the feed") from None


def _read(path: Path, needed: tuple[str, ...]) -> list[dict[str, str]]:
    with path.open(encoding="utf-8-sig", newline="") as file:
        reader = csv.DictReader(file)
        lacking = [column for column in needed if column not in (reader.fieldnames or ())]
        if lacking:
            raise FeedRefused(f"{path} lacks the column {', '.join(lacking)}; mend the feed")
        return [{key: value or "" for key, value in row.items() if key in needed} for row in reader]


def _cell(latitude: float, longitude: float) -> tuple[int, int]:
    return math.floor(latitude / _CELL_DEGREES), math.floor(longitude / _CELL_DEGREES)
