"""Take old business dates out of the database into files. What was written is read back and checked against the chain before it goes.

A date is moved whole: its folder is durable first, then one transaction notes it and takes its rows and documents out. What a crash
leaves is a folder that the next attempt finds, checks, and uses. Takes the lease: no server may run.
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Final

import numpy as np

from keys.clock import date_of
from ledger import journal
from ledger import store as journal_store
from ledger.archive import reading, store
from ledger.archive.store import Archived
from ledger.cells import HOLD_PENDING, STATE
from ledger.errors import ArchiveDamaged, ArchiveRefused, DatabaseDamaged
from ledger.exports import frames
from ledger.exports.manifest import NAME
from ledger.exports.sending import Wanted, export
from ledger.history.indexing import index
from ledger.lease import take
from ledger.snapshots import store as snapshots
from ledger.transfer import ROW

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from keys.clock import Clock, Day
    from ledger.archive.store import Span
    from ledger.store import Connection, Database

    Progress = Callable[[int, int], None]

_BLOCKS_AT_ONCE: Final = 512


def archive(
    database: Database, until: Day, place: Path, clock: Clock, progress: Progress | None = None
) -> list[Archived]:
    """Archive every business date up to `until` that is in the database still; `progress` is told (done, all) in dates.

    Raises ArchiveRefused where one of them is open, is the journal's newest, is not behind a snapshot, or has holds that wait;
    DatabaseBusy where a server runs; ArchiveDamaged where what was written does not read as the chain says.
    """
    database.check()
    lease = take(database)
    try:
        with database.transaction() as connection:
            spans = store.spans(connection, until)
            _need_movable(connection, until, spans)
        index(database)
        done = []
        for span in spans:
            done.append(_move(database, span, place.resolve(), clock))
            if progress is not None:
                progress(len(done), len(spans))
        return done
    finally:
        lease.release()


def _need_movable(connection: Connection, until: Day, spans: list[Span]) -> None:
    closed, newest = journal_store.read_windows(connection), journal_store.last_block(connection)
    if not closed or closed[-1].business_date < until:
        raise ArchiveRefused(f"business date {date_of(until)} is open: only closed ones are archived")
    if not spans or newest is None:
        return
    if newest.block <= spans[-1].last_block:
        raise ArchiveRefused(
            f"business date {date_of(spans[-1].business_date)} holds the journal's newest block, which stays: archive up to the date before"
        )
    kept = next(
        (row for row in snapshots.stored(connection) if row.position >= spans[-1].last_position), None
    )
    if kept is None:
        raise ArchiveRefused(
            "no snapshot is behind these dates, so that each start would read them: hebat ledger snapshot"
        )
    holds = snapshots.load(connection, kept).kept.holds
    waiting = holds[(holds[:, STATE] == HOLD_PENDING) & (holds[:, 0] <= spans[-1].last_position)]
    if len(waiting):
        raise ArchiveRefused(
            f"{len(waiting)} holds of these dates wait still (the first at position {waiting[:, 0].min()}): settle them, or let them run out"
        )


def _move(database: Database, span: Span, place: Path, clock: Clock) -> Archived:
    name = f"journal-{date_of(span.business_date).isoformat()}"
    try:
        place.mkdir(parents=True, exist_ok=True, mode=0o700)
        if not (place / name).exists():
            export(database, (), place / name, Wanted(days=(span.business_date,)))
    except OSError as error:
        raise ArchiveRefused(
            f"{place.name} cannot be written ({error.strerror}): nothing was taken out of the database"
        ) from None
    manifest = hashlib.sha256((place / name / NAME).read_bytes()).digest()
    with database.writing() as connection:
        count = store.count_documents(connection, span)
        one = Archived(span, count, str(place), name, manifest, clock.now())
        _check(connection, one)
        store.move_out(connection, one)
    return one


def _check(connection: Connection, one: Archived) -> None:
    """Read a date's folder back: each block of the chain must find in it the rows and documents that it covers, and nothing else may be there."""
    kinds = {"transfers": reading.TRANSFERS}
    found = [frames.rows_of(frame) for _, frame in reading.frames_of(one, kinds)]
    rows = np.concatenate([*found, np.zeros(0, ROW)])
    documents = reading.documents_of(one, one.span.first_block, one.span.last_block)
    met = 0
    for block in journal_store.read_blocks(connection, one.span.first_block - 1):
        if block.block > one.span.last_block:
            break
        begin, end = np.searchsorted(rows["position"], [block.first_position, block.last_position + 1])
        bodies = documents.pop(block.block, [])
        met += end - begin
        whole = journal.documents_digest(bodies) == block.documents
        if not whole or journal.block_digest(block, rows[begin:end]) != block.digest:
            raise ArchiveDamaged(
                f"{one.name} does not hold block {block.block} as the chain has it: move the folder away and archive again"
            )
    if documents or met != len(rows):
        raise ArchiveDamaged(f"{one.name} holds more than its date: move the folder away and archive again")
    if met != one.span.rows:
        raise DatabaseDamaged(f"{date_of(one.span.business_date)} lacks rows: run hebat ledger verify")
