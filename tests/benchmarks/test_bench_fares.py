"""Fare decisions a second, and a day of 100,000 taps rebuilt; beside each the least that the same taps cost: their journey files read and written.

`extra_info` says how many taps a round has; a figure is seconds a round over that. Run: ./run bench -k fares
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING

import pytest

from card.layout import Journey, TapKind
from keys.clock import UnixMs, moment
from keys.money import Rupiah
from terminals.fares import TRANS_SEMARANG_2022, FareDecision, Place, Tariff, decide, tap_in, tap_out
from terminals.fares.rebuild import RideTap, rebuild
from tests.terminals.zones import IDENTITY, place, zonal

if TYPE_CHECKING:
    from pytest_benchmark.fixture import BenchmarkFixture

TAPS = 1_000
DAY_TAPS = 100_000
TAPS_A_CARD = 10
START = datetime(2026, 11, 18, 5)  # noqa: DTZ001  the city's wall clock
ZONAL = zonal(daily_caps=(("", Rupiah(14_000)),), weekly_caps=(("", Rupiah(60_000)),))
AFTER = moment(START + timedelta(days=30))


def at(number: int) -> UnixMs:
    return moment(START + timedelta(minutes=35 * number))


def flat(count: int) -> int:
    journey, paid = Journey(), 0
    for number in range(count):
        done = decide(
            TRANS_SEMARANG_2022,
            IDENTITY,
            journey,
            at(number),
            Place("1", "Simpang Lima", 1, 7, 1000 + number % 8),
        )
        journey, paid = done.journey, paid + done.amount
    return paid


def gated(tariff: Tariff, count: int) -> list[FareDecision]:
    journey, found = Journey(), []
    for number in range(count):
        tap = tap_out if number % 2 else tap_in
        done = tap(tariff, IDENTITY, journey, at(number), place(1 + number % 4, gate=number % 90))
        journey = done.journey
        found.append(done)
    return found


def day() -> list[list[RideTap]]:
    """A day's taps by card, each card's from the newest to the oldest, as late gates bring them."""
    decided = gated(ZONAL, TAPS_A_CARD)
    card, before = [], Journey()
    for number, done in enumerate(decided):
        kind = TapKind.TAP_OUT if number % 2 else TapKind.TAP_IN
        where = place(1 + number % 4, gate=number % 90)
        card.append(
            RideTap(
                number + 1,
                kind,
                at(number),
                where,
                done.amount,
                ZONAL.version,
                IDENTITY,
                before,
                done.journey,
            )
        )
        before = done.journey
    return [card[::-1]] * (DAY_TAPS // TAPS_A_CARD)


def files(taps: list[Journey]) -> int:
    return sum(len(Journey.decode(journey.encode()).encode()) for journey in taps)


@pytest.mark.benchmark(group="a thousand fare decisions")
def test_bench_fares_on_a_flat_network(benchmark: BenchmarkFixture) -> None:
    benchmark.extra_info["taps"] = TAPS
    assert benchmark(flat, TAPS) > 0


@pytest.mark.benchmark(group="a thousand fare decisions")
def test_bench_fares_by_zone_with_caps(benchmark: BenchmarkFixture) -> None:
    benchmark.extra_info["taps"] = TAPS
    assert len(benchmark(gated, ZONAL, TAPS)) == TAPS


@pytest.mark.benchmark(group="a thousand fare decisions")
def test_bench_fares_least_a_thousand_journey_files(benchmark: BenchmarkFixture) -> None:
    journeys = [done.journey for done in gated(ZONAL, TAPS)]
    benchmark.extra_info["taps"] = TAPS
    assert benchmark(files, journeys) == 32 * TAPS


@pytest.mark.benchmark(group="a day of 100,000 taps")
def test_bench_fares_day_rebuilt(benchmark: BenchmarkFixture) -> None:
    cards = day()
    benchmark.extra_info["taps"] = DAY_TAPS

    def run() -> int:
        return sum(len(rebuild(taps, {ZONAL.version: ZONAL}.get, AFTER).corrections) for taps in cards)

    assert benchmark.pedantic(run, rounds=3, iterations=1) == 0  # type: ignore[no-untyped-call]


@pytest.mark.benchmark(group="a day of 100,000 taps")
def test_bench_fares_day_least_its_journey_files(benchmark: BenchmarkFixture) -> None:
    journeys = [tap.after for taps in day() for tap in taps]
    benchmark.extra_info["taps"] = DAY_TAPS
    assert benchmark.pedantic(files, (journeys,), rounds=3, iterations=1) == 32 * DAY_TAPS  # type: ignore[no-untyped-call]
