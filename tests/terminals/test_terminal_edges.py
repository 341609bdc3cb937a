"""Figures at their edges: the ledger's clock as a slow line tells it, keys that are the newest already, and a product that takes in what was paid."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from card.journey import Journey
from keys.bundle import BundleKind
from keys.clock import UnixMs, service_day
from keys.money import Rupiah
from keys.vault import Role
from terminals.bundles import contents
from terminals.bundles.fetch import refresh
from terminals.bundles.rules import Rules
from terminals.fares import TRANS_SEMARANG_2022
from terminals.fares.bill import Bill
from terminals.fares.conditions import too_long
from terminals.fares.decision import Step
from terminals.fares.tariff import Cost, Limit, TransferRule
from terminals.fares.transfers import _due
from tests.terminals.depot import START, Clock
from tests.terminals.press import Press

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path


class SlowLine:
    """A ledger whose clock is right, and whose answer takes ten seconds."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock

    def get(self, path: str, query: Mapping[str, str], bytes_max: int) -> bytes | None:
        del path, query, bytes_max
        self._clock.wait(5)
        answer = json.dumps({"time": self._clock.now()}).encode()
        self._clock.wait(5)
        return answer


def test_a_clock_that_is_right_is_found_right_over_a_slow_line(tmp_path: Path, still: Clock) -> None:
    done = refresh(Press().kept(tmp_path / "bundles"), SlowLine(still), still)
    assert (done.drift_ms, done.heard_at) == (0, START + 10_000)


@pytest.mark.parametrize(
    ("held", "differ"), [([2, 1], False), ([2], False), ([1], True), ([3, 2], True), ([], True)]
)
def test_keys_are_asked_for_only_where_newer_ones_are_in_use_or_one_is_no_more(
    held: list[int], differ: bool, tmp_path: Path, still: Clock
) -> None:
    press = Press()
    kept = press.kept(tmp_path / "bundles")
    kept.take(press.seal(BundleKind.KEYS, 1, contents.encode_keys({Role.DEBIT: (1, 2)})), START)
    rules = Rules(kept, TRANS_SEMARANG_2022, still)
    assert rules.keys_differ(Role.DEBIT, held) is differ


@pytest.mark.parametrize(("paid", "due"), [(0, 5_000), (3_500, 1_500), (5_000, 0), (9_000, 0)])
def test_a_product_for_all_legs_costs_what_was_not_paid_yet(paid: int, due: int) -> None:
    """fare_transfer_type 2 of the GTFS Schedule reference: the product alone, and no leg beside it."""
    rule = TransferRule("a", "b", Cost(2), "day", -1, 0, Limit(0))
    assert _due(rule, 3_500, paid, Rupiah(5_000)) == due


def test_a_cap_that_was_passed_already_takes_the_whole_fare_off_and_gives_nothing_back() -> None:
    """A day's total is beyond the cap where a tariff of the same day had a higher one."""
    policy = replace(TRANS_SEMARANG_2022.policy, daily_caps=(("", Rupiah(5_000)),))
    before = Journey(tap_in_at=START // 1000, day_total=Rupiah(6_000), week_total=Rupiah(6_000))
    bill = Bill(replace(TRANS_SEMARANG_2022, policy=policy), before)
    bill.start(service_day(START))
    assert bill.charge("general", Step("full", Rupiah(3_500))) == 0
    assert bill.steps == [Step("full", Rupiah(3_500)), Step("daily-cap", Rupiah(-3_500))]
    assert bill.day_total == 6_000


def test_a_ride_may_end_in_its_last_second_and_not_in_the_next() -> None:
    ride = Journey(tap_in_at=START // 1000)
    end = START + 60_000 * TRANS_SEMARANG_2022.policy.ride_minutes
    assert not too_long(TRANS_SEMARANG_2022, ride, UnixMs(end))
    assert too_long(TRANS_SEMARANG_2022, ride, UnixMs(end + 1_000))
