"""The tree of the books as they are: leaves read from closed business dates, tiles grown from them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from keys.clock import Day
from ledger.chain import store as journal
from ledger.errors import DatabaseDamaged
from ledger.proofs import leaves, store
from ledger.proofs.growing import Growing
from ledger.proofs.leaves import Salts, whole_groups
from ledger.proofs.merkle import TILE_WIDTH
from ledger.transfer import ROW

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ledger.chain.store import Window
    from ledger.proofs.growing import Tile
    from ledger.proofs.leaves import Leaves
    from ledger.store import Connection


@dataclass(frozen=True, slots=True)
class Standing:
    """What the tree holds already: business dates up to this one, positions up to this one, this many leaves."""

    business_date: Day = Day(-1)  # noqa: RUF009  an int by another name
    position: int = 0
    size: int = 0


class Building:
    """A tree that grows by business dates. Tiles come with the journal position of their first leaf."""

    def __init__(self, standing: Standing, edge: list[tuple[Tile, int]]) -> None:
        self.standing = standing
        self.moved = 0
        self._growing = Growing(standing.size, [tile for tile, _ in edge])
        # Where the first leaf of a tile stands that is begun and not full: at most one.
        self._firsts = {tile.number: first for tile, first in edge if tile.level == 0}

    def root(self) -> bytes:
        """The root over all leaves."""
        return self._growing.root()

    def edge(self) -> list[tuple[Tile, int]]:
        """The tiles that are not full."""
        return [self._placed(tile) for tile in self._growing.edge()]

    def close(self, connection: Connection, window: Window, secret: bytes) -> Iterator[tuple[Tile, int]]:
        """Take in all that a closed window holds behind what stands; the tiles that it fills."""
        salts, before, self.moved = Salts(secret), self.standing, 0
        for found in self._moved(connection, window, salts):
            self.moved += len(found.positions)
            yield from self._take(found)
        for taps in store.free_taps(connection, before.business_date, window.business_date):
            yield from self._take(leaves.of_free(taps, self._growing.size, salts))
        self.standing = Standing(window.business_date, window.last_position, self._growing.size)

    def _moved(self, connection: Connection, window: Window, salts: Salts) -> Iterator[Leaves]:
        carried = np.zeros(0, ROW)
        for rows in journal.read_rows(connection, self.standing.position + 1, window.last_position):
            both = np.concatenate([carried, rows])
            cut = whole_groups(both)
            ready, carried = both[:cut], both[cut:]
            if cut:
                taps = store.moved_taps(connection, ready)
                yield leaves.of_groups(ready, taps, self._growing.size, salts)
        if len(carried):
            raise DatabaseDamaged(
                f"a group of transfers does not end before position {window.last_position}: restore from backup"
            )

    def _take(self, found: Leaves) -> Iterator[tuple[Tile, int]]:
        at = self._growing.size
        for index in range(-at % TILE_WIDTH, len(found.positions), TILE_WIDTH):
            self._firsts[(at + index) // TILE_WIDTH] = int(found.positions[index])
        for tile in self._growing.grow(found.hashes()):
            yield self._placed(tile)
            if tile.level == 0:
                del self._firsts[tile.number]

    def _placed(self, tile: Tile) -> tuple[Tile, int]:
        return tile, self._firsts[tile.number] if tile.level == 0 else 0
