"""Matching a million statement lines against a million expected items, and a tenth of that: time, memory, and how cost grows.

Run with `pytest tests/benchmarks/test_bench_matching.py --benchmark-only`. 34 windows of three banks, 20,000 merchants; of the lines 90 % carry
their reference, 3 % within a text, 2 % cut short, 3 % a name only, 1 % less a fee, 1 % are strangers; in no order.
"""

from __future__ import annotations

import resource
import time
from typing import TYPE_CHECKING

import numpy as np
import polars as pl
import pytest

from keys.clock import Day, date_of
from settlement.matching.columns import ITEMS, LINES
from settlement.matching.days import Weekdays
from settlement.matching.engine import match
from settlement.matching.rules import SHIPPED

if TYPE_CHECKING:
    from pytest_benchmark.fixture import BenchmarkFixture

    from settlement.matching.engine import Found

LINES_WHOLE = 1_000_000
SECONDS_MAX = 20
MEGABYTES_MAX = 2_048
BANKS = np.array([8, 9, 113])
FIRST = 20_700


def sides(count: int) -> tuple[pl.DataFrame, pl.DataFrame]:
    """So many items, and a line about each but the last per cent."""
    dice = np.random.default_rng(1)
    place = np.arange(count)
    day, bank, number = FIRST + place // 29_997, BANKS[place % 29_997 // 9_999], place % 9_999 + 1
    dates = {one: f"{date_of(Day(one)):%Y%m%d}" for one in np.unique(day).tolist()}
    references = [
        f"KSH-{dates[d]}-{b:04d}-{n:04d}"
        for d, b, n in zip(day.tolist(), bank.tolist(), number.tolist(), strict=True)
    ]
    names = [f"TOKO {at % 26 + 10:X}{at // 26:05d} JAYA" for at in range(20_000)]
    party = [names[at] for at in dice.integers(0, 20_000, count).tolist()]
    amount = -dice.integers(100_000, 500_000_000, count)
    items = pl.DataFrame(
        {
            "reference": references,
            "bank": bank,
            "amount": amount,
            "window": day,
            "due": day + 1,
            "name": party,
        },
        schema_overrides=dict(ITEMS),
    )
    kind = dice.random(count)
    wrong = np.where(
        kind >= 0.99, dice.integers(1, 10**9, count), np.where(kind >= 0.98, amount - 250_000, amount)
    )
    told = [_told(*one) for one in zip(kind.tolist(), references, party, strict=True)]
    lines = pl.DataFrame(
        {
            "sha256": ["ab" * 32] * count, "statement": np.ones(count), "number": place, "bank": bank, "day": day, "amount": wrong,
            "reference": [""] * count, "end_to_end": [one[0] for one in told], "text": [one[1] for one in told],
            "bank_reference": [f"B{at}" for at in range(count)], "repeated": np.zeros(count, bool),
        },
        schema_overrides=dict(LINES),
    )  # fmt: skip
    return items, lines.sample(fraction=1.0, shuffle=True, seed=3)


def _told(kind: float, reference: str, name: str) -> tuple[str, str]:
    if kind < 0.90 or 0.98 <= kind < 0.99:
        return reference, f"TRF {name}"
    if kind < 0.93:
        return "", f"TRF/{reference.replace('-', ' ')}/BIAYA"
    if kind < 0.95:
        return reference[:16], f"TRF {name}"
    return "", f"TRF KE {name}" if kind < 0.98 else "SETORAN TUNAI"


def run(count: int) -> tuple[float, Found]:
    items, lines = sides(count)
    before = time.perf_counter()
    found = match(items, lines, SHIPPED, Weekdays())
    return time.perf_counter() - before, found


@pytest.mark.benchmark(group="matching 1,000,000 lines against 1,000,000 items")
def test_a_million_lines_are_matched_in_time_and_memory_and_cost_grows_with_them(
    benchmark: BenchmarkFixture,
) -> None:
    tenth, _ = run(LINES_WHOLE // 10)
    items, lines = sides(LINES_WHOLE)
    before = time.perf_counter()
    found = benchmark.pedantic(match, args=(items, lines, SHIPPED, Weekdays()), rounds=1)  # type: ignore[no-untyped-call]
    seconds = time.perf_counter() - before
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
    benchmark.extra_info |= {
        "matches": found.count, "peak MB of the process": peak, "times the cost for ten times the work": round(seconds / tenth, 1)
    }  # fmt: skip
    print(  # noqa: T201  the figures are the point
        f"\n{LINES_WHOLE:,} against {LINES_WHOLE:,}: {seconds:.1f} s, {peak} MB at most, {found.count:,} matches; "
        f"{seconds / tenth:.1f} times the cost of a tenth ({tenth:.2f} s)"
    )
    assert found.count > LINES_WHOLE * 98 // 100
    assert seconds < SECONDS_MAX
    assert peak < MEGABYTES_MAX
