"""Routes and stops of a feed as fares need them: their order, networks, areas, zones and agencies."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Container

    from terminals.gtfs.feed import Feed, Row


@dataclass(slots=True)
class FeedPlaces:
    """Ids in the order of their files (the number of one is its place, from 1), with what groups them."""

    routes: list[str] = field(default_factory=list)
    stops: list[str] = field(default_factory=list)
    networks: set[str] = field(default_factory=set)
    network_of: dict[str, str] = field(default_factory=dict)
    areas: set[str] = field(default_factory=set)
    areas_of: dict[str, list[str]] = field(default_factory=dict)
    zone_of: dict[str, str] = field(default_factory=dict)
    _parents: dict[str, str] = field(default_factory=dict)

    def areas_of_stop(self, stop: str) -> tuple[str, ...]:
        """The areas of a stop; those of its station where it has none of its own (stop_areas.txt)."""
        return tuple(sorted(self.areas_of.get(stop) or self.areas_of.get(self._parents.get(stop, ""), [])))


def read_places(feed: Feed) -> FeedPlaces:
    """Everything of routes.txt, networks.txt, route_networks.txt, stops.txt, areas.txt and stop_areas.txt; raises FeedWrong.

    Each file may be absent where no rule refers to it: a fare's reference to nothing is found there.
    """
    found = FeedPlaces()
    _read_routes(feed, found)
    for row in feed.optional("stops.txt", ["stop_id"]):
        stop = _fresh(row, "stop_id", found.zone_of)
        found.stops.append(stop)
        found.zone_of[stop] = row.name("zone_id")
        found._parents[stop] = row.name("parent_station")  # noqa: SLF001  the class's own reader
    for row in feed.optional("areas.txt", ["area_id"], ["area_name"]):
        found.areas.add(_fresh(row, "area_id", found.areas))
    known = set(found.stops)
    for row in feed.optional("stop_areas.txt", ["area_id", "stop_id"], ["area_id"]):
        area = row.one_of("area_id", found.areas, "area", needed=True)
        stop = row.one_of("stop_id", known, "stop", needed=True)
        if area in found.areas_of.setdefault(stop, []):
            raise row.wrong("stop_id", f"{stop!r} is in area {area!r} twice")
        found.areas_of[stop].append(area)
    return found


def _read_routes(feed: Feed, found: FeedPlaces) -> None:
    inline, seen = False, set[str]()
    for row in feed.optional("routes.txt", ["route_id"]):
        route = _fresh(row, "route_id", seen)
        seen.add(route)
        found.routes.append(route)
        if "network_id" in row.values:
            inline = True
            found.network_of[route] = row.name("network_id")
    found.networks = set(filter(None, found.network_of.values()))
    known = set(found.routes)
    for row in feed.optional("networks.txt", ["network_id"], ["network_name"]):
        if inline:
            raise row.wrong("", "networks.txt is forbidden where routes.txt has network_id")
        found.networks.add(_fresh(row, "network_id", found.networks))
    for row in feed.optional("route_networks.txt", ["network_id", "route_id"], ["network_id"]):
        network = row.one_of("network_id", found.networks, "network", needed=True)
        route = row.one_of("route_id", known, "route", needed=True)
        if found.network_of.get(route):
            raise row.wrong("route_id", f"{route!r} is in a network already")
        found.network_of[route] = network


def _fresh(row: Row, column: str, seen: Container[str]) -> str:
    name = row.name(column, needed=True)
    if name in seen:
        raise row.wrong(column, f"{name!r} stands there twice")
    return name
