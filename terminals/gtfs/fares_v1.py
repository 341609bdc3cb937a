"""Fares v1 (fare_attributes.txt, fare_rules.txt) in the terms of v2, which says all that v1 says of a single ride.

A fare becomes a product, a leg group of its name, and a leg rule for each of its rules; its transfers a transfer rule within the group, free within
transfer_duration from the first departure. Routes under the same fares form a network, zones are areas. Where several fares fit, the cheapest is taken;
a fare without any rule is for rides that no rule of another fits (rule_priority says both).
contains_id is refused: a tap knows where a ride begins and ends, not what lies between.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from terminals.fares.tariff import AMOUNT_MAX, Cost, LegRule, Limit, Product, TransferRule

if TYPE_CHECKING:
    from terminals.gtfs.feed import Feed
    from terminals.gtfs.places import FeedPlaces

_ATTRIBUTES: Final = (
    "fare_id", "price", "currency_type", "payment_method", "transfers", "agency_id", "transfer_duration",
)  # fmt: skip
_RULES: Final = ("fare_id", "route_id", "origin_id", "destination_id", "contains_id")
_WINDOW_SECONDS_MAX: Final = 2 * 86_400
_UNLIMITED: Final = -1


@dataclass(frozen=True, slots=True)
class FaresV1:
    """What the two files become."""

    products: tuple[Product, ...]
    legs: tuple[LegRule, ...]
    transfers: tuple[TransferRule, ...]


def read_fares(feed: Feed, places: FeedPlaces) -> FaresV1:
    """Both files; networks and areas of `places` become those that the fares make. Raises FeedWrong."""
    products: dict[str, Product] = {}
    transfers: list[TransferRule] = []
    for row in feed.rows("fare_attributes.txt", _ATTRIBUTES[:5], _ATTRIBUTES):
        fare = row.name("fare_id", needed=True)
        if fare in products:
            raise row.wrong("fare_id", f"{fare!r} stands there twice")
        row.need_rupiah("currency_type")
        row.whole("payment_method", 0, 1)
        products[fare] = Product(fare, "", "", row.rupiah("price", 0, AMOUNT_MAX))
        count = row.whole("transfers", 0, 2, default=_UNLIMITED)
        seconds = row.whole("transfer_duration", 0, _WINDOW_SECONDS_MAX, default=0)
        if count:
            transfers.append(
                TransferRule(fare, fare, Cost.A_PLUS_AB, "", count, seconds, Limit.DEPARTURE_TO_DEPARTURE)
            )
    legs = _legs(feed, places, products)
    used = {leg.group for leg in legs}
    return FaresV1(tuple(products.values()), legs, tuple(one for one in transfers if one.from_group in used))


def _legs(feed: Feed, places: FeedPlaces, products: dict[str, Product]) -> tuple[LegRule, ...]:
    rules: dict[str, list[tuple[str, str, str]]] = defaultdict(list)
    routes, zones = set(places.routes), set(filter(None, places.zone_of.values()))
    for row in feed.optional("fare_rules.txt", ["fare_id"], _RULES):
        if row.text("contains_id"):
            raise row.wrong(
                "contains_id", "a tap knows where a ride begins and ends only: use origin_id, destination_id"
            )
        rule = (
            row.one_of("route_id", routes, "route"), row.one_of("origin_id", zones, "zone"),
            row.one_of("destination_id", zones, "zone"),
        )  # fmt: skip
        fare = row.one_of("fare_id", products, "fare", needed=True)
        if rule in rules[fare]:
            raise row.wrong("fare_id", "the same rule stands there twice")
        rules[fare].append(rule)
    _make_networks(places, rules)
    _make_areas(places, rules)
    found = dict.fromkeys(
        LegRule(
            fare, fare, places.network_of.get(route, ""), origin, destination, priority=int(fare in rules)
        )
        for fare in products
        for route, origin, destination in rules.get(fare) or [("", "", "")]
    )
    return tuple(found)


def _make_networks(places: FeedPlaces, rules: dict[str, list[tuple[str, str, str]]]) -> None:
    """A network for each set of rules that some routes share, named after their fares."""
    marks: dict[str, set[tuple[str, str, str]]] = defaultdict(set)
    for fare, found in rules.items():
        for route, origin, destination in found:
            if route:
                marks[route].add((fare, origin, destination))
    names: dict[frozenset[tuple[str, str, str]], str] = {}
    places.network_of, places.networks = {}, set()
    for route in places.routes:
        if route in marks:
            name = "+".join(sorted({fare for fare, _, _ in marks[route]}))
            taken = [one for one in names.values() if one.partition("/")[0] == name]
            shared = frozenset(marks[route])
            names.setdefault(shared, name if not taken else f"{name}/{len(taken) + 1}")
            places.network_of[route] = names[shared]
    places.networks = set(names.values())


def _make_areas(places: FeedPlaces, rules: dict[str, list[tuple[str, str, str]]]) -> None:
    used = {
        zone for found in rules.values() for _, origin, destination in found for zone in (origin, destination)
    }
    used.discard("")
    places.areas = used
    places.areas_of = {stop: [zone] for stop, zone in places.zone_of.items() if zone in used}
