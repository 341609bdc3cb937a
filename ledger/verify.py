"""Check a journal from its first byte: chain, rows, sums, documents, windows, balances. Needs no lease and changes nothing.

What it cannot see is a journal cut off at the end of a block, together with everything after: only a digest kept elsewhere (a
receipt, a published checkpoint) shows that. Compare `Verified.head` with one.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING, Final

import numpy as np

from keys.money import Sen
from ledger import journal
from ledger.beside import ClosedWindows, StoredSnapshots
from ledger.chain import store
from ledger.engine import Engine
from ledger.errors import DatabaseDamaged, DatabaseMissing, LedgerError, StorageError
from ledger.transfer import ROW

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    import numpy.typing as npt

    from ledger.journal import Block
    from ledger.store import Connection, Database

    Integers = npt.NDArray[np.int64]
    Rows = npt.NDArray[np.void]
    Inspect = Callable[[Block, Rows, Sequence[bytes]], None]
    Progress = Callable[[int, int], None]

_BLOCKS_A_CHUNK: Final = 64
_HALF: Final = 32
_POSITION_MAX: Final = (1 << 63) - 1


@dataclass(frozen=True, slots=True)
class Verified:
    """What was checked and found whole."""

    blocks: int
    transfers: int
    documents: int
    windows: int
    accounts: int
    moved: Sen
    head: bytes
    snapshot: int | None
    """Position up to which stored balances were compared; None where there was no snapshot."""


def verify(database: Database, progress: Progress | None = None, inspect: Inspect | None = None) -> Verified:
    """Check everything; `progress` is told (done, all) in blocks.

    `inspect` is given each block that is whole, with its rows and documents, for what only others can check (a card's evidence);
    it raises DatabaseDamaged. Raises DatabaseDamaged, naming the place (block, position, partition) of the first damage,
    DatabaseMissing, and StorageError for a database that does not answer.
    """
    try:
        database.check(whole=True)
        with database.transaction() as connection:
            walk = _Walk(connection, inspect)
            for block, rows, bodies in _blocks(connection):
                walk.take(block, rows, bodies)
                if progress is not None:
                    progress(block.block, walk.last)
            return walk.finish()
    except (DatabaseDamaged, DatabaseMissing):
        raise
    except (LedgerError, ValueError, TypeError, OverflowError) as error:
        if isinstance(error, StorageError):
            raise
        # Bytes that no driver turns into a value are damage too, wherever they stand.
        raise DatabaseDamaged(f"{database.name} does not read ({error}): restore it from backup") from error


def _blocks(connection: Connection) -> Iterator[tuple[Block, Rows, list[bytes]]]:
    """Every block with its rows and documents, read in chunks of blocks."""
    blocks = store.read_blocks(connection)
    while chunk := list(islice(blocks, _BLOCKS_A_CHUNK)):
        first, last = chunk[0], chunk[-1]
        for block in chunk:
            if not (0 <= block.rows <= store.BLOCK_ROWS_MAX and 0 < block.first_position <= _POSITION_MAX):
                raise DatabaseDamaged(f"block {block.block} has an impossible size: restore from backup")
        found = list(store.read_rows(connection, first.first_position, last.last_position))
        rows = np.concatenate([*found, np.zeros(0, ROW)])
        documents = store.documents_of(connection, first.block, last.block)
        for block in chunk:
            start, end = np.searchsorted(rows["position"], [block.first_position, block.last_position + 1])
            yield block, rows[start:end], documents.get(block.block, [])


class _Walk:
    """The state of a check that goes block by block."""

    def __init__(self, connection: Connection, inspect: Inspect | None) -> None:
        self._connection = connection
        self._inspect = inspect
        self._engine = Engine()
        self._before: Block | None = None
        self._documents = 0
        self._moved = 0
        self._windows = ClosedWindows(store.read_windows(connection))
        self._snapshots = StoredSnapshots(connection)
        last = store.last_block(connection)
        self.last = 0 if last is None else last.block

    def take(self, block: Block, rows: Rows, bodies: list[bytes]) -> None:
        """One block: its place in the chain, its documents, its rows, the window that it closes."""
        self._snapshots.meet(self._before, self._engine)
        self._chain(block, rows, bodies)
        if np.any(journal.partitions_of(rows["debit"]) != rows["partition"]):
            raise DatabaseDamaged(
                f"block {block.block} holds a row of another partition: restore from backup"
            )
        if np.any(rows["business_date"] != block.business_date) or self._windows.is_closed(
            block.business_date
        ):
            raise DatabaseDamaged(
                f"block {block.block} writes into another business date: restore from backup"
            )
        self._engine.replay(rows)
        if self._inspect is not None:
            self._inspect(block, rows, bodies)
        self._windows.meet(block, bodies, self._before)
        self._documents += len(bodies)
        # In two halves: single amounts fit 64 bits, the sum of many might not.
        high, low = np.divmod(rows["amount"], 1 << _HALF)
        self._moved += (int(high.sum()) << _HALF) + int(low.sum())
        self._before = block

    def _chain(self, block: Block, rows: Rows, bodies: list[bytes]) -> None:
        expected = journal.make_block(self._before, rows, bodies, block.received_at, block.business_date)
        if expected.block != block.block:
            raise DatabaseDamaged(
                f"block {block.block} stands where block {expected.block} must: restore from backup"
            )
        for what, wrong in _WRONG.items():
            if getattr(expected, what) != getattr(block, what):
                partitions = sorted(set(rows["partition"].tolist()))
                raise DatabaseDamaged(
                    f"block {block.block} {wrong} (positions {block.first_position} to {block.last_position}, "
                    f"partitions {partitions}, day {block.business_date}): restore from backup"
                )

    def finish(self) -> Verified:
        """What must hold over the whole: nothing outside the chain, the snapshot met, both sides equal."""
        self._snapshots.meet(self._before, self._engine)
        before, posted = self._before, self._engine.next_position - 1
        blocks = before.block if before else 0
        chained = (posted, blocks, self._documents)
        if store.counts(self._connection) != chained or not self._windows.all_met:
            raise DatabaseDamaged(
                f"more is stored than the chain's {posted} transfers, {blocks} blocks, {self._documents} documents "
                f"and {self._windows.met} windows: restore from backup"
            )
        self._snapshots.finish()
        balances = self._engine.balances()
        debits = sum(balance.debits_posted for balance in balances.values())
        if debits != sum(balance.credits_posted for balance in balances.values()):
            raise DatabaseDamaged("debits and credits differ: restore from backup")
        return Verified(
            blocks=blocks, transfers=posted, documents=self._documents, windows=self._windows.met,
            accounts=len(balances), moved=Sen(self._moved), head=before.digest if before else journal.GENESIS,
            snapshot=self._snapshots.newest,
        )  # fmt: skip


_WRONG: Final = {
    "first_position": "does not begin where the block before ended",
    "previous": "is not chained to the block before",
    "rows": "lacks rows",
    "documents": "holds a document that is not what was written",
    "digest": "holds a row that is not what was written",
}
