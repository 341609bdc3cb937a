"""Trees and their proofs against RFC 9162 as written down there (recursive), and against Certificate Transparency's own data."""

from __future__ import annotations

import json
from functools import cache
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ledger.proofs.growing import Growing, Tile, edge, hashes_of
from ledger.proofs.merkle import (
    EMPTY_ROOT,
    TILE_WIDTH,
    Tree,
    is_consistent,
    leaf_hash,
    node_hash,
    root_of_inclusion,
    root_over,
)

VECTORS: dict[str, Any] = json.loads((Path(__file__).parents[1] / "vectors" / "merkle.json").read_text())
SIZES = 300
LEAVES = [leaf_hash(number.to_bytes(4, "big")) for number in range(SIZES)]


# The oracle: RFC 9162 section 2.1, its recursive definitions word for word.


def power(n: int) -> int:
    k = 1
    while k * 2 < n:
        k *= 2
    return k


@cache
def mth(start: int, end: int) -> bytes:
    n = end - start
    if n == 0:
        return sha256(b"").digest()
    if n == 1:
        return LEAVES[start]
    k = power(n)
    return sha256(b"\x01" + mth(start, start + k) + mth(start + k, end)).digest()


def path(m: int, start: int, end: int) -> list[bytes]:
    n = end - start
    if n == 1:
        return []
    k = power(n)
    if m < k:
        return [*path(m, start, start + k), mth(start + k, end)]
    return [*path(m - k, start + k, end), mth(start, start + k)]


def subproof(m: int, start: int, end: int, *, whole: bool) -> list[bytes]:
    n = end - start
    if m == n:
        return [] if whole else [mth(start, end)]
    k = power(n)
    if m <= k:
        return [*subproof(m, start, start + k, whole=whole), mth(start + k, end)]
    return [*subproof(m - k, start + k, end, whole=False), mth(start, start + k)]


def tree_of(leaves: list[bytes]) -> Tree:
    """A tree over leaves, in the tiles that growing gives."""
    growing = Growing()
    tiles = list(growing.grow(leaves)) + growing.edge()
    kept = {(tile.level, tile.number): hashes_of(tile.hashes) for tile in tiles}
    return Tree(lambda level, number: kept[level, number])


def test_every_root_up_to_300_leaves_is_that_of_the_standard() -> None:
    assert mth(0, 0) == EMPTY_ROOT
    growing, tiles = Growing(), list[Tile]()
    for size in range(1, SIZES + 1):
        tiles += growing.grow([LEAVES[size - 1]])
        assert growing.root() == mth(0, size) == root_over(LEAVES[:size])
    assert len(tiles) == 1


def test_every_audit_path_up_to_300_leaves_is_that_of_the_standard_and_leads_to_its_root() -> None:
    whole = tree_of(LEAVES)
    for size in range(1, SIZES + 1):
        for index in range(size):
            found = whole.inclusion(index, size)
            assert found == path(index, 0, size)
            assert root_of_inclusion(LEAVES[index], index, size, found) == mth(0, size)


def test_every_consistency_proof_up_to_300_leaves_is_that_of_the_standard_and_holds() -> None:
    whole = tree_of(LEAVES)
    for second in range(1, SIZES + 1):
        for first in range(1, second + 1):
            found = whole.consistency(first, second)
            assert found == subproof(first, 0, second, whole=True)
            assert is_consistent(first, mth(0, first), second, mth(0, second), found)


@settings(deadline=None)
@given(st.integers(1, 40), st.data())
def test_a_changed_proof_proves_nothing(size: int, data: st.DataObject) -> None:
    index = data.draw(st.integers(0, size - 1))
    good = tree_of(LEAVES).inclusion(index, size)
    root = mth(0, size)
    twisted = data.draw(
        st.sampled_from(["leaf", "index", "size", "cut", "longer", *(["node"] if good else [])])
    )
    leaf, changed = LEAVES[index], list(good)
    if twisted == "leaf":
        leaf = LEAVES[(index + 1) % SIZES]
    elif twisted == "cut":
        changed = changed[:-1] if changed else [leaf]
    elif twisted == "longer":
        changed.append(LEAVES[0])
    elif twisted == "node":
        at = data.draw(st.integers(0, len(good) - 1))
        changed[at] = bytes([changed[at][0] ^ 1]) + changed[at][1:]
    places = {
        "index": (data.draw(st.integers(-2, size + 2).filter(lambda other: other != index)), size),
        "size": (index, data.draw(st.integers(0, 80).filter(lambda other: other != size))),
    }
    place, of = places.get(twisted, (index, size))
    if of != size and root_of_inclusion(leaf, place, of, changed) == root:
        # A path may be that of the same leaf in a tree of another size: what is claimed of the root holds all the same.
        assert path(place, 0, size) == changed
        return
    assert root_of_inclusion(leaf, place, of, changed) != root


@settings(deadline=None)
@given(st.integers(1, 60), st.data())
def test_a_tree_that_is_no_continuation_is_not_consistent(second: int, data: st.DataObject) -> None:
    first = data.draw(st.integers(1, second))
    good = tree_of(LEAVES).consistency(first, second)
    old, new = mth(0, first), mth(0, second)
    assert not is_consistent(first, LEAVES[-1], second, new, good)
    assert not is_consistent(first, old, second, LEAVES[-1], good)
    assert not is_consistent(second + 1, old, second, new, good)
    assert not is_consistent(first, old, second, new, [*good, LEAVES[0]])
    if good:
        assert not is_consistent(first, old, second, new, good[:-1])


@settings(max_examples=30, deadline=None)
@given(st.lists(st.integers(0, 700), max_size=6))
def test_a_tree_that_is_taken_up_again_grows_as_one_that_was_never_put_down(steps: list[int]) -> None:
    leaves = [leaf_hash(number.to_bytes(4, "big")) for number in range(sum(steps))]
    straight, size, kept = Growing(), 0, dict[tuple[int, int], bytes]()
    for tile in [*straight.grow(leaves), *straight.edge()]:
        kept[tile.level, tile.number] = tile.hashes
    pieces = dict[tuple[int, int], bytes]()
    for step in steps:
        at_edge = [Tile(level, number, pieces[level, number]) for level, number, _ in edge(size)]
        growing = Growing(size, at_edge)
        for tile in [*growing.grow(leaves[size : size + step]), *growing.edge()]:
            pieces[tile.level, tile.number] = tile.hashes
        size += step
        assert growing.root() == root_over(leaves[:size])
    assert pieces == kept
    assert straight.root() == root_over(leaves)


def test_a_large_tree_spans_three_levels_of_tiles() -> None:
    leaves = [number.to_bytes(32, "big") for number in range(TILE_WIDTH * TILE_WIDTH + 300)]
    whole, root = tree_of(leaves), root_over(leaves)
    for index in (0, 255, 256, 65_535, 65_536, 65_791, 65_792, len(leaves) - 1):
        assert (
            root_of_inclusion(leaves[index], index, len(leaves), whole.inclusion(index, len(leaves))) == root
        )
    for first in (1, 255, 256, 257, 65_536, 65_537):
        proof = whole.consistency(first, len(leaves))
        assert is_consistent(first, root_over(leaves[:first]), len(leaves), root, proof)


# Known answers


def test_the_reference_leaves_have_the_reference_roots() -> None:
    leaves = [leaf_hash(bytes.fromhex(one)) for one in VECTORS["leaves"]]
    for size, root in enumerate(VECTORS["roots"]):
        assert root_over(leaves[:size]).hex() == root


def _bytes(texts: list[str]) -> list[bytes]:
    return [bytes.fromhex(text) for text in texts]


def test_every_inclusion_probe_of_the_reference_is_judged_as_it_says() -> None:
    for one in VECTORS["inclusion"]:
        leaf, root = bytes.fromhex(one["leaf"]), bytes.fromhex(one["root"])
        found = root_of_inclusion(leaf, one["index"], one["size"], _bytes(one["path"]))
        assert (found is not None and found == root) == one["good"], one["name"]
    assert sum(one["good"] for one in VECTORS["inclusion"]) > 5


def test_every_consistency_probe_of_the_reference_is_judged_as_it_says() -> None:
    for one in VECTORS["consistency"]:
        first, second = bytes.fromhex(one["first_root"]), bytes.fromhex(one["second_root"])
        found = is_consistent(one["first"], first, one["second"], second, _bytes(one["path"]))
        assert found == one["good"], one["name"]
    assert sum(one["good"] for one in VECTORS["consistency"]) >= 5


@pytest.mark.parametrize("hashes", [2, 3])
def test_leaves_and_nodes_are_never_mistaken_for_one_another(hashes: int) -> None:
    leaf = leaf_hash(b"".join(LEAVES[:hashes]))
    assert leaf != node_hash(LEAVES[0], LEAVES[1])
    assert leaf != root_over(LEAVES[:hashes])
