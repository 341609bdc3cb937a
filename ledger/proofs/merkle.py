"""Merkle trees as in RFC 9162 (Certificate Transparency 2.0) section 2.1: SHA-256, 0x00 before a leaf, 0x01 before two nodes.

Pure, and needing nothing but hashlib: what a third party runs to check a proof is this file. Ranges are half open.
"""

from __future__ import annotations

from hashlib import sha256
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    Fetch = Callable[[int, int], Sequence[bytes]]

HASH_BYTES: Final = 32
TILE_HEIGHT: Final = 8
"""Levels of the tree that one tile spans."""
TILE_WIDTH: Final = 1 << TILE_HEIGHT
EMPTY_ROOT: Final = sha256(b"").digest()


def leaf_hash(data: bytes) -> bytes:
    """The hash of a leaf (RFC 9162 section 2.1.1)."""
    return sha256(b"\x00" + data).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    """The hash of an inner node (RFC 9162 section 2.1.1)."""
    return sha256(b"\x01" + left + right).digest()


def root_over(hashes: Sequence[bytes]) -> bytes:
    """The root over the hashes of subtrees of one size; the last of them may be smaller (an odd one moves up as it is)."""
    level = list(hashes)
    if not level:
        return EMPTY_ROOT
    while len(level) > 1:
        odd = level[-1:] if len(level) % 2 else []
        pairs = zip(level[::2], level[1::2], strict=False)
        level = [sha256(b"\x01" + left + right).digest() for left, right in pairs] + odd
    return level[0]


def _split(size: int) -> int:
    """The largest power of two smaller than a size."""
    return 1 << (size - 1).bit_length() - 1


class Tree:
    """A tree in tiles, from which proofs are made; only what a proof needs is fetched, and each tile once.

    `fetch` gives the hashes of a tile (tile level, number): those of the complete subtrees of 256^level leaves, at most
    TILE_WIDTH of them, in order.
    """

    def __init__(self, fetch: Fetch) -> None:
        self._fetch = fetch
        self._tiles: dict[tuple[int, int], Sequence[bytes]] = {}
        self._nodes: dict[tuple[int, int], bytes] = {}

    def _tile(self, level: int, number: int) -> Sequence[bytes]:
        if (level, number) not in self._tiles:
            self._tiles[level, number] = self._fetch(level, number)
        return self._tiles[level, number]

    def _node(self, level: int, number: int) -> bytes:
        """The root of a complete subtree of 2^level leaves."""
        known = self._nodes.get((level, number))
        if known is None:
            tile_level, height = divmod(level, TILE_HEIGHT)
            tile, place = divmod(number << height, TILE_WIDTH)
            known = root_over(self._tile(tile_level, tile)[place : place + (1 << height)])
            self._nodes[level, number] = known
        return known

    def root(self, start: int, end: int) -> bytes:
        """The root over the leaves of a range that begins a subtree: complete ones from the left, the rest at the right edge."""
        parts = []
        while start < end:
            level = (end - start).bit_length() - 1
            parts.append(self._node(level, start >> level))
            start += 1 << level
        if not parts:
            return EMPTY_ROOT
        found = parts.pop()
        while parts:
            found = node_hash(parts.pop(), found)
        return found

    def inclusion(self, index: int, size: int) -> list[bytes]:
        """The audit path of a leaf in the tree of a size, lowest node first (RFC 9162 section 2.1.3.1)."""
        path, start, end = [], 0, size
        while end - start > 1:
            middle = start + _split(end - start)
            if index < middle:
                path.append(self.root(middle, end))
                end = middle
            else:
                path.append(self.root(start, middle))
                start = middle
        return path[::-1]

    def consistency(self, first: int, second: int) -> list[bytes]:
        """What proves that the tree of `first` leaves is the beginning of that of `second` (RFC 9162 section 2.1.4.1)."""
        path: list[bytes] = []
        if not 0 < first < second:
            return path
        start, end, whole = 0, second, True
        while end != first:
            middle = start + _split(end - start)
            if first <= middle:
                path.append(self.root(middle, end))
                end = middle
            else:
                path.append(self.root(start, middle))
                start, whole = middle, False
        if not whole:
            path.append(self.root(start, end))
        return path[::-1]


def _all_hashes(*values: bytes) -> bool:
    return all(len(value) == HASH_BYTES for value in values)


def root_of_inclusion(leaf: bytes, index: int, size: int, path: Sequence[bytes]) -> bytes | None:
    """The root that an audit path leads to from a leaf's hash; None where it fits no tree of that size.

    RFC 9162 section 2.1.3.2.
    """
    if not 0 <= index < size or not _all_hashes(leaf, *path):
        return None
    place, last, found = index, size - 1, leaf
    for node in path:
        if last == 0:
            return None
        if place & 1 or place == last:
            found = node_hash(node, found)
            while not place & 1 and place:
                place, last = place >> 1, last >> 1
        else:
            found = node_hash(found, node)
        place, last = place >> 1, last >> 1
    return found if last == 0 else None


def is_consistent(
    first: int, first_root: bytes, second: int, second_root: bytes, path: Sequence[bytes]
) -> bool:
    """True where a path proves that one tree is the beginning of another (RFC 9162 section 2.1.4.2).

    The empty tree is the beginning of every tree, and every tree of itself: both need an empty path.
    """
    if not 0 <= first <= second or not _all_hashes(first_root, second_root, *path):
        return False
    if first in {0, second}:
        expected = EMPTY_ROOT if first == 0 else second_root
        return not path and first_root == expected and (second > 0 or second_root == EMPTY_ROOT)
    nodes = list(path) if first & (first - 1) else [first_root, *path]
    if not nodes:
        return False
    place, last = first - 1, second - 1
    while place & 1:
        place, last = place >> 1, last >> 1
    old = new = nodes[0]
    for node in nodes[1:]:
        if last == 0:
            return False
        if place & 1 or place == last:
            old, new = node_hash(node, old), node_hash(node, new)
            while not place & 1 and place:
                place, last = place >> 1, last >> 1
        else:
            new = node_hash(new, node)
        place, last = place >> 1, last >> 1
    return last == 0 and old == first_root and new == second_root
