"""A tree that grows by leaves and gives its tiles out: each full one once, and what is begun of the others at the end. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from ledger.proofs.merkle import EMPTY_ROOT, HASH_BYTES, TILE_WIDTH, root_over

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence


class Tile(NamedTuple):
    """Hashes of complete subtrees of 256^level leaves, 32 bytes each, one after another."""

    level: int
    number: int
    hashes: bytes


def hashes_of(tile: bytes) -> list[bytes]:
    """A tile's hashes."""
    return [tile[at : at + HASH_BYTES] for at in range(0, len(tile), HASH_BYTES)]


def edge(size: int) -> list[tuple[int, int, int]]:
    """The tiles at the right edge of a tree: level, number, and how many hashes each has; full ones are not at the edge."""
    found, level = [], 0
    while size:
        size, begun = divmod(size, TILE_WIDTH)
        if begun:
            found.append((level, size, begun))
        level += 1
    return found


class Growing:
    """A tree of `size` leaves, of which only the right edge is in memory."""

    def __init__(self, size: int = 0, tiles: Iterable[Tile] = ()) -> None:
        self.size = size
        self._begun: list[list[bytes]] = []
        self._done: list[int] = []
        given = {tile.level: tile for tile in tiles}
        left, level = size, 0
        while left:
            left, begun = divmod(left, TILE_WIDTH)
            self._level(level)
            self._done[level] = left
            if begun:
                self._begun[level] = hashes_of(given[level].hashes)[:begun]
            level += 1

    def _level(self, level: int) -> list[bytes]:
        while len(self._begun) <= level:
            self._begun.append([])
            self._done.append(0)
        return self._begun[level]

    def grow(self, leaves: Sequence[bytes]) -> Iterator[Tile]:
        """Take leaves' hashes in; the tiles that they fill."""
        self.size += len(leaves)
        yield from self._add(0, leaves)

    def _add(self, level: int, hashes: Sequence[bytes]) -> Iterator[Tile]:
        begun = self._level(level)
        begun += hashes
        roots = []
        for at in range(0, len(begun) - TILE_WIDTH + 1, TILE_WIDTH):
            full = begun[at : at + TILE_WIDTH]
            yield Tile(level, self._done[level], b"".join(full))
            self._done[level] += 1
            roots.append(root_over(full))
        if roots:
            del begun[: len(roots) * TILE_WIDTH]
            yield from self._add(level + 1, roots)

    def edge(self) -> list[Tile]:
        """The tiles that are begun and not full."""
        levels = zip(self._begun, self._done, strict=True)
        return [Tile(at, done, b"".join(begun)) for at, (begun, done) in enumerate(levels) if begun]

    def root(self) -> bytes:
        """The root over all leaves so far."""
        found: list[bytes] = []
        for begun in self._begun:
            whole = [*begun, *found]
            found = [root_over(whole)] if whole else []
        return found[0] if found else EMPTY_ROOT
