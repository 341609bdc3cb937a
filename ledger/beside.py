"""What is stored beside the chain, and must be what the chain says: closed windows and snapshots, each met at its own place."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ledger import journal
from ledger.errors import DatabaseDamaged
from ledger.kept import compare_kept
from ledger.snapshots import store
from ledger.windows import closing_document

if TYPE_CHECKING:
    from collections.abc import Sequence

    from keys.clock import Day
    from ledger.chain.store import Window
    from ledger.engine import Engine
    from ledger.journal import Block
    from ledger.store import Connection


class ClosedWindows:
    """Stored windows, the oldest first. Each must be what the document says by which a block closed it."""

    def __init__(self, stored: Sequence[Window]) -> None:
        self._stored = stored
        self._closed: Day | None = None
        self.met = 0

    @property
    def all_met(self) -> bool:
        """True where the chain has closed every one that is stored."""
        return self.met == len(self._stored)

    def is_closed(self, day: Day) -> bool:
        """True where the chain so far has closed a business date."""
        return self._closed is not None and day <= self._closed

    def meet(self, block: Block, bodies: Sequence[bytes], before: Block | None) -> None:
        """Take note where a block closes a window; raises DatabaseDamaged where that is not the next one stored."""
        if block.rows or len(bodies) != 1 or not bodies[0].startswith(b'{"close":'):
            return
        window = None if self.all_met else self._stored[self.met]
        last, head = (before.last_position, before.digest) if before else (0, journal.GENESIS)
        if (
            window is None
            or closing_document(window.business_date, window.last_position, window.head) != bodies[0]
            or (window.last_position, window.head, window.closed_at) != (last, head, block.received_at)
        ):
            raise DatabaseDamaged(
                f"the window that block {block.block} closed is not what was written: restore from backup"
            )
        self._closed = window.business_date
        self.met += 1


class StoredSnapshots:
    """Stored snapshots, the oldest first. Each must be what the journal gives where it was taken: right after its block."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._stored = store.stored(connection)[::-1]
        self._met = 0

    @property
    def newest(self) -> int | None:
        """The position of the newest; None where there is none."""
        return self._stored[-1].position if self._stored else None

    def meet(self, before: Block | None, engine: Engine) -> None:
        """Compare those that were taken right after a block, with an engine that stands there; raises DatabaseDamaged."""
        block, head = (before.block, before.digest) if before else (0, journal.GENESIS)
        while self._met < len(self._stored):
            row = self._stored[self._met]
            if row.block != block:
                return
            snapshot = store.load(self._connection, row)
            if snapshot.head != head or row.position != engine.next_position - 1:
                raise DatabaseDamaged(
                    f"the snapshot as of position {row.position} is not of block {block}: restore from backup"
                )
            compare_kept(snapshot.kept, engine.keep())
            self._met += 1

    def finish(self) -> None:
        """Raise DatabaseDamaged where one is of a place that the chain never came to."""
        if self._met < len(self._stored):
            row = self._stored[self._met]
            raise DatabaseDamaged(
                f"a snapshot is as of position {row.position} and block {row.block}, which are not there: restore from backup"
            )
