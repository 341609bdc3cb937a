"""How a ledger starts: the newest snapshot that is whole, then the journal's tail, each block of it checked against its digest."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np
import structlog

from ledger import journal
from ledger.chain import store
from ledger.engine import Engine
from ledger.errors import DatabaseDamaged
from ledger.rows.store import top
from ledger.snapshots import store as snapshots
from ledger.transfer import ROW

if TYPE_CHECKING:
    from collections.abc import Iterator

    import numpy.typing as npt

    from ledger.journal import Block
    from ledger.snapshots.form import Snapshot
    from ledger.store import Connection

    Rows = npt.NDArray[np.void]

_log = structlog.get_logger("ledger")
_ROWS_AT_ONCE: Final = 100_000
_BLOCKS_AT_ONCE: Final = 4096


@dataclass(frozen=True, slots=True)
class Start:
    """How an engine was built: from which position's snapshot (None: from the first transfer), replaying how many transfers.

    `passed_over` says why newer snapshots were not used.
    """

    snapshot: int | None
    replayed: int
    passed_over: tuple[str, ...]


def start(connection: Connection, last: Block | None) -> tuple[Engine, Start]:
    """An engine that stands where the journal ends; raises DatabaseDamaged, naming the block, where the journal is damaged."""
    passed_over: list[str] = []
    engine, before, taken = Engine(), None, None
    for row in snapshots.stored(connection):
        try:
            snapshot = snapshots.load(connection, row)
            before = _block_of(connection, snapshot)
        except DatabaseDamaged as error:
            passed_over.append(str(error))
            _log.warning("snapshot passed over", reason=str(error))
            continue
        engine, taken = Engine.of(snapshot.kept), row.position
        break
    first = engine.next_position
    _replay(connection, engine, before)
    _check_end(connection, engine, last)
    engine.publish()
    done = Start(taken, engine.next_position - first, tuple(passed_over))
    _log.info("balances rebuilt", snapshot=done.snapshot, replayed=done.replayed)
    return engine, done


def _block_of(connection: Connection, snapshot: Snapshot) -> Block | None:
    """The block that a snapshot was taken after; raises DatabaseDamaged where it is not in this chain."""
    block = store.read_block(connection, snapshot.block) if snapshot.block else None
    found = (block.digest, block.last_position) if block else (journal.GENESIS, 0)
    if found != (snapshot.head, snapshot.kept.position):
        raise DatabaseDamaged(
            f"the snapshot as of position {snapshot.kept.position} is of another journal than this"
        )
    return block


def _replay(connection: Connection, engine: Engine, before: Block | None) -> None:
    for blocks in _spans(connection, before.block if before else 0):
        found = list(store.read_rows(connection, blocks[0].first_position, blocks[-1].last_position))
        rows = np.concatenate([*found, np.zeros(0, ROW)])
        for block in blocks:
            _check(block, before, rows)
            before = block
        engine.replay(rows)
        engine.publish()


def _spans(connection: Connection, after: int) -> Iterator[list[Block]]:
    """Blocks after a number, in spans of about so many rows."""
    span: list[Block] = []
    rows = 0
    for block in store.read_blocks(connection, after):
        if not 0 <= block.rows <= store.BLOCK_ROWS_MAX:
            raise DatabaseDamaged(f"block {block.block} has an impossible size: restore from backup")
        span.append(block)
        rows += block.rows
        if rows >= _ROWS_AT_ONCE or len(span) >= _BLOCKS_AT_ONCE:
            yield span
            span, rows = [], 0
    if span:
        yield span


def _check(block: Block, before: Block | None, rows: Rows) -> None:
    """A block of the tail stands behind the one before, and its rows are those that its digest covers."""
    number, first, previous = (
        (before.block + 1, before.last_position + 1, before.digest) if before else (1, 1, journal.GENESIS)
    )
    begin, end = np.searchsorted(rows["position"], [block.first_position, block.last_position + 1])
    in_place = (block.block, block.first_position, block.previous) == (number, first, previous)
    whole = end - begin == block.rows and journal.block_digest(block, rows[begin:end]) == block.digest
    if not (in_place and whole):
        raise DatabaseDamaged(
            f"block {block.block} (positions {block.first_position} to {block.last_position}) "
            f"{'holds rows that are not what was written' if in_place else 'does not stand behind the block before'}; "
            f"the journal is good up to position {first - 1}: restore the database from backup"
        )


def _check_end(connection: Connection, engine: Engine, last: Block | None) -> None:
    """Rows and blocks end together."""
    replayed, chained = engine.next_position - 1, 0 if last is None else last.last_position
    stored = max(replayed, top(connection))
    if (replayed, stored) != (chained, chained):
        raise DatabaseDamaged(
            f"the journal has rows up to position {stored}, and blocks up to {chained}: restore the database from backup"
        )
