"""Taking a snapshot of a running ledger: the writer copies its tables between two commits, and a thread has them written by and by.

The copy is all that the writer waits for. Packing it and writing its chunks goes on beside the commits: each chunk is a unit of
the writer like any other, so that there is one writer still.
"""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

import structlog

from ledger import tables
from ledger.errors import LedgerError, Overloaded
from ledger.snapshots import form, store
from ledger.snapshots.form import Snapshot
from ledger.snapshots.store import SnapshotRow
from ledger.tables import WHOLE

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from keys.clock import UnixMs
    from ledger.store import Connection
    from ledger.transaction import PostedRows, Transaction, Unit
    from ledger.transfer import Transfer
    from ledger.writer import Writer

_log = structlog.get_logger("ledger.snapshots")

EVERY_TRANSFERS: Final = 1_000_000
"""After how many transfers a running ledger takes a snapshot: what a start has to replay at most, or about that."""
_OVERLOADED_SECONDS: Final = 0.1


@dataclass(slots=True)
class _Capture:
    """Copies what the engine knows; alone in its commit, so that a block ends right before it."""

    writer: Writer
    document: bytes = field(default=b"", init=False)
    alone: bool = field(default=True, init=False)

    def plan(self, _tx: Transaction) -> Sequence[Transfer]:
        return ()

    def settle(self, _posted: PostedRows, tx: Transaction) -> tuple[Snapshot, UnixMs]:
        return Snapshot(self.writer.standing.engine.keep(), tx.block - 1, tx.head), tx.received_at


@dataclass(slots=True)
class _Step:
    """A step of the writing."""

    act: Callable[[Transaction], Any]
    document: bytes = field(default=b"", init=False)

    def plan(self, _tx: Transaction) -> Sequence[Transfer]:
        return ()

    def settle(self, _posted: PostedRows, tx: Transaction) -> Any:
        return self.act(tx)


class Snapshotter:
    """Takes snapshots of a running ledger: when asked to, and after so many transfers."""

    def __init__(self, writer: Writer, newest: int, every: int) -> None:
        self._writer = writer
        self._every = every
        self._newest = newest
        self._taking = threading.Lock()
        self._thread: threading.Thread | None = None
        writer.standing.committed = self.note

    def note(self, position: int) -> None:
        """Hear up to which position the journal goes; takes a snapshot, by a thread of its own, where one is due."""
        idle = self._thread is None or not self._thread.is_alive()
        if idle and position - self._newest >= self._every:
            self._newest = position
            self._thread = threading.Thread(target=self._take_quietly, name="ledger-snapshot", daemon=True)
            self._thread.start()

    def take(self) -> int:
        """Take one now: the position as of which it is. Raises LedgerStopped."""
        with self._taking:
            snapshot, at = self._do(_Capture(self._writer))
            self._newest = position = int(snapshot.kept.position)
            if self._do(_Step(lambda tx: store.begin(tx.connection, position))):
                self._write(snapshot, at)
            return position

    def _write(self, snapshot: Snapshot, at: UnixMs) -> None:
        octets, position, bodies = form.encoded(snapshot), int(snapshot.kept.position), list[bytes]()
        for ordinal, body in enumerate(form.chunks(octets)):
            row = {"partition": WHOLE, "position": position, "ordinal": ordinal, "body": [body]}
            self._do(_Step(lambda tx, row=row: tx.add(tables.snapshot_chunks, row)))  # type: ignore[misc]
            bodies.append(body)
        digest = form.digest(bodies)
        whole = SnapshotRow(position, snapshot.block, at, len(octets), len(bodies), digest)
        self._do(_Step(lambda tx: store.finish(tx.connection, whole)))

    def _do(self, unit: Unit) -> Any:
        while True:
            try:
                return self._writer.submit(unit).result()
            except Overloaded:
                time.sleep(_OVERLOADED_SECONDS)

    def _take_quietly(self) -> None:
        try:
            position = self.take()
        except LedgerError as error:
            _log.warning("no snapshot was taken", reason=str(error))
        else:
            _log.info("snapshot taken", position=position)

    def join(self) -> None:
        """Wait for the one that is being taken; it ends early where the writer has stopped."""
        if self._thread is not None:
            self._thread.join()


def write_now(connection: Connection, snapshot: Snapshot, at: UnixMs) -> None:
    """Write a snapshot within one transaction, of a ledger that nothing is posted to any more."""
    position = int(snapshot.kept.position)
    if not store.begin(connection, position):
        return
    octets = form.encoded(snapshot)
    bodies = list(form.chunks(octets))
    for ordinal, body in enumerate(bodies):
        store.put_chunk(connection, position, ordinal, body)
    digest = form.digest(bodies)
    store.finish(connection, SnapshotRow(position, snapshot.block, at, len(octets), len(bodies), digest))
