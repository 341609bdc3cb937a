"""Leaving out a tap of a gated ride: never cheaper where rides that are joined cost the same, else by no more than the rule of docs/fares.md.

The rule: (windows that open behind it) times (the dearest of the rides behind it less the cheapest of them and its own). It is reached, so that nothing smaller holds. One ride more may go
free: where its rider is back at its first gate within the reversal time, the gate that was not tapped counts as one that did not open.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from keys.money import Rupiah
from terminals.fares import FareRefused
from terminals.fares.tariff import (
    Cost,
    Days,
    LegRule,
    Limit,
    Policy,
    Product,
    Tariff,
    Timeframe,
    TransferRule,
)
from tests.terminals.fare_oracle import Tap, day_of
from tests.terminals.test_fares_laws import CASES, FEW, START, amounts, decisions, rides_within_days
from tests.terminals.zones import FARES, ZONE_OF, fare_of, zonal

if TYPE_CHECKING:
    from collections.abc import Sequence

REVERSAL_S: Final = 15 * 60
STOPS = st.integers(1, 4)
RIDES = st.lists(st.tuples(st.integers(4, 500), STOPS, st.integers(4, 239), STOPS), min_size=1, max_size=12)
MANY = settings(
    FEW, max_examples=120, suppress_health_check=[HealthCheck.filter_too_much, HealthCheck.too_slow]
)


@dataclass(frozen=True)
class Left:
    """A day's rides, and one tap of them that was left out."""

    taps: list[Tap]
    place: int

    @property
    def ride(self) -> int:
        """The ride that lost a tap."""
        return self.place // 2

    @property
    def without(self) -> list[Tap]:
        return self.taps[: self.place] + self.taps[self.place + 1 :]

    @property
    def goes_free(self) -> bool:
        """True where the next ride begins where this one did, too soon for anybody to tell them apart."""
        came, back = self.taps[2 * self.ride], self.taps[2 * self.ride + 2 : 2 * self.ride + 3]
        too_soon = bool(back) and (back[0].when - came.when).total_seconds() < REVERSAL_S
        return self.place % 2 == 1 and too_soon and back[0].stop == came.stop

    def pairs(self, first: int) -> list[str]:
        """The zones that rides from one on join."""
        ends = zip(self.taps[2 * first :: 2], self.taps[2 * first + 1 :: 2], strict=True)
        return [fare_of(ZONE_OF[came.stop] + ZONE_OF[went.stop]) for came, went in ends]


def left(rides: list[tuple[int, int, int, int]], data: st.DataObject, *, one_day: bool = False) -> Left:
    taps = rides_within_days(rides)
    if one_day:
        taps = [tap for tap in taps if day_of(tap.when) == day_of(START)]
        taps = taps[: len(taps) // 2 * 2]
        assume(taps)
    return Left(taps, data.draw(st.integers(0, len(taps) - 1)))


def gained(tariff: Tariff, found: Left) -> int:
    """Rupiah that the rider saved by not tapping (below zero: lost)."""
    try:
        return sum(amounts(tariff, found.taps)) - sum(amounts(tariff, found.without))
    except FareRefused as refusal:  # a gate that stays shut is no cheaper ride
        assert refusal.rule == "passback"
        return 0


def priced(fares: Sequence[int], groups: Sequence[str], *rules: TransferRule, **policy: object) -> Tariff:
    """The zones of `zones.py` at other prices, each pair of zones in a leg group; products t0 to t2 for transfers."""
    pairs = sorted(FARES)
    products = [Product(pair, "", "", Rupiah(fare)) for pair, fare in zip(pairs, fares, strict=True)]
    extras = [Product("t0", "", "", Rupiah(500)), Product("t1", "", "", Rupiah(-700)), Product("t2", "", "", Rupiah(2_500))]  # fmt: skip
    group_of = dict(zip(pairs, groups, strict=True))
    legs = (LegRule(fare_of(a + b), group_of[fare_of(a + b)], "city", a, b) for a in "ABC" for b in "ABC")
    base = zonal()
    return replace(base, products=(*products, *extras), legs=tuple(legs), transfers=rules, policy=replace(Policy(), **policy))  # type: ignore[arg-type]  # fmt: skip


FARE = st.integers(1, 18).map(lambda one: 500 * one)
PRICES = st.lists(FARE, min_size=6, max_size=6)
LIMITS = st.sampled_from(Limit)
SECONDS = st.sampled_from([0, 1_800, 3_600, 7_200])
COUNTS = st.sampled_from([-1, 1, 2, 3])


@FEW
@given(st.sampled_from(list(CASES)), RIDES, st.data())
def test_leaving_out_a_tap_is_never_cheaper_where_joined_rides_cost_the_same(
    name: str, rides: list[tuple[int, int, int, int]], data: st.DataObject
) -> None:
    found = left(rides, data)
    assume(not found.goes_free)
    assert gained(CASES[name][0], found) <= 0


@MANY
@given(PRICES, COUNTS, SECONDS, LIMITS, st.booleans(), RIDES, st.data())
def test_free_transfers_between_different_fares_save_at_most_a_difference_for_each_later_window(
    fares: list[int], count: int, seconds: int, limit: Limit, caps: bool,
    rides: list[tuple[int, int, int, int]], data: st.DataObject,
) -> None:  # fmt: skip
    rule = TransferRule("g", "g", Cost.A_PLUS_AB, "", count, seconds, limit)
    policy: dict[str, object] = {"daily_caps": (("", Rupiah(14_000)),)} if caps else {}
    tariff, found = priced(fares, "g" * 6, rule, **policy), left(rides, data, one_day=caps)
    done, _ = decisions(tariff, found.taps)
    behind = [one for one in done[1::2][found.ride + 1 :] if not {"transfer", "reversal"} & set(one.rules)]
    price_of = dict(zip(sorted(FARES), fares, strict=True))
    own, *later = [price_of[pair] for pair in found.pairs(found.ride)]
    most = len(behind) * (max(later) - min(own, *later)) if later else 0
    assert gained(tariff, found) <= max(most, 0) + (own if found.goes_free else 0)


RULES = st.builds(
    TransferRule, st.sampled_from(["g", "h", ""]), st.sampled_from(["g", "h", ""]), st.sampled_from(Cost),
    st.sampled_from(["", "t0", "t1", "t2"]), st.sampled_from([-1, 0, 1, 2]), SECONDS, LIMITS,
)  # fmt: skip
EXTRA: Final = {"": 0, "t0": 500, "t1": -700, "t2": 2_500}


def span(price: int, rules: Sequence[TransferRule]) -> tuple[int, int]:
    """The least and the most that a ride of a price can be charged, whatever came before it."""
    due = [price]
    for rule in rules:
        extra = EXTRA[rule.product]
        own = price + extra if rule.cost is Cost.A_PLUS_AB_PLUS_B else extra
        due += [max(0, own), *([0] if rule.cost is Cost.AB else [])]
    return min(due), max(due)


@MANY
@given(
    PRICES,
    st.lists(st.sampled_from("gh"), min_size=6, max_size=6),
    st.lists(RULES, max_size=4),
    RIDES,
    st.data(),
)
def test_whatever_the_transfer_rules_a_tap_left_out_saves_no_more_than_they_can_take_off_the_later_rides(
    fares: list[int], groups: list[str], rules: list[TransferRule], rides: list[tuple[int, int, int, int]],
    data: st.DataObject,
) -> None:  # fmt: skip
    tariff, found = priced(fares, groups, *rules), left(rides, data)
    price_of = dict(zip(sorted(FARES), fares, strict=True))
    spans = [span(price_of[pair], rules) for pair in found.pairs(found.ride)]
    dearer = spans[0][1] - (0 if found.goes_free else price_of[found.pairs(found.ride)[0]])
    assert gained(tariff, found) <= dearer + sum(most - least for least, most in spans[1:])


def rides_at(*rides: tuple[int, int, int]) -> list[Tap]:
    """Rides of ten minutes: the minute of the day that each begins, from where to where."""
    return [
        Tap(
            START.replace(hour=6 + (minute + late) // 60, minute=(minute + late) % 60), stop, goes_in=not late
        )
        for minute, origin, destination in rides
        for late, stop in ((0, origin), (10, destination))
    ]


@pytest.mark.parametrize("windows", [1, 2, 3])
def test_the_bound_is_reached_once_for_each_window(windows: int) -> None:
    """A dear ride every two hours and a cheap one between: whoever does not tap in at first has the cheap ones open the windows."""
    rule = TransferRule("g", "g", Cost.A_PLUS_AB, "", -1, 7_200)
    tariff = priced([3_000, 9_000, 9_000, 9_000, 9_000, 9_000], "g" * 6, rule)
    cheap = [(100 + 120 * n, 1, 2) for n in range(windows)]
    dear = [(121 + 120 * n, 1, 4) for n in range(windows)]
    taps = rides_at((0, 1, 4), *(ride for pair in zip(cheap, dear, strict=True) for ride in pair))
    assert gained(tariff, Left(taps, 0)) == windows * (9_000 - 3_000)


def test_the_ride_that_may_go_free_is_the_one_whose_rider_is_back_at_its_first_gate_in_no_time() -> None:
    tariff = zonal()
    for back, saved in (
        (14, 5_000),
        (15, -4_000),
    ):  # later, the open ride is charged as far as it could have gone
        taps = rides_at((0, 1, 3), (back, 1, 3))
        assert gained(tariff, Left(taps, 1)) == saved


def test_a_ride_without_its_tap_in_is_charged_as_if_it_had_begun_when_rides_are_dearest() -> None:
    """Into the gate in the peak, out of it after: not tapping in makes no off-peak ride of it."""
    days = Days("all", 0b111_1111, zonal().valid_from, zonal().valid_from + 3_000)  # type: ignore[arg-type]
    frames = (Timeframe("peak", "all", 0, 9 * 3_600), Timeframe("late", "all", 9 * 3_600, 86_400))
    legs = (LegRule("AC", "g", "city", from_frame="peak"), LegRule("AA", "g", "city", from_frame="late"))
    tariff = replace(zonal(), legs=legs, frames=frames, services=(days,))
    taps = rides_at((179, 1, 3))
    assert amounts(tariff, taps) == [0, 9_000, 0]
    assert gained(tariff, Left(taps, 0)) == 0
    later = rides_at((179 + 241, 1, 3))
    assert amounts(tariff, later[1:]) == [3_000, 0]
