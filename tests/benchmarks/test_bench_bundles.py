"""The hotlist of 100,000 cards on a terminal: looking a card up, taking a delta in, and its size, beside a Python set of the same."""

from __future__ import annotations

import random
import sys
from typing import TYPE_CHECKING

import pytest

from keys.bundle import BundleKind
from terminals.bundles import hotlist
from terminals.bundles.hotlist import Hotlist
from tests.terminals.depot import START
from tests.terminals.press import Press

if TYPE_CHECKING:
    from pathlib import Path

    from pytest_benchmark.fixture import BenchmarkFixture

ENTRIES = 100_000
CHANGES = 200
LOOKUPS = 1_000
_DICE = random.Random(1)
UIDS = {0x04 << 48 | _DICE.getrandbits(48) for _ in range(ENTRIES)}
ASKED = [number.to_bytes(7, "big") for number in _DICE.sample(sorted(UIDS), LOOKUPS // 2)]
ASKED += [(0x04 << 48 | _DICE.getrandbits(48)).to_bytes(7, "big") for _ in range(LOOKUPS // 2)]


def later() -> set[int]:
    gone = set(_DICE.sample(sorted(UIDS), CHANGES // 2))
    return UIDS - gone | {0x04 << 48 | _DICE.getrandbits(48) for _ in range(CHANGES // 2)}


@pytest.mark.benchmark(group="a thousand cards looked up")
def test_bench_lookup_in_the_sorted_array(benchmark: BenchmarkFixture) -> None:
    listed = Hotlist.of(UIDS)
    found = benchmark(lambda: sum(uid in listed for uid in ASKED))
    benchmark.extra_info["bytes"] = len(listed.to_bytes())
    assert found >= LOOKUPS // 2


@pytest.mark.benchmark(group="a thousand cards looked up")
def test_bench_lookup_in_a_set(benchmark: BenchmarkFixture) -> None:
    listed = {number.to_bytes(7, "big") for number in UIDS}
    found = benchmark(lambda: sum(uid in listed for uid in ASKED))
    benchmark.extra_info["bytes"] = sys.getsizeof(listed) + sum(map(sys.getsizeof, listed))
    assert found >= LOOKUPS // 2


@pytest.mark.benchmark(group="a delta of 200 cards on 100,000")
def test_bench_delta_on_the_sorted_array(benchmark: BenchmarkFixture) -> None:
    before, after = Hotlist.of(UIDS), Hotlist.of(later())
    body = hotlist.encode_delta(before, after)
    benchmark.extra_info["bytes"] = len(body)
    made = benchmark(lambda: hotlist.apply(before, body))
    assert made.digest() == after.digest()


@pytest.mark.benchmark(group="a delta of 200 cards on 100,000")
def test_bench_delta_on_a_set(benchmark: BenchmarkFixture) -> None:
    after = later()
    added, removed = after - UIDS, UIDS - after
    assert benchmark(lambda: (UIDS - removed) | added) == after


@pytest.mark.benchmark(group="a signed bundle verified and made durable")
def test_bench_taking_a_full_list_in(benchmark: BenchmarkFixture, tmp_path: Path) -> None:
    press, number = Press(), iter(range(1, 10_000))

    def prepared() -> tuple[tuple[bytes], dict[str, object]]:
        return (press.hotlist(next(number), UIDS),), {}

    kept = press.kept(tmp_path / "bundles")
    benchmark.pedantic(lambda data: kept.take(data, START), setup=prepared, rounds=10)  # type: ignore[no-untyped-call]
    assert kept.newest(BundleKind.HOTLIST) == 10


@pytest.mark.benchmark(group="a signed bundle verified and made durable")
def test_bench_taking_a_delta_in(benchmark: BenchmarkFixture, tmp_path: Path) -> None:
    press, sets = Press(), [UIDS, later()]
    kept = press.kept(tmp_path / "bundles")
    kept.take(press.hotlist(1, UIDS), START)

    def prepared() -> tuple[tuple[bytes], dict[str, object]]:
        number = kept.newest(BundleKind.HOTLIST) + 1
        return (press.delta(number, sets[number % 2], sets[1 - number % 2]),), {}

    benchmark.pedantic(lambda data: kept.take(data, START), setup=prepared, rounds=10)  # type: ignore[no-untyped-call]
    assert kept.newest(BundleKind.HOTLIST) == 11
