"""Inclusion proofs: which leaf a transaction is, and the path from there to a checkpoint. A few small reads, no scan."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from ledger.chain import store as journal
from ledger.errors import DatabaseDamaged, ProofUnknown
from ledger.proofs import leaves, store
from ledger.proofs.book import kept_at, tree
from ledger.proofs.building import Standing
from ledger.proofs.file import Inclusion
from ledger.proofs.leaves import TAP, Salts
from ledger.proofs.merkle import TILE_WIDTH
from ledger.transfer import ROW, Flag

if TYPE_CHECKING:
    from collections.abc import Callable

    import numpy.typing as npt

    from keys.clock import Day
    from ledger.proofs.leaf import Leaf, Opening
    from ledger.proofs.store import Kept
    from ledger.store import Connection, Database

    Rows = npt.NDArray[np.void]

_STEP: Final = 256
"""Rows read at once, looking for a group's end."""


@dataclass(frozen=True, slots=True)
class _Found:
    """A leaf, its place in the tree, and what opens its card's commitment."""

    leaf: Leaf
    index: int
    opening: Opening | None


def prove_tap(
    database: Database, partition: int, uid: int, tmc: int, *, at: Day | None = None, named: bool = True
) -> Inclusion:
    """The proof that a card transaction is in the books, under the first checkpoint that covers it or that of business date `at`.

    Without `named` it does not tell whose card it was. Raises ProofUnknown where the transaction is not in the books or not under
    that checkpoint, DatabaseDamaged where the tree has another leaf there.
    """
    with database.transaction() as connection:
        tap = store.tap_of(connection, partition, uid, tmc)
        if tap is None:
            raise ProofUnknown(f"there is no transaction {tmc} of this card in the books")
        before, covering, known = _covering(
            connection, lambda kept: kept.business_date >= tap["business_date"]
        )
        if tap["position"]:
            found = _at_position(connection, int(tap["position"]), before, covering)
        else:
            found = _free(connection, tap, before, covering)
        return _proof(connection, found, covering if at is None else kept_at(known, at), named=named)


def prove_position(
    database: Database, position: int, *, at: Day | None = None, named: bool = True
) -> Inclusion:
    """The same for the group of transfers that a journal position belongs to: a tap's, or any other."""
    with database.transaction() as connection:
        before, covering, known = _covering(connection, lambda kept: kept.position >= position)
        if position < 1:
            raise ProofUnknown("positions count from 1")
        found = _at_position(connection, position, before, covering)
        return _proof(connection, found, covering if at is None else kept_at(known, at), named=named)


def _covering(connection: Connection, holds: Callable[[Kept], bool]) -> tuple[Standing, Kept, list[Kept]]:
    """What stood before the first checkpoint of which something holds, that checkpoint, and all of them."""
    known = store.read_checkpoints(connection)
    before = Standing()
    for kept in known:
        if holds(kept):
            return before, kept, known
        before = Standing(kept.business_date, kept.position, kept.size)
    raise ProofUnknown(
        "the transaction's business date is not closed yet: its checkpoint is signed when it is (hebat ledger checkpoint)"
    )


def _at_position(connection: Connection, position: int, before: Standing, covering: Kept) -> _Found:
    tile = store.tile_before(connection, before.position + 1, position)
    first_index, first_position = before.size, before.position + 1
    if tile is not None and tile[0] * TILE_WIDTH >= before.size:
        first_index, first_position = tile[0] * TILE_WIDTH, tile[1]
    rows = _whole_group(connection, first_position, position, covering.position)
    starts = leaves.starts_of(rows)
    place = int(np.searchsorted(rows["position"][starts], position, side="right")) - 1
    index = first_index + place
    ends = [*starts[1:].tolist(), len(rows)]
    group = rows[starts[place] : ends[place]]
    salts = Salts(store.read_secret(connection, covering.business_date))
    taps = store.moved_taps(connection, group)
    leaf = leaves.of_groups(group, taps, index, salts).one(0)
    opening = leaves.opening_of(taps[0], leaves.purse_number(group[0]), salts, index) if len(taps) else None
    return _Found(leaf, index, opening)


def _whole_group(connection: Connection, first: int, position: int, last: int) -> Rows:
    """Rows from `first` to the end of the group that holds a position."""
    end = position
    while True:
        rows = np.concatenate([*journal.read_rows(connection, first, end), np.zeros(0, ROW)])
        closing = np.flatnonzero((rows["position"] >= position) & (rows["flags"] & Flag.LINKED == 0))
        if len(closing):
            return rows[: closing[0] + 1]
        if end >= last or not len(rows):
            raise DatabaseDamaged(f"the group of position {position} has no end: restore from backup")
        end = min(end + _STEP, last)


def _free(connection: Connection, tap: np.void, before: Standing, covering: Kept) -> _Found:
    index = before.size + covering.moved + store.free_before(connection, before.business_date, tap)
    salts = Salts(store.read_secret(connection, covering.business_date))
    leaf = leaves.of_free(np.array([tap], TAP), index, salts).one(0)
    return _Found(leaf, index, leaves.opening_of(tap, int(tap["card_number"]) // 10, salts, index))


def _proof(connection: Connection, found: _Found, under: Kept, *, named: bool) -> Inclusion:
    if found.index >= under.size:
        raise ProofUnknown("the transaction came later than this checkpoint: name a later one")
    whole = tree(connection)
    if whole.root(found.index, found.index + 1) != found.leaf.hash():
        raise DatabaseDamaged(
            f"leaf {found.index} of the tree is not what the books hold now: run hebat ledger verify"
        )
    path = whole.inclusion(found.index, under.size)
    return Inclusion(found.leaf, found.opening if named else None, found.index, tuple(path), under.signed)
