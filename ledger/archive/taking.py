"""Take old business dates out of the database into files. What was written is read back and checked against the chain before it goes.

A date is moved whole: its folder is durable first, then one transaction notes it: from there on it is read from its files, and its rows and
documents leave the tables (`ledger.archive.emptying`). What a crash leaves is a folder that the next attempt finds, checks, and uses, or
rows that nobody reads and that the next attempt takes out.

Needs no lease: nothing here is the writer's. Dates that are closed, settled and behind a snapshot are never written to again.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
from contextlib import contextmanager, nullcontext
from functools import partial
from typing import TYPE_CHECKING, Final

import numpy as np

from keys.clock import date_of
from ledger import journal
from ledger.archive import reading, store
from ledger.archive.emptying import empty
from ledger.archive.store import Archived
from ledger.cells import HOLD_PENDING, STATE
from ledger.chain import store as journal_store
from ledger.errors import ArchiveDamaged, ArchiveRefused, DatabaseBusy, DatabaseDamaged
from ledger.exports import frames
from ledger.exports.manifest import NAME
from ledger.exports.sending import Wanted, export
from ledger.history.indexing import index
from ledger.history.store import read_marks
from ledger.history.turns import write_in_turn
from ledger.lease import take
from ledger.snapshots import store as snapshots
from ledger.transfer import ROW

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
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

    A server may run meanwhile. Raises ArchiveRefused where one of the dates is open, is the journal's newest, is not behind a snapshot
    and in accounts' pages, or has holds that wait, and where somebody archives to this place already; ArchiveDamaged where what was
    written does not read as the chain says.
    """
    database.check()
    _write_pages(database)
    with database.transaction() as connection:
        spans = store.spans(connection, until)
        _need_movable(connection, until, spans)
    with _alone(place.resolve()) if spans else nullcontext():
        done = []
        for span in spans:
            done.append(_move(database, span, place.resolve(), clock))
            if progress is not None:
                progress(len(done), len(spans))
    empty(database)
    return done


def _write_pages(database: Database) -> None:
    """Bring accounts' pages up to date, where no server runs: one does so behind each closing by itself."""
    try:
        lease = take(database)
    except DatabaseBusy:
        return
    try:
        index(database)
    finally:
        lease.release()


@contextmanager
def _alone(place: Path) -> Iterator[None]:
    """Nobody else writes folders there meanwhile."""
    try:
        place.mkdir(parents=True, exist_ok=True, mode=0o700)
        lock = os.open(place, os.O_RDONLY | os.O_DIRECTORY)
    except OSError as error:
        raise _unwritable(place, error) from None
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield
    except BlockingIOError:
        raise ArchiveRefused(f"somebody archives to {place.name} already: let that end") from None
    finally:
        os.close(lock)


def _unwritable(place: Path, error: OSError) -> ArchiveRefused:
    return ArchiveRefused(
        f"{place.name} cannot be written ({error.strerror}): nothing was taken out of the database"
    )


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
    reach = spans[-1].last_position
    kept = next(iter(snapshots.stored(connection)), None)
    if kept is None or kept.position < reach:
        raise ArchiveRefused(
            "no snapshot is behind these dates, so that each start would read them: hebat ledger snapshot"
        )
    if read_marks(connection).position < reach:
        raise ArchiveRefused(
            "accounts' pages do not reach to the end of these dates yet: the server writes them behind each closing"
        )
    holds = snapshots.load(connection, kept).kept.holds
    waiting = holds[(holds[:, STATE] == HOLD_PENDING) & (holds[:, 0] <= reach)]
    if len(waiting):
        raise ArchiveRefused(
            f"{len(waiting)} holds of these dates wait still (the first at position {waiting[:, 0].min()}): settle them, or let them run out"
        )


def _move(database: Database, span: Span, place: Path, clock: Clock) -> Archived:
    name = f"journal-{date_of(span.business_date).isoformat()}"
    try:
        if not (place / name).exists():
            export(database, (), place / name, Wanted(days=(span.business_date,)))
    except OSError as error:
        raise _unwritable(place, error) from None
    manifest = hashlib.sha256((place / name / NAME).read_bytes()).digest()
    with database.transaction() as connection:
        count = store.count_documents(connection, span)
        one = Archived(span, count, str(place), name, manifest, clock.now())
        _check(connection, one)
    write_in_turn(database, partial(_note, one=one))
    return one


def _note(connection: Connection, one: Archived) -> None:
    if store.spans(connection, one.span.business_date) != [one.span]:
        raise ArchiveRefused(
            f"business date {date_of(one.span.business_date)} was archived to another place meanwhile: this one's {one.name} is not used"
        )
    store.note(connection, one)


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
