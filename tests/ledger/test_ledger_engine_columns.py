"""The engine's tables: nothing is lost while they grow, ahead of time or on the spot, with address space or without."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ledger import places
from ledger.columns import AHEAD_MIN, ROWS_RESERVED, Columns, reserved

KEYS = st.integers(-(2**62), 2**62).filter(bool)


def put(table: Columns, keys: list[int]) -> None:
    table.reserve(len(keys))
    for key in keys:
        row = places.opened(*table.view, key)
        table.view.rows[row, 1] += 1


@settings(deadline=None)
@given(st.lists(st.lists(KEYS, max_size=40), max_size=8), st.lists(KEYS, max_size=20))
def test_a_table_is_a_dictionary(batches: list[list[int]], others: list[int]) -> None:
    table, oracle = Columns(2), dict[int, int]()
    for keys in batches:
        put(table, keys)
        for key in keys:
            oracle[key] = oracle.get(key, 0) + 1
    assert {int(key): int(value) for key, value in table.used} == oracle
    for key in [*oracle, *others]:
        found = table.view.at(key)
        assert (None if found is None else int(found[1])) == oracle.get(key)
    again = Columns(2)
    again.replace(table.used.copy())
    assert (again.used == table.used).all()
    assert all(again.view.at(key) is not None for key in oracle)


@pytest.mark.parametrize("batch", [700, 40_000])
def test_an_index_that_grows_behind_the_back_of_its_users_loses_no_key(batch: int) -> None:
    table, grown = Columns(2), set[int]()
    count = 3 * AHEAD_MIN
    keys = np.random.default_rng(5).permutation(np.arange(1, count + 1)) * 8191
    for first in range(0, count, batch):
        table.reserve(batch)
        for key in keys[first : first + batch].tolist():
            places.opened(*table.view, key)
        grown.add(len(table.view.where))
    assert len(grown) > 2
    rows = [places.row_of(*table.view, key) for key in keys.tolist()]
    assert rows == list(range(1, count + 1))
    assert not any(places.row_of(*table.view, key + 1) for key in keys[:5000].tolist())


def test_rows_that_come_once_an_index_is_carried_over_get_their_places_in_the_larger_one() -> None:
    table, keys = Columns(2), list(range(1, 24_004))
    table.reserve(24_000)
    for key in keys[:-3]:
        places.opened(*table.view, key)
    before = len(table.view.where)
    table.reserve(1000)
    while table._growth is not None and not table._growth.is_done:
        time.sleep(0.001)
    assert len(table.view.where) == before
    for key in keys[-3:]:
        places.opened(*table.view, key)
    table.reserve(1)
    assert len(table.view.where) - 1 == 2 * (before - 1)
    assert [places.row_of(*table.view, key) for key in keys] == keys


def test_numbers_as_the_city_gives_them_spread_over_the_places() -> None:
    """Cards one after the other, in 64 partitions, and UIDs one after the other: hardly a key away from its own place."""
    cards = np.arange(100_000)
    for keys in (
        (1 << 56) | (cards % 64 << 50) | (936_000_090_000_000 + cards),
        0x04A1_0000_0000_00 + cards,
        -cards - 1,
    ):
        homes = np.array([places.hash_of(key) for key in keys[:20_000].tolist()]) >> (places.HASH_BITS - 16)
        met = np.bincount(homes, minlength=1 << 16)
        assert met.max() <= 8
        assert (met > 0).sum() > 0.95 * (1 << 16) * (1 - np.exp(-20_000 / (1 << 16)))


LIMITED = """
import resource
from ledger.columns import ROWS_MIN, Columns
from ledger import places
import numpy as np
table = Columns(2)
now = int(open("/proc/self/statm").read().split()[0]) * resource.getpagesize()
resource.setrlimit(resource.RLIMIT_AS, (now + 100_000_000,) * 2)
table = Columns(8)
assert len(table.view.rows) == ROWS_MIN
for first in range(0, 3 * ROWS_MIN, 1000):
    table.reserve(1000)
    for key in range(first + 1, first + 1001):
        row = places.opened(*table.view, key)
        table.view.rows[row, 7] = key
assert (table.used[:, 0] == table.used[:, 7]).all()
print(len(table))
"""


def test_a_process_that_may_not_reserve_address_space_grows_by_copying() -> None:
    root = Path(__file__).parents[2]
    said = subprocess.run(
        [sys.executable, "-c", LIMITED], cwd=root, capture_output=True, text=True, check=False
    )
    assert said.returncode == 0, said.stderr
    assert int(said.stdout) == 197_000


def test_reserved_rows_take_no_memory_until_they_are_used() -> None:
    before = _resident()
    rows = reserved(8)
    assert len(rows) == ROWS_RESERVED
    assert _resident() - before < 8_000_000
    rows[:1000] = 1
    assert _resident() - before < 8_000_000


def _resident() -> int:
    return int(Path("/proc/self/statm").read_text().split()[1]) * 4096
