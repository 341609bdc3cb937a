"""The one writer: whatever arrived while the last commit ran is the next block (group commit).

A unit's answer is given only after the commit that makes it durable (DESIGN law 4), a refusal too: it may rest on what another
unit of the same commit did. A commit that fails stops the writer: its engine may be ahead of the journal, and only a restart,
which rebuilds from the journal, may go on.
"""

from __future__ import annotations

import queue
import threading
from collections import deque
from concurrent.futures import Future
from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from keys.clock import UnixMs
from ledger import journal, store
from ledger.errors import LeaseLost, LedgerStopped, Overloaded, StorageError
from ledger.transaction import Posted, PostedRows, Transaction, Unit
from ledger.transfer import ROW
from ledger.windows import CUT_OFF, CloseWindow, Windows

if TYPE_CHECKING:
    import numpy.typing as npt

    from keys.clock import Clock, Day
    from ledger.engine import Engine
    from ledger.journal import Block
    from ledger.store import Connection, Database

    Rows = npt.NDArray[np.void]

__all__ = ["CUT_OFF", "Posted", "PostedRows", "Transaction", "Unit", "Windows", "Writer"]

QUEUE_MAX: Final = 4096
"""Units that may wait."""
GROUP_MAX: Final = 256
"""Units that one commit takes."""
GROUP_ROWS_MAX: Final = 50_000
"""Rows after which a commit takes no further unit."""
GROUP_BYTES_MAX: Final = 32 * 1024 * 1024
"""Bytes of documents after which a commit takes no further unit."""


@dataclass(slots=True)
class _Waiting:
    unit: Unit
    answer: Future[Any] = field(default_factory=Future)


@dataclass(slots=True)
class _Group:
    """What one commit takes: units, their answers or errors, rows and documents."""

    taken: list[_Waiting] = field(default_factory=list)
    answers: list[Any] = field(default_factory=list)
    rows: list[Rows] = field(default_factory=list)
    bodies: list[bytes] = field(default_factory=list)

    @property
    def is_full(self) -> bool:
        return (
            len(self.taken) >= GROUP_MAX
            or sum(map(len, self.rows)) >= GROUP_ROWS_MAX
            or sum(map(len, self.bodies)) >= GROUP_BYTES_MAX
        )

    def resolve(self) -> None:
        for waiting, answer in zip(self.taken, self.answers, strict=True):
            if isinstance(answer, BaseException):
                waiting.answer.set_exception(answer)
            else:
                waiting.answer.set_result(answer)

    def fail(self, error: BaseException) -> None:
        self.answers = [error] * len(self.taken)
        self.resolve()


class Writer:
    """The thread that applies units and commits them in groups."""

    def __init__(
        self, database: Database, engine: Engine, clock: Clock, windows: Windows, before: Block | None
    ) -> None:
        self._database = database
        self._engine = engine
        self._clock = clock
        self._windows = windows
        self.last_block = before
        self._received_at = before.received_at if before else UnixMs(0)
        self._queue: queue.Queue[_Waiting | None] = queue.Queue(QUEUE_MAX)
        self._backlog: deque[_Waiting] = deque()
        self._gate = threading.Lock()
        self._refusing: LedgerStopped | None = None
        self._thread = threading.Thread(target=self._run, name="ledger-writer", daemon=True)
        self._thread.start()

    @property
    def stopped(self) -> bool:
        """True after a failed commit: the balances of this process may be ahead of the journal."""
        return self._refusing is not None and self._refusing.__cause__ is not None

    def submit(self, unit: Unit) -> Future[Any]:
        """Queue a unit; its future resolves after the commit.

        Raises Overloaded where the queue is full, LedgerStopped where the writer has stopped.
        """
        waiting = _Waiting(unit)
        with self._gate:
            if self._refusing is not None:
                raise self._refusing
            try:
                self._queue.put_nowait(waiting)
            except queue.Full:
                raise Overloaded(f"{QUEUE_MAX} units are waiting: come back in a second") from None
        return waiting.answer

    def close(self) -> None:
        """Finish what was accepted, then stop."""
        with self._gate:
            first = self._refusing is None
            if first:
                self._refusing = LedgerStopped("the ledger is shutting down: try again after its restart")
        if first:
            self._queue.put(None)
        self._thread.join()

    def _run(self) -> None:
        going_on = True
        while going_on or self._backlog:
            going_on = going_on and self._collect()
            if not self._backlog:
                continue
            group = _Group()
            try:
                self._write(group)
            except BaseException as error:  # noqa: BLE001  whatever it is, the state after it is unknown: stop
                self._stop(group, error)
                return
            group.resolve()

    def _collect(self) -> bool:
        """Take what is waiting, and wait where nothing is; False once the writer is to close."""
        try:
            while len(self._backlog) < GROUP_MAX:
                waiting = self._queue.get(block=not self._backlog)
                if waiting is None:
                    return False
                # A future that is running can no longer be cancelled, so that its answer always has a place to go.
                if waiting.answer.set_running_or_notify_cancel():
                    self._backlog.append(waiting)
        except queue.Empty:
            pass
        return True

    def _stop(self, group: _Group, error: BaseException) -> None:
        why = f"a commit failed ({error}): restart the ledger to rebuild it from its journal"
        stopped = LeaseLost(str(error)) if isinstance(error, LeaseLost) else LedgerStopped(why)
        stopped.__cause__ = error
        with self._gate:
            self._refusing = stopped
        while not self._queue.empty():
            waiting = self._queue.get()
            if waiting is not None and waiting.answer.set_running_or_notify_cancel():
                self._backlog.append(waiting)
        group.taken += self._backlog
        group.fail(stopped)

    def _write(self, group: _Group) -> None:
        self._received_at = UnixMs(max(self._received_at, self._clock.now()))
        with ExitStack() as commit:
            try:
                connection = commit.enter_context(self._database.writing())
            except LeaseLost:
                raise
            except StorageError as error:
                # Nothing was applied yet: a database that is locked or away for a moment costs these units only.
                group.taken.append(self._backlog.popleft())
                group.answers.append(error)
                return
            day = self._windows.open_at(self._received_at)
            tx = Transaction(lambda: connection, self._engine, self._received_at, day, self.last_block)
            self._fill(group, tx)
            tx.gathered.write(connection)
            block = self._append(connection, group, day)
        self.last_block = block
        self._engine.publish()
        last = group.taken[-1].unit
        if isinstance(last, CloseWindow) and group.bodies:
            self._windows.closed(last.day)

    def _fill(self, group: _Group, tx: Transaction) -> None:
        """Apply waiting units until the group is full; a window closes in a block of its own."""
        while self._backlog and not group.is_full:
            closing = isinstance(self._backlog[0].unit, CloseWindow)
            if closing and group.taken:
                return
            waiting = self._backlog.popleft()
            group.taken.append(waiting)
            group.answers.append(self._apply(waiting.unit, group, tx))
            if closing:
                return

    def _apply(self, unit: Unit, group: _Group, tx: Transaction) -> Any:
        """One unit: its answer, or the error that its plan ended in."""
        try:
            rows = tx.planned(unit)
        except Exception as error:  # noqa: BLE001  a plan that fails, fails alone
            return error
        applied = self._engine.apply(rows)
        rows["position"] = applied.positions
        posted = PostedRows(rows, applied)
        answer = unit.settle(posted, tx)
        group.rows.append(rows if posted.all_posted else rows[applied.positions > 0])
        if unit.document:
            group.bodies.append(unit.document)
            tx.ordinal += 1
        return answer

    def _append(self, connection: Connection, group: _Group, day: Day) -> Block | None:
        rows = np.concatenate([*group.rows, np.zeros(0, ROW)])
        if not len(rows) and not group.bodies:
            return self.last_block
        block = journal.make_block(self.last_block, rows, group.bodies, self._received_at, day)
        if len(rows):
            store.insert_rows(connection, rows)
        store.insert_block(connection, block, group.bodies)
        return block
