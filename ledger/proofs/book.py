"""The book of checkpoints: one for each closed business date, made once, published, and proven from.

Everything is computed outside the writer's thread and its transactions. Two who make the same checkpoint at once write the same bytes.
"""

from __future__ import annotations

import os
import secrets
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Final

from keys.clock import date_of
from keys.filevault import write_atomically
from keys.publickey import pem_of
from ledger import journal
from ledger.chain import store as ledger_store
from ledger.errors import DatabaseDamaged, ProofUnknown
from ledger.history.blocks import last_at_position
from ledger.history.turns import write_in_turn
from ledger.proofs import store
from ledger.proofs.building import Building, Standing
from ledger.proofs.checkpoint import Checkpoint
from ledger.proofs.file import Consistency
from ledger.proofs.growing import hashes_of
from ledger.proofs.merkle import HASH_BYTES, Tree

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from keys.clock import Day
    from ledger.chain.store import Window
    from ledger.proofs.growing import Tile
    from ledger.proofs.store import Kept
    from ledger.store import Connection, Database

    Progress = Callable[[int, int], None]

TILES_A_WRITE: Final = 128
"""A megabyte: what one short transaction adds, so that the writer is never kept waiting."""
KEY_FILE: Final = "ledger-key.pem"
_SUFFIX: Final = ".checkpoint"


@dataclass(frozen=True, slots=True)
class Signer:
    """The ledger's key: its public part (raw Ed25519), and how to sign with it."""

    public_key: bytes
    sign: Callable[[bytes], bytes]


class Checkpoints:
    """Makes, keeps and publishes checkpoints; `folder` is where they are published as files (None: nowhere)."""

    def __init__(self, database: Database, origin: str, signer: Signer, folder: Path | None = None) -> None:
        self._database = database
        self._origin = origin
        self._signer = signer
        self._folder = folder

    def all(self) -> list[Kept]:
        """Every checkpoint, oldest first."""
        with self._database.transaction() as connection:
            return store.read_checkpoints(connection)

    def signed(self, day: Day) -> bytes:
        """A business date's checkpoint as it was signed; raises ProofUnknown."""
        return kept_at(self.all(), day).signed

    def make_all(self, progress: Progress | None = None) -> list[Kept]:
        """Make what is missing for closed business dates, oldest first, and publish; those that are new."""
        made: list[Kept] = []
        with self._database.transaction() as connection:
            windows, done = ledger_store.read_windows(connection), store.read_checkpoints(connection)
        missing = windows[len(done) :]
        for number, window in enumerate(missing):
            if progress is not None:
                progress(number, len(missing))
            made.append(self._make(window))
        self.publish()
        return made

    def _make(self, window: Window) -> Kept:
        day = window.business_date
        secret = secrets.token_bytes(HASH_BYTES)
        write_in_turn(self._database, lambda connection: store.add_secret(connection, day, secret))
        with self._database.transaction() as connection:
            building = standing(connection)
            self._keep_tiles(building, connection, window)
            said = self._checkpoint(building, window, connection)
        kept = store.Kept(day, said.size, building.moved, said.position, said.signed(*self._key()))
        write_in_turn(self._database, lambda connection: _keep(connection, building.edge(), kept))
        with self._database.transaction() as connection:
            return kept_at(store.read_checkpoints(connection), day)

    def _keep_tiles(self, building: Building, connection: Connection, window: Window) -> None:
        waiting: list[tuple[Tile, int]] = []
        for tile in building.close(connection, window, store.read_secret(connection, window.business_date)):
            waiting.append(tile)
            if len(waiting) >= TILES_A_WRITE:
                self._write(waiting)
                waiting = []
        self._write(waiting)

    def _write(self, tiles: Sequence[tuple[Tile, int]]) -> None:
        write_in_turn(self._database, partial(store.add_tiles, tiles=tiles))

    def _checkpoint(self, building: Building, window: Window, connection: Connection) -> Checkpoint:
        return Checkpoint(
            self._origin, building.standing.size, building.root(), window.business_date, window.closed_at,
            block_of(connection, window), window.last_position, window.head,
        )  # fmt: skip

    def _key(self) -> tuple[bytes, Callable[[bytes], bytes]]:
        return self._signer.public_key, self._signer.sign

    def publish(self) -> None:
        """Write every checkpoint, and the key that they are signed with, as files; one that is there stays as it is.

        Raises DatabaseDamaged where a file is another checkpoint than the one that is kept.
        """
        if self._folder is None:
            return
        self._folder.mkdir(parents=True, exist_ok=True)
        _publish(self._folder / KEY_FILE, pem_of(self._signer.public_key))
        for kept in self.all():
            _publish(self._folder / f"{date_of(kept.business_date).isoformat()}{_SUFFIX}", kept.signed)


def _keep(connection: Connection, edge: Sequence[tuple[Tile, int]], kept: Kept) -> None:
    store.add_tiles(connection, edge)
    store.add_checkpoint(connection, kept)


def consistency(database: Database, first: Day, second: Day) -> Consistency:
    """The proof that one checkpoint continues another; raises ProofUnknown where there is no such one."""
    with database.transaction() as connection:
        known = store.read_checkpoints(connection)
        old, new = kept_at(known, first), kept_at(known, second)
        if first > second:
            raise ProofUnknown("the first checkpoint is the later one: name the earlier date first")
        path = tree(connection).consistency(old.size, new.size)
    return Consistency(old.signed, new.signed, tuple(path))


def _publish(path: Path, data: bytes) -> None:
    if not path.exists():
        write_atomically(path, data)
        os.chmod(path, 0o644)  # noqa: PTH101  published: for everybody to read
    elif path.read_bytes() != data:
        raise DatabaseDamaged(
            f"{path.name} was published with other bytes than the ledger keeps: find out which is right"
        )


def kept_at(known: Sequence[Kept], day: Day) -> Kept:
    """The checkpoint of a business date; raises ProofUnknown where there is none."""
    for kept in known:
        if kept.business_date == day:
            return kept
    raise ProofUnknown(
        f"there is no checkpoint of {date_of(day)}: one is made when a business date is closed"
    )


def tree(connection: Connection) -> Tree:
    """The tree as it is kept."""
    return Tree(lambda level, number: hashes_of(store.read_tile(connection, level, number)[0]))


def standing(connection: Connection) -> Building:
    """The tree, to go on with behind its newest checkpoint."""
    known = store.read_checkpoints(connection)
    if not known:
        return Building(Standing(), [])
    last = known[-1]
    where = Standing(last.business_date, last.position, last.size)
    return Building(where, store.read_edge(connection, last.size))


def block_of(connection: Connection, window: Window) -> int:
    """The block whose digest is a window's head: 0 where nothing came before its closing.

    Raises DatabaseDamaged where there is none.
    """
    if window.head == journal.GENESIS:
        return 0
    block = last_at_position(connection, window.last_position)
    while block is not None and block.last_position == window.last_position:
        if block.digest == window.head:
            return block.block
        block = ledger_store.read_block(connection, block.block - 1)
    raise DatabaseDamaged(
        f"the window of {date_of(window.business_date)} names a block that is gone: restore from backup"
    )
