"""Check a journal from its first byte: chain, rows, sums, documents, balances. Needs no lease and changes nothing.

Raises DatabaseDamaged, naming the place (block, position, partition) of the first damage.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from keys.clock import date_of
from keys.money import Sen
from ledger import journal, store
from ledger.chart import AccountId, describe, split
from ledger.engine import Engine
from ledger.errors import DatabaseDamaged
from ledger.transfer import ROW

if TYPE_CHECKING:
    from collections.abc import Callable

    import numpy.typing as npt
    import sqlalchemy as sa

    from ledger.store import Block, Database

    Rows = npt.NDArray[np.void]


@dataclass(frozen=True, slots=True)
class Verified:
    """What was checked and found whole."""

    blocks: int
    transfers: int
    documents: int
    accounts: int
    moved: Sen
    head: bytes
    snapshot: int | None
    """Position up to which stored balances were compared; None where there was no snapshot."""


def verify(database: Database, progress: Callable[[int, int], None] | None = None) -> Verified:
    """Check everything; `progress` is told (done, all) in blocks."""
    database.check()
    with database.transaction() as connection:
        snapshot, kept = store.read_balances(connection)
        last = store.last_block(connection)
        walk = _Walk(connection, snapshot, kept)
        for block in store.read_blocks(connection):
            walk.take(block)
            if progress is not None:
                progress(block.block, last.block if last else 0)
        return walk.finish()


class _Walk:
    """The state of a check that goes block by block."""

    def __init__(
        self, connection: sa.Connection, snapshot: int | None, kept: dict[int, tuple[int, int, int, int]]
    ) -> None:
        self._connection = connection
        self._snapshot = snapshot
        self._kept = kept
        self._engine = Engine()
        self._before: Block | None = None
        self._documents = 0
        self._moved = 0

    def take(self, block: Block) -> None:
        """One block: its place in the chain, its documents, its rows."""
        bodies = store.read_documents(self._connection, block.block)
        rows = self._rows(block)
        expected = journal.make_block(self._before, rows, bodies, block.received_at, block.business_date)
        _same(expected.block, block.block, f"block {block.block} stands where block {expected.block} must")
        for what in ("first_position", "previous", "rows", "documents", "digest"):
            if getattr(expected, what) != getattr(block, what):
                raise DatabaseDamaged(
                    f"block {block.block} {_WRONG[what]}{self._span(block)}; restore from backup"
                )
        self._check_rows(block, rows)
        self._documents += len(bodies)
        self._moved += int(rows["amount"].sum())
        self._before = block
        if self._snapshot == self._engine.next_position - 1:
            self._compare_balances()

    def _rows(self, block: Block) -> Rows:
        last = block.first_position + block.rows - 1
        chunks = list(store.read_rows(self._connection, block.first_position, last))
        return np.concatenate(chunks) if chunks else np.zeros(0, ROW)

    def _span(self, block: Block) -> str:
        last = block.first_position + block.rows - 1
        return f" (positions {block.first_position} to {last}, business date {date_of(block.business_date)})"

    def _check_rows(self, block: Block, rows: Rows) -> None:
        partitions = rows["debit"] >> 50 & 63
        if np.any(partitions != rows["partition"]) or np.any(rows["business_date"] != block.business_date):
            raise DatabaseDamaged(f"block {block.block} holds a row of another partition or business date")
        self._engine.replay(rows)

    def _compare_balances(self) -> None:
        rebuilt = self._engine.balances()
        for number in rebuilt.keys() | {AccountId(kept) for kept in self._kept}:
            balance = rebuilt.get(number)
            sums = None if balance is None else (
                balance.debits_posted, balance.credits_posted, balance.debits_pending, balance.credits_pending
            )  # fmt: skip
            if sums != self._kept.get(number):
                partition = split(number).partition
                raise DatabaseDamaged(
                    f"account {describe(number)} (partition {partition}) has another balance than its journal gives"
                )
        self._snapshot_done = True

    _snapshot_done = False

    def finish(self) -> Verified:
        """What must hold over the whole: no row outside a block, the snapshot met, both sides equal."""
        posted = self._engine.next_position - 1
        stored = store.count_rows(self._connection)
        _same(posted, stored, f"{stored} transfers are stored and {posted} are in the chain")
        if self._snapshot == 0 and posted == 0:
            self._compare_balances()
        if self._snapshot is not None and not self._snapshot_done:
            raise DatabaseDamaged(f"stored balances are as of position {self._snapshot}, where no block ends")
        balances = self._engine.balances()
        debits = sum(balance.debits_posted for balance in balances.values())
        _same(
            debits, sum(balance.credits_posted for balance in balances.values()), "debits and credits differ"
        )
        before = self._before
        return Verified(
            blocks=before.block if before else 0, transfers=posted, documents=self._documents,
            accounts=len(balances), moved=Sen(self._moved), head=before.digest if before else journal.GENESIS,
            snapshot=self._snapshot,
        )  # fmt: skip


_WRONG = {
    "first_position": "does not begin where the block before ended",
    "previous": "is not chained to the block before",
    "rows": "lacks rows",
    "documents": "holds a document that is not what was written",
    "digest": "holds a row that is not what was written",
}


def _same(left: object, right: object, message: str) -> None:
    if left != right:
        raise DatabaseDamaged(f"{message}; restore from backup")
