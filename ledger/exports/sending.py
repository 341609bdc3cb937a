"""Export a ledger as of one commit into a folder, piece by piece: the whole of it, or some business dates of its journal.

The folder appears when it is whole: what was broken off is under another name, and goes at the next attempt. Two exports of the same
ledger are the same bytes.
"""

from __future__ import annotations

import hashlib
import os
import shutil
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

import numpy as np

from keys.clock import date_of
from ledger import journal, tables
from ledger.archive import reading
from ledger.archive import store as archive
from ledger.chain import store as journal_store
from ledger.chart import split
from ledger.engine import Engine
from ledger.errors import ExportRefused
from ledger.exports import frames, store
from ledger.exports.manifest import FORMAT, NAME, Manifest, Part
from ledger.history.blocks import last_of_day
from ledger.transfer import ROW

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence
    from pathlib import Path

    import numpy.typing as npt
    import polars as pl

    from keys.clock import Day
    from ledger.archive.store import Archived
    from ledger.journal import Block
    from ledger.store import Connection, Database, TableSet

    Rows = npt.NDArray[np.void]
    Progress = Callable[[int, int], None]

BALANCES: Final = {
    "partition": int, "account": int, "debits_posted": int, "credits_posted": int, "debits_pending": int,
    "credits_pending": int,
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Wanted:
    """What to export: `kind` is parquet or csv, `days` are business dates (none: everything)."""

    kind: str = "parquet"
    days: tuple[Day, ...] = ()


@dataclass(slots=True)
class _Folder:
    """Files as they are written."""

    root: Path
    kind: str
    parts: list[Part] = field(default_factory=list)
    counts: dict[tuple[str, str], int] = field(default_factory=dict)

    def put(self, place: str, table: str, frame: pl.DataFrame) -> None:
        """Write the next file of a table."""
        count = self.counts[place, table] = self.counts.get((place, table), 0) + 1
        path = f"{place}/{table}-{count:05}.{self.kind}"
        target = self.root / path
        target.parent.mkdir(parents=True, exist_ok=True)
        frames.write(frame, target, self.kind)
        with target.open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
            os.fsync(file.fileno())
        self.parts.append(Part(path, table, len(frame), target.stat().st_size, digest))


def export(
    database: Database,
    sets: Sequence[TableSet],
    folder: Path,
    wanted: Wanted,
    progress: Progress | None = None,
) -> Manifest:
    """Export into a new folder; `progress` is told (done, all) in positions.

    Raises ExportRefused where the folder is there already or a business date has no entries, DatabaseDamaged.
    """
    if folder.exists():
        raise ExportRefused(f"{folder.name} is there already: name a folder that is not")
    draft = folder.with_name(f"{folder.name}.part")
    shutil.rmtree(draft, ignore_errors=True)
    draft.mkdir(parents=True, mode=0o700)  # it holds whatever the database holds
    with database.transaction() as connection:
        store.one_commit(connection)
        manifest = _Export(connection, _Folder(draft, wanted.kind), progress).write(sets, wanted)
    (draft / NAME).write_bytes(manifest.encode())
    _settle(draft, folder)
    return manifest


def _settle(draft: Path, folder: Path) -> None:
    """Make all names durable, then the folder's own."""
    for path in (draft / NAME, *(path for path in draft.rglob("*") if path.is_dir()), draft):
        _sync(path)
    draft.replace(folder)
    _sync(folder.parent)


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


class _Export:
    """One export under way."""

    def __init__(self, connection: Connection, folder: _Folder, progress: Progress | None) -> None:
        self._connection = connection
        self._folder = folder
        self._progress = progress
        self._newest = journal_store.last_block(connection)
        self._engine = Engine()
        self._archived = {one.span.business_date: one for one in archive.read(connection)}

    def write(self, sets: Sequence[TableSet], wanted: Wanted) -> Manifest:
        """Everything that is wanted; what it holds."""
        for first, last in self._spans(wanted.days):
            self._journal(first, last, replay=not wanted.days)
        if not wanted.days:
            self._balances()
            for table in store.other_tables(sets):
                self._table("tables", table)
        newest = self._newest
        block, position = (newest.block, newest.last_position) if newest else (0, 0)
        head = newest.digest if newest else journal.GENESIS
        return Manifest(
            FORMAT, tables.SCHEMA_VERSION, wanted.kind, not wanted.days, block, position, head.hex(),
            tuple(self._folder.parts),
        )  # fmt: skip

    def _spans(self, days: Sequence[Day]) -> Iterator[tuple[Block, Block]]:
        """The first and the last block of each business date that is wanted; each date's blocks stand together."""
        after = 0
        for day in sorted(days):
            last = last_of_day(self._connection, day)
            if last is None or last.business_date != day:
                raise ExportRefused(f"business date {date_of(day)} has no entries in the journal")
            before = last_of_day(self._connection, type(day)(day - 1))
            yield self._block(before.block + 1 if before else 1), last
        while not days and self._newest is not None and after < self._newest.block:
            first = self._block(after + 1)
            last = last_of_day(self._connection, first.business_date) or first
            after = last.block
            yield first, last

    def _block(self, number: int) -> Block:
        found = journal_store.read_block(self._connection, number)
        if found is None:
            raise ExportRefused(f"block {number} is gone from the journal: run hebat ledger verify")
        return found

    def _journal(self, first: Block, last: Block, *, replay: bool) -> None:
        """The journal of a business date."""
        place = f"journal/{date_of(first.business_date).isoformat()}"
        archived = self._archived.get(first.business_date)
        if archived is not None:
            self._from_archive(place, archived, replay=replay)
            return
        numbers = first.block, last.block
        for table in (tables.blocks, tables.documents):
            self._table(place, table, numbers)
        rows = journal_store.read_rows(self._connection, first.first_position, last.last_position)
        for piece in _joined(rows):
            if replay:
                self._engine.replay(piece)
            self._folder.put(place, "transfers", frames.of_rows(piece))
            if self._progress is not None and self._newest is not None:
                self._progress(int(piece["position"][-1]), self._newest.last_position)

    def _from_archive(self, place: str, archived: Archived, *, replay: bool) -> None:
        """A date that was taken out of the database: its files once more."""
        kinds = {table.name: store.kinds_of(table) for table in store.JOURNAL}
        for table, frame in reading.frames_of(archived, kinds):
            if table == tables.transfers.name and replay:
                self._engine.replay(frames.rows_of(frame))
            self._folder.put(place, table, frame)

    def _table(self, place: str, table: store.Table, blocks: tuple[int, int] | None = None) -> None:
        kinds = store.kinds_of(table)
        for piece in store.pieces(self._connection, table, blocks):
            self._folder.put(place, table.name, frames.of_tuples(piece, kinds))

    def _balances(self) -> None:
        """What the journal's rows add up to, account by account."""
        found = [
            (split(account).partition, account, one.debits_posted, one.credits_posted, one.debits_pending, one.credits_pending)
            for account, one in sorted(self._engine.balances().items())
        ]  # fmt: skip
        for start in range(0, len(found), store.ROWS_A_PART):
            self._folder.put(
                "tables", "balances", frames.of_tuples(found[start : start + store.ROWS_A_PART], BALANCES)
            )


def _joined(chunks: Iterable[Rows]) -> Iterator[Rows]:
    """Rows in pieces of ROWS_A_PART, however they were read."""
    waiting = np.zeros(0, ROW)
    for chunk in chunks:
        waiting = np.concatenate([waiting, chunk])
        while len(waiting) >= store.ROWS_A_PART:
            yield waiting[: store.ROWS_A_PART]
            waiting = waiting[store.ROWS_A_PART :]
    if len(waiting):
        yield waiting
