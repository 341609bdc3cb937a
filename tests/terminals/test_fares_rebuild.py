"""Journeys rebuilt from a card's taps: any order of arrival, tariffs of their own time, late and missing taps, wrong charges."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING

from hypothesis import given
from hypothesis import strategies as st

from card.layout import Journey, JourneyState, TapKind
from keys.clock import UnixMs, moment
from keys.money import Rupiah
from terminals.fares import FareDecision, Tariff, decide, tap_in, tap_out
from terminals.fares.rebuild import Correction, RideTap, rebuild
from terminals.fares.tariff import Product
from tests.terminals.test_fares_laws import CASES, FEW, START, case, steps_apart, taps_of
from tests.terminals.zones import IDENTITY, place, zonal

if TYPE_CHECKING:
    from terminals.fares import Place

ZONAL = zonal(daily_caps=(("", Rupiah(14_000)),))
LATER = moment(START + timedelta(days=60))
KINDS = {TapKind.TAP_IN: tap_in, TapKind.TAP_OUT: tap_out, TapKind.FARE: decide}


class Card:
    """A chip that terminals tap; every tap is kept as the chip would sign it."""

    def __init__(self) -> None:
        self.journey = Journey()
        self.taps: list[RideTap] = []

    def tap(
        self, tariff: Tariff, kind: TapKind, now: UnixMs, where: Place, charged: int | None = None
    ) -> FareDecision:
        done = KINDS[kind](tariff, IDENTITY, self.journey, now, where)
        before, after = self.journey, done.journey
        amount = done.amount if charged is None else Rupiah(charged)
        # a sale or a load between rides moves the counter too: every third number is left out
        tmc = 1 + len(self.taps) * 3 // 2
        self.taps.append(RideTap(tmc, kind, now, where, amount, tariff.version, IDENTITY, before, after))
        self.journey = after
        return done


def found(*tariffs: Tariff):  # type: ignore[no-untyped-def]  # noqa: ANN201  the look-up of a test
    return {one.version: one for one in tariffs}.get


def hour(hours: float) -> UnixMs:
    return moment(START + timedelta(hours=hours))


def ridden(tariff: Tariff, steps: list[tuple[int, int, bool]]) -> Card:
    card = Card()
    for number, tap in enumerate(taps_of(steps)):
        kind = TapKind.TAP_IN if tap.goes_in else TapKind.TAP_OUT
        card.tap(tariff, kind, moment(tap.when), place(tap.stop, gate=number % 90))
    return card


@FEW
@given(case, st.lists(steps_apart, max_size=16), st.randoms(use_true_random=False))
def test_the_same_taps_in_any_order_of_arrival_give_the_same_rides(name: str, steps: list[tuple[int, int, bool]], random: object) -> None:  # fmt: skip
    tariff, _ = CASES[name]
    taps = ridden(tariff, steps).taps
    shuffled = list(taps)
    random.shuffle(shuffled)  # type: ignore[attr-defined]
    assert rebuild(shuffled, found(tariff), LATER) == rebuild(taps, found(tariff), LATER)


@FEW
@given(case, st.lists(steps_apart, max_size=16))
def test_rides_sum_to_what_the_card_paid_and_the_last_open_one_is_provisional(
    name: str, steps: list[tuple[int, int, bool]]
) -> None:
    tariff, _ = CASES[name]
    card = ridden(tariff, steps)
    done = rebuild(card.taps, found(tariff), LATER)
    paid, corrected = sum(tap.charged for tap in card.taps), sum(one.amount for one in done.corrections)
    assert sum(ride.price for ride in done.rides) == paid + corrected
    assert sorted(tmc for ride in done.rides for tmc in ride.taps) == [tap.tmc for tap in card.taps]
    still_open = card.journey.state is JourneyState.INSIDE
    assert [ride.provisional for ride in done.rides if ride.provisional] == [True] * still_open
    assert all(one.tmc == card.taps[-1].tmc and still_open for one in done.corrections)


@FEW
@given(case, st.lists(steps_apart, min_size=1, max_size=12), st.integers(1, 20_000))
def test_a_later_tariff_never_changes_a_past_journey(
    name: str, steps: list[tuple[int, int, bool]], more: int
) -> None:
    tariff, _ = CASES[name]
    card = ridden(tariff, steps)
    before = rebuild(card.taps, found(tariff), LATER)
    dearer = tuple(
        Product(one.product, one.category, one.medium, Rupiah(one.amount + more)) for one in tariff.products
    )
    later = replace(tariff, version="later", products=dearer)
    card.tap(later, TapKind.TAP_IN, UnixMs(card.taps[-1].at + 4 * 86_400_000), place(1, gate=95))
    after = rebuild(card.taps, found(tariff, later), card.taps[-1].at)
    assert [ride.price for ride in after.rides[:-1]] == [ride.price for ride in before.rides]


@FEW
@given(case, st.lists(steps_apart, min_size=2, max_size=14), st.data())
def test_while_a_tap_is_missing_the_chips_own_word_stands_in_and_nobody_is_charged_for_it(
    name: str, steps: list[tuple[int, int, bool]], data: st.DataObject
) -> None:
    tariff, _ = CASES[name]
    card = ridden(tariff, steps)
    whole = rebuild(card.taps, found(tariff), LATER)
    late = data.draw(st.sampled_from(card.taps))
    known = rebuild([tap for tap in card.taps if tap is not late], found(tariff), LATER)
    last_open = card.taps[-2].tmc if late is card.taps[-1] else card.taps[-1].tmc
    assert {one.tmc for one in known.corrections} <= {last_open}
    assert rebuild(card.taps, found(tariff), LATER) == whole


def test_a_provisional_fare_is_replaced_by_the_rides_own_once_the_late_tap_out_arrives() -> None:
    card = Card()
    card.tap(ZONAL, TapKind.TAP_IN, hour(5), place(1))
    soon, too_late = rebuild(card.taps, found(ZONAL), hour(8)), rebuild(card.taps, found(ZONAL), hour(10))
    assert (soon.corrections, soon.rides[0].price) == ((), 0)
    assert too_late.corrections == (Correction(1, Rupiah(9_000), "missing-tap-out"),)
    card.tap(ZONAL, TapKind.TAP_OUT, hour(6), place(3))
    arrived = rebuild(card.taps, found(ZONAL), hour(48))
    assert (arrived.corrections, [ride.price for ride in arrived.rides]) == ((), [5_000])


def test_a_provisional_fare_gives_way_to_what_the_card_paid_at_its_next_tap() -> None:
    card = Card()
    card.tap(ZONAL, TapKind.TAP_IN, hour(5), place(1))
    card.tap(ZONAL, TapKind.TAP_IN, hour(30), place(2))
    done = rebuild(card.taps, found(ZONAL), hour(31))
    assert done.corrections == ()
    assert [(ride.taps, ride.price) for ride in done.rides] == [([1], 9_000), ([2], 0)]


def test_the_cap_is_applied_over_a_tap_that_a_terminal_charged_without_it() -> None:
    card = Card()
    for begin in (5, 7, 9):
        card.tap(ZONAL, TapKind.TAP_IN, hour(begin), place(1))
        card.tap(ZONAL, TapKind.TAP_OUT, hour(begin + 1), place(4), charged=9_000)
    done = rebuild(card.taps, found(ZONAL), hour(20))
    assert [one.amount for one in done.corrections] == [-4_000, -9_000]
    assert {one.code for one in done.corrections} == {"daily-cap"}
    assert sum(ride.price for ride in done.rides) == 14_000


def test_where_the_rules_have_no_answer_what_the_card_paid_stands() -> None:
    card = Card()
    card.tap(ZONAL, TapKind.FARE, hour(5), place(1, route=3), charged=123)
    done = rebuild(card.taps, found(), hour(20))
    assert (done.corrections, done.rides[0].price, done.rides[0].steps[0].code) == ((), 123, "as-charged")
