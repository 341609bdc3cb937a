"""A small gated network for the fare tests: four stops in three zones, two routes in one network, a dear express beside."""

from __future__ import annotations

from dataclasses import replace
from datetime import date

from card.layout import NEVER, Concession, Identity, card_number
from keys.clock import day_of
from keys.money import Rupiah
from terminals.fares import Place, Tariff
from terminals.fares.tariff import Category, Cost, LegRule, Limit, Policy, Product, TransferRule

WEDNESDAY = date(2026, 11, 18)
STOPS = ("a1", "a2", "b1", "c1")
ZONE_OF = {1: "A", 2: "A", 3: "B", 4: "C"}
FARES = {"AA": 3_000, "AB": 5_000, "AC": 9_000, "BB": 3_000, "BC": 5_000, "CC": 4_000}
PUPIL = {"AA": 1_000, "AB": 2_000, "AC": 4_000, "BB": 1_000, "BC": 2_000, "CC": 2_000}
IDENTITY = Identity(
    card_number(9, 1), 9, 1, registered=True, concession=Concession.GENERAL, concession_until=NEVER, valid_until=NEVER
)  # fmt: skip


def fare_of(pair: str) -> str:
    return "".join(sorted(pair))


def zonal(**policy: object) -> Tariff:
    """Prices by zones on routes 1 and 2 (network "city"); route 3 (network "express") costs 20,000."""
    products = [
        Product(pair, category, "", Rupiah(price))
        for category, prices in (("general", FARES), ("pupil", PUPIL))
        for pair, price in prices.items()
    ]
    return Tariff(
        "zonal-1", day_of(date(2026, 1, 1)),
        products=(*products, Product("express", "", "", Rupiah(20_000))),
        legs=(
            *(LegRule(fare_of(a + b), "city", "city", a, b) for a in "ABC" for b in "ABC"),
            LegRule("express", "", "express"),
        ),
        categories=(Category("general", "Umum", default=True), Category("pupil", "Pelajar")),
        networks=(("1", "city"), ("2", "city"), ("3", "express")),
        prioritised=True,
        areas=tuple((stop, (zone,)) for stop, zone in zip(STOPS, ZONE_OF.values(), strict=True)),
        policy=replace(Policy(), **policy),  # type: ignore[arg-type]
    )  # fmt: skip


def uniform(price: int = 3_500, minutes: int = 120, **policy: object) -> Tariff:
    """One price on a gated network, with free transfers within minutes of the first tap-in."""
    return Tariff(
        "uniform-1", day_of(date(2026, 1, 1)),
        products=(Product("ride", "", "", Rupiah(price)),),
        legs=(LegRule("ride", "city"),),
        transfers=(
            TransferRule("city", "city", Cost.A_PLUS_AB, count=-1, seconds=60 * minutes, limit=Limit.DEPARTURE_TO_DEPARTURE),
        ),
        policy=replace(Policy(), **policy),  # type: ignore[arg-type]
    )  # fmt: skip


def place(stop: int, gate: int = 0, route: int = 1) -> Place:
    """A gate at a stop; each stop has gates of its own."""
    name = STOPS[stop - 1] if 0 < stop <= len(STOPS) else ""
    return Place(str(route), name, route, stop, 100 * stop + gate)
