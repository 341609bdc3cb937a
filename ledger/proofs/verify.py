"""Check all checkpoints against the books: every leaf, tile and root computed again, every signature, every line of text."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from keys import envelope
from keys.clock import date_of
from keys.errors import EnvelopeError
from ledger.chain import store as journal
from ledger.errors import DatabaseDamaged, ProofInvalid
from ledger.proofs import store
from ledger.proofs.book import block_of
from ledger.proofs.building import Building, Standing
from ledger.proofs.checkpoint import Checkpoint, opened, parsed
from ledger.proofs.growing import hashes_of
from ledger.proofs.merkle import HASH_BYTES, TILE_WIDTH

if TYPE_CHECKING:
    from collections.abc import Callable

    from ledger.chain.store import Window
    from ledger.proofs.growing import Tile
    from ledger.proofs.store import Kept
    from ledger.store import Connection, Database

    Progress = Callable[[int, int], None]


@dataclass(frozen=True, slots=True)
class Proven:
    """What was checked and found whole; `waiting` closed business dates have no checkpoint yet."""

    checkpoints: int
    leaves: int
    signatures: int
    waiting: int


def verify(database: Database, public_key: bytes | None, progress: Progress | None = None) -> Proven:
    """Check everything; signatures only where the ledger's key (raw Ed25519) is given.

    `progress` is told (done, all) in checkpoints. Raises DatabaseDamaged, naming business date and leaves of the first difference.
    """
    with database.transaction() as connection:
        windows, known = journal.read_windows(connection), store.read_checkpoints(connection)
        days = [window.business_date for window in windows]
        if [kept.business_date for kept in known] != days[: len(known)]:
            raise DatabaseDamaged("the checkpoints are not those of the closed windows: restore from backup")
        check = _Check(connection, public_key)
        for number, (kept, window) in enumerate(zip(known, windows, strict=False)):
            check.take(kept, window)
            if progress is not None:
                progress(number + 1, len(known))
        signatures = len(known) if public_key is not None else 0
        return Proven(len(known), check.building.standing.size, signatures, len(windows) - len(known))


class _Check:
    """The tree, built again business date by business date."""

    def __init__(self, connection: Connection, public_key: bytes | None) -> None:
        self._connection = connection
        self._key = public_key
        self.building = Building(Standing(), [])

    def take(self, kept: Kept, window: Window) -> None:
        """One checkpoint: its tiles, what it says, who signed it."""
        day = date_of(window.business_date)
        secret = store.read_secret(self._connection, window.business_date)
        for tile, first in self.building.close(self._connection, window, secret):
            self._compare(tile, first, f"the checkpoint of {day}")
        for tile, first in self.building.edge():
            self._compare(tile, first, f"the checkpoint of {day}")
        said, standing = self._said(kept, f"the checkpoint of {day}"), self.building.standing
        expected = Checkpoint(
            said.origin, standing.size, self.building.root(), window.business_date, window.closed_at,
            block_of(self._connection, window), window.last_position, window.head,
        )  # fmt: skip
        stored = store.Kept(
            window.business_date, standing.size, self.building.moved, window.last_position, kept.signed
        )
        if said != expected or kept != stored:
            raise DatabaseDamaged(f"the checkpoint of {day} is not what the books give: restore from backup")

    def _said(self, kept: Kept, name: str) -> Checkpoint:
        try:
            if self._key is not None:
                return opened(kept.signed, self._key)
            return parsed(envelope.parse(kept.signed).payload)
        except (ProofInvalid, EnvelopeError) as error:
            raise DatabaseDamaged(f"{name} does not verify: {error}") from None

    def _compare(self, tile: Tile, first: int, name: str) -> None:
        width = len(tile.hashes) // HASH_BYTES
        hashes, kept_first = store.read_tile(self._connection, tile.level, tile.number, width)
        if hashes == tile.hashes and kept_first == first:
            return
        pairs = enumerate(zip(hashes_of(hashes), hashes_of(tile.hashes), strict=False))
        wrong = next((at for at, (kept, found) in pairs if kept != found), 0)
        leaf = (tile.number * TILE_WIDTH + wrong) * TILE_WIDTH**tile.level
        raise DatabaseDamaged(
            f"{name}: leaf {leaf} of the tree is not what the books hold (positions from {first}): restore from backup"
        )
