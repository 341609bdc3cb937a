"""Corridors and stops of BRT Trans Semarang, from the shipped GTFS feed: facts of the city's network (their source stands in attributions.txt).

A card notes a route and a stop by a number: its place in routes.txt and in stops.txt, from 1. A new version of the feed appends, so that numbers stay.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING

from terminals.errors import FeedWrong, PlacesMissing
from terminals.gtfs.feed import Feed
from terminals.gtfs.importing import import_tariff

if TYPE_CHECKING:
    from terminals.fares import Tariff


@dataclass(frozen=True, slots=True)
class Stop:
    """A stop by the city's own id, with its number on cards; degrees (WGS 84) as the feed writes them."""

    stop_id: str
    name: str
    number: int
    latitude: str
    longitude: str


@dataclass(frozen=True, slots=True)
class Corridor:
    """A route in its first direction, with its number on cards and its stops in order."""

    name: str
    number: int
    origin: str
    toward: str
    stops: tuple[Stop, ...]


def feed_path() -> Path:
    """Where the shipped feed lies."""
    return Path(str(files("terminals").joinpath("data/trans-semarang")))


def semarang_tariff() -> Tariff:
    """The tariff of the shipped feed; raises PlacesMissing."""
    try:
        return import_tariff(feed_path())
    except FeedWrong as error:
        raise _missing(error) from None


def corridors() -> tuple[Corridor, ...]:
    """All routes in the order of the feed; raises PlacesMissing where the feed is not the one that was shipped."""
    try:
        with Feed(feed_path()) as feed:
            return _corridors(feed)
    except (FeedWrong, KeyError, IndexError) as error:
        raise _missing(error) from None


def stops() -> dict[int, Stop]:
    """All stops of both directions by their number; raises PlacesMissing."""
    try:
        with Feed(feed_path()) as feed:
            return {stop.number: stop for stop in _stops(feed).values()}
    except FeedWrong as error:
        raise _missing(error) from None


def _missing(error: Exception) -> PlacesMissing:
    return PlacesMissing(f"the shipped feed cannot be read ({error}): install the package again")


def _stops(feed: Feed) -> dict[str, Stop]:
    rows = feed.rows("stops.txt", ["stop_id", "stop_name", "stop_lat", "stop_lon"])
    return {
        row.needed("stop_id"): Stop(
            row.needed("stop_id"),
            row.needed("stop_name"),
            number,
            row.needed("stop_lat"),
            row.needed("stop_lon"),
        )
        for number, row in enumerate(rows, 1)
    }


def _corridors(feed: Feed) -> tuple[Corridor, ...]:
    known = _stops(feed)
    calls: dict[str, list[Stop]] = defaultdict(list)
    for row in feed.rows("stop_times.txt", ["trip_id", "stop_id"]):
        calls[row.needed("trip_id")].append(known[row.needed("stop_id")])
    ways: dict[str, tuple[str, str, tuple[Stop, ...]]] = {}
    for row in feed.rows("trips.txt", ["route_id", "trip_id", "trip_headsign", "trip_short_name"]):
        way = row.needed("trip_short_name"), row.needed("trip_headsign"), tuple(calls[row.needed("trip_id")])
        ways.setdefault(row.needed("route_id"), way)
    routes = [row.needed("route_id") for row in feed.rows("routes.txt", ["route_id"])]
    return tuple(Corridor(route, number, *ways[route]) for number, route in enumerate(routes, 1))
