"""The fare rules once more, slowly: a card's whole history of taps read backwards and forwards, with no journey file at all.

Only what the property tests use: gated rides on one network with prices by zone or one price with free transfers, reversal, missing taps, caps.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from tests.terminals.zones import FARES, ZONE_OF, fare_of

if TYPE_CHECKING:
    from collections.abc import Sequence


@dataclass(frozen=True)
class Tap:
    """A tap at a stop: wall clock, and whether it goes in."""

    when: datetime
    stop: int
    goes_in: bool


@dataclass(frozen=True)
class Rules:
    """Figures of a network; `price` 0 means by zones; minutes 0 means no transfers; caps 0 means none."""

    price: int = 0
    transfer: int = 0
    reversal: int = 15
    longest: int = 240
    day_cap: int = 0
    week_cap: int = 0

    def fare(self, origin: int, destination: int) -> int:
        return self.price or FARES[fare_of(ZONE_OF[origin] + ZONE_OF[destination])]

    def dearest(self, stop: int) -> int:
        return max(self.fare(stop, other) for other in ZONE_OF)


@dataclass
class Charge:
    """What the rules want for something, at a tap, for a service day."""

    tap: int
    day: datetime
    amount: int


def day_of(when: datetime) -> datetime:
    return (when - timedelta(hours=3)).replace(hour=0, minute=0, second=0, microsecond=0)


def is_again(rules: Rules, before: Tap, tap: Tap) -> bool:
    return before.stop == tap.stop and tap.when - before.when < timedelta(minutes=rules.reversal)


def wanted(rules: Rules, taps: Sequence[Tap]) -> list[Charge]:
    """Every charge before caps, in the order in which taps bring them; the first tap of each pair is looked up backwards."""
    charges = []
    opened: datetime | None = None  # the start of the ride that was last paid in full
    for number, tap in enumerate(taps):
        before = taps[number - 1] if number else None
        open_ride = before if before is not None and before.goes_in else None
        if tap.goes_in:
            if open_ride is not None and not is_again(rules, open_ride, tap):
                charges.append(Charge(number, day_of(open_ride.when), rules.dearest(open_ride.stop)))
            continue
        minutes = (tap.when - open_ride.when) / timedelta(minutes=1) if open_ride is not None else 0
        if open_ride is None or minutes > rules.longest:
            if open_ride is not None:
                charges.append(Charge(number, day_of(open_ride.when), rules.dearest(open_ride.stop)))
            charges.append(Charge(number, day_of(tap.when), rules.dearest(tap.stop)))
        elif open_ride.stop != tap.stop or minutes >= rules.reversal:
            is_transfer = opened is not None and open_ride.when - opened < timedelta(minutes=rules.transfer)
            if not is_transfer and rules.transfer:
                opened = open_ride.when
            charges.append(
                Charge(
                    number, day_of(open_ride.when), 0 if is_transfer else rules.fare(open_ride.stop, tap.stop)
                )
            )
    return charges


def charged(rules: Rules, taps: Sequence[Tap]) -> list[int]:
    """What each tap takes from the card, the last open ride counted as an extra entry at the end."""
    charges = wanted(rules, taps)
    if taps and taps[-1].goes_in:
        charges.append(Charge(len(taps), day_of(taps[-1].when), rules.dearest(taps[-1].stop)))
    out, spent = [0] * (len(taps) + 1), dict[tuple[str, datetime], int]()
    for charge in charges:
        monday = charge.day - timedelta(days=charge.day.weekday())
        amount = charge.amount
        for key, cap in ((("day", charge.day), rules.day_cap), (("week", monday), rules.week_cap)):
            if cap:
                amount = min(amount, max(0, cap - spent.get(key, 0)))
        for key in (("day", charge.day), ("week", monday)):
            spent[key] = spent.get(key, 0) + amount
        out[charge.tap] += amount
    return out
