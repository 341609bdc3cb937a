"""What each row of a taps file costs by the feed's tariff, and how that compares with what the file says. Pure.

The taps of all cards go through the fare rules once without any card, terminal or ledger, and through `rebuild`: the first gives what the journal must
hold day by day, the second each row's own price, wherever and whenever it was charged.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Final

from card.layout import NEVER, Concession, Identity, Journey, TapKind, card_number
from hebat.day.fates import Fate
from hebat.day.riders import place_of
from hebat.day.town import GATES, gate_number
from keys.clock import Day, UnixMs, service_day
from keys.money import Rupiah
from terminals.fares import tap_in, tap_out
from terminals.fares.rebuild import RideTap, rebuild

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from hebat.day.fates import Ruling
    from hebat.day.feed import Feed, Stop
    from hebat.day.riders import Tap
    from hebat.day.trips import Trip
    from terminals.fares import Step, Tariff
    from terminals.fares.rebuild import PricedRide

_AFTER_ALL: Final = UnixMs(1 << 46)
_NOBODY: Final = Identity(
    card_number(0, 0), 0, 1, registered=True, concession=Concession.GENERAL, concession_until=NEVER, valid_until=NEVER
)  # fmt: skip


class Verdict(StrEnum):
    """How the price by the rules compares with the amount in the file."""

    AGREES = "agrees"
    TRANSFER = "free transfer by the feed, charged in the file"
    FILE_CHARGES_NOTHING = "fare by the feed, nothing in the file"
    OTHER_FARE = "another fare by the feed"
    ROUTE_UNKNOWN = "route unknown: the cheapest fare"
    NO_AMOUNT = "no amount in the file"
    NO_TAP_OUT = "no tap-out: provisional maximum"
    REVERSAL = "out where it came in within minutes"
    NOT_RUN = "overlaps another trip of the card: not run"


@dataclass(frozen=True, slots=True)
class PricedRow:
    """A row's price by the rules, the steps that make it, and the verdict; a row that was not run has no steps."""

    price: Rupiah
    steps: tuple[Step, ...]
    verdict: Verdict


@dataclass(frozen=True, slots=True)
class Priced:
    """Rows by line; fares by the service day of the tap that is charged; what open rides come to at the end."""

    rows: dict[int, PricedRow]
    charged: dict[Day, Rupiah]
    provisional: Rupiah


def routes_of(
    trips: Iterable[Trip], feed: Feed, places: Mapping[int, tuple[Stop, Stop | None]], tariff: Tariff
) -> dict[int, int]:
    """The number of each row's route by its line: as the row names it, else as the feed's timetable leaves no doubt about the fare; else 0."""
    found = {}
    for trip in trips:
        number = feed.route(trip.corridor)
        if not number:
            serving = feed.routes_between(*places[trip.line])
            networks = {tariff.prices.network(route) for route in serving}
            number = serving[0] if len(networks) == 1 else 0
        found[trip.line] = number
    return found


def price(taps: list[Tap], trips: Iterable[Trip], rulings: Mapping[int, Ruling], tariff: Tariff) -> Priced:
    """All rows of a file by its feed's tariff."""
    ridden: dict[str, list[RideTap]] = defaultdict(list)
    lines: dict[str, list[int]] = defaultdict(list)
    charged: Counter[Day] = Counter()
    for tap in taps:
        card = ridden[tap.trip.card]
        before = card[-1].after if card else Journey()
        place = place_of(tap, gate_number(tap.stop.number % GATES))
        done = (tap_in if tap.is_in else tap_out)(tariff, _NOBODY, before, tap.at, place)
        kind = TapKind.TAP_IN if tap.is_in else TapKind.TAP_OUT
        card.append(
            RideTap(
                len(card), kind, tap.at, place, done.amount, tariff.version, _NOBODY, before, done.journey
            )
        )
        lines[tap.trip.card].append(tap.trip.line)
        charged[service_day(tap.at)] += done.amount
    rides: dict[int, PricedRide] = {}
    for name, card in ridden.items():
        for ride in rebuild(card, {tariff.version: tariff}.get, _AFTER_ALL).rides:
            rides[lines[name][ride.taps[0]]] = ride
    rows = {trip.line: _row(trip, rulings[trip.line], rides.get(trip.line)) for trip in trips}
    provisional = sum(ride.price for ride in rides.values() if ride.provisional)
    return Priced(rows, {day: Rupiah(amount) for day, amount in charged.items()}, Rupiah(provisional))


def _row(trip: Trip, ruling: Ruling, ride: PricedRide | None) -> PricedRow:
    if ride is None:
        return PricedRow(Rupiah(0), (), Verdict.NOT_RUN)
    codes = {step.code for step in ride.steps}
    return PricedRow(ride.price, tuple(ride.steps), _verdict(trip, ruling, ride.price, codes))


_BY_RULE: Final = {
    "reversal": Verdict.REVERSAL,
    "degraded:position-unknown": Verdict.ROUTE_UNKNOWN,
    "transfer": Verdict.TRANSFER,
}


def _verdict(trip: Trip, ruling: Ruling, due: Rupiah, codes: set[str]) -> Verdict:
    if ruling.fate is Fate.MISSING_TAP_OUT:
        return Verdict.NO_TAP_OUT
    if trip.amount is None:
        return Verdict.NO_AMOUNT
    if due == trip.amount:
        return Verdict.AGREES
    by_rule = next((verdict for code, verdict in _BY_RULE.items() if code in codes), None)
    if by_rule is not None:
        return by_rule
    return Verdict.FILE_CHARGES_NOTHING if not trip.amount else Verdict.OTHER_FARE
