"""The one writer: whatever arrived while the last commit ran is the next block (group commit).

Two threads work at once. One prepares a group: it asks units for their plans, moves the balances, chains the block and lays its
rows out for the database. The other writes and commits the group before. A unit's answer is given only after the commit that
makes it durable (DESIGN law 4), a refusal too: it may rest on what another unit did. Readers see balances of committed groups only.

A commit that fails stops the writer: its engine may be ahead of the journal, and only a restart, which rebuilds from the journal,
may go on.
"""

from __future__ import annotations

import queue
import threading
from collections import deque
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from keys.clock import UnixMs
from ledger import group as limits
from ledger import journal, store
from ledger.errors import LeaseLost, LedgerStopped, Overloaded, StorageError
from ledger.group import Group, Waiting
from ledger.rows.store import JournalRows
from ledger.transaction import Posted, PostedRows, Transaction, Unit
from ledger.transfer import ROW
from ledger.windows import CUT_OFF, CloseWindow, Windows

if TYPE_CHECKING:
    from collections.abc import Callable

    from keys.clock import Clock
    from ledger.engine import Engine
    from ledger.journal import Block
    from ledger.store import Connection, Database

__all__ = ["CUT_OFF", "Posted", "PostedRows", "Transaction", "Unit", "Windows", "Writer"]

QUEUE_MAX: Final = 4096
"""Units that may wait."""
HANDED_OVER_ROWS_MIN: Final = 2_000
"""Rows from which a commit is worth another thread: to prepare fewer takes no longer than to wake one."""


class _Broken(BaseException):
    """The commit before failed: no plan may catch this and go on."""


class Writer:
    """The threads that apply units and commit them in groups."""

    def __init__(
        self, database: Database, engine: Engine, clock: Clock, windows: Windows, before: Block | None
    ) -> None:
        self._database = database
        self._engine = engine
        self._clock = clock
        self._windows = windows
        self.last_block = before
        self._prepared = before  # the newest block that is chained, committed or not yet
        self._received_at = before.received_at if before else UnixMs(0)
        self._queue: queue.Queue[Waiting | None] = queue.Queue(QUEUE_MAX)
        self._backlog: deque[Waiting] = deque()
        self._gate = threading.Lock()
        self._refusing: LedgerStopped | None = None
        self.committed: Callable[[int], None] = lambda _position: None
        """Told of the last position of each commit, by the thread that commits."""
        self._committer = ThreadPoolExecutor(1, "ledger-committer")
        self._under_way: Future[None] | None = None
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
        waiting = Waiting(unit)
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
        self._committer.shutdown()

    def _run(self) -> None:
        going_on = True
        while going_on or self._backlog:
            going_on = going_on and self._collect()
            if self.stopped:
                break
            if not self._backlog:
                continue
            group = Group()
            try:
                self._prepare(group)
                self._pass_on(group)
            except BaseException as error:  # noqa: BLE001  whatever it is, the state after it is unknown: stop
                self._stop(group, error)
        self._wait()
        if self.stopped:
            self._refuse_waiting()

    def _collect(self) -> bool:
        """Take what is waiting, and wait where nothing is; False once the writer is to close."""
        try:
            while len(self._backlog) < limits.GROUP_MAX:
                waiting = self._queue.get(block=not self._backlog)
                if waiting is None:
                    return False
                # A future that is running can no longer be cancelled, so that its answer always has a place to go.
                if waiting.answer.set_running_or_notify_cancel():
                    self._backlog.append(waiting)
        except queue.Empty:
            pass
        return True

    def _prepare(self, group: Group) -> None:
        """Everything of a group but its commit."""
        self._received_at = UnixMs(max(self._received_at, self._clock.now()))
        day = self._windows.open_at(self._received_at)
        if self._is_idle:
            try:
                self._open(group)
            except LeaseLost:
                raise
            except StorageError as error:
                # Nothing was applied yet: a database that is locked or away for a moment costs these units only.
                group.taken.append(self._backlog.popleft())
                group.answers.append(error)
                return
        group.tx = Transaction(
            lambda: self._opened(group), self._engine, self._received_at, day, self._prepared
        )
        self._fill(group, group.tx)
        rows = np.concatenate([*group.rows, np.zeros(0, ROW)]) if len(group.rows) != 1 else group.rows[0]
        if len(rows) or group.bodies:
            group.block = journal.make_block(self._prepared, rows, group.bodies, self._received_at, day)
            self._prepared = group.block
        if len(rows):
            group.ready = JournalRows(rows, copied=not self._database.is_sqlite)
        group.sealed = self._engine.seal()

    def _fill(self, group: Group, tx: Transaction) -> None:
        """Apply waiting units until the group is full; a unit that wants to stand alone does."""
        while self._backlog and not group.is_full:
            alone = getattr(self._backlog[0].unit, "alone", False)
            if alone and group.taken:
                return
            waiting = self._backlog.popleft()
            group.taken.append(waiting)
            group.answers.append(self._apply(waiting.unit, group, tx))
            if alone:
                return

    def _apply(self, unit: Unit, group: Group, tx: Transaction) -> Any:
        """One unit: its answer, or the error that its plan ended in."""
        try:
            rows = tx.planned(unit)
        except LeaseLost:
            raise
        except Exception as error:  # noqa: BLE001  a plan that fails, fails alone
            return error
        applied = self._engine.apply(rows)
        rows["position"] = applied.positions
        posted = PostedRows(rows, applied)
        answer = unit.settle(posted, tx)
        document = unit.document
        group.take(rows if posted.all_posted else rows[applied.positions > 0], document)
        tx.ordinal += bool(document)
        return answer

    @property
    def _is_idle(self) -> bool:
        return self._under_way is None or self._under_way.done()

    def _wait(self) -> None:
        """Until the commit under way has ended, well or not."""
        if self._under_way is not None:
            self._under_way.result()
            self._under_way = None

    def _opened(self, group: Group) -> Connection:
        """The group's database transaction, begun after the commit before: what a plan reads must all be there."""
        return group.connection or self._open(group)

    def _open(self, group: Group) -> Connection:
        self._wait()
        if self.stopped:
            raise _Broken
        group.connection = group.commit.enter_context(self._database.writing())
        return group.connection

    def _pass_on(self, group: Group) -> None:
        """Have a group committed: by the other thread where that is worth it, in order in any case."""
        self._wait()
        if self.stopped:
            raise _Broken
        closing = isinstance(group.taken[-1].unit, CloseWindow)
        if closing or group.row_count < HANDED_OVER_ROWS_MIN:
            self._commit(group)
        else:
            self._under_way = self._committer.submit(self._commit, group)

    def _commit(self, group: Group) -> None:
        """Write and commit a group, then show readers its balances and give its answers; stops the writer where that fails."""
        try:
            if group.writes:
                self._write(group)
            if group.block is not None:
                self.last_block = group.block
            if group.sealed is not None:
                self._engine.publish(group.sealed)
                self.committed(group.sealed.position)
            last = group.taken[-1].unit
            if isinstance(last, CloseWindow) and group.bodies:
                self._windows.closed(last.day)
        except BaseException as error:  # noqa: BLE001  whatever it is, the state after it is unknown: stop
            self._stop(group, error)
        else:
            group.resolve()

    def _write(self, group: Group) -> None:
        with group.commit:
            if group.connection is None:
                group.connection = group.commit.enter_context(self._database.writing())
            if group.tx is not None:
                group.tx.gathered.write(group.connection)
            if group.ready is not None:
                group.ready.write(group.connection)
            if group.block is not None:
                store.insert_block(group.connection, group.block, group.bodies)

    def _stop(self, group: Group, error: BaseException) -> None:
        """Refuse everything from now on, and this group."""
        with self._gate:
            if not self.stopped:
                why = f"a commit failed ({error}): restart the ledger to rebuild it from its journal"
                stopped = LeaseLost(str(error)) if isinstance(error, LeaseLost) else LedgerStopped(why)
                stopped.__cause__ = error
                self._refusing = stopped
            refusing = self._refusing
        group.abandon(error)
        if refusing is not None:
            group.fail(refusing)
        with suppress(queue.Full):  # a full queue keeps nobody asleep
            self._queue.put_nowait(None)

    def _refuse_waiting(self) -> None:
        """What waits gets the reason why the writer stopped."""
        while not self._queue.empty():
            waiting = self._queue.get()
            if waiting is not None and waiting.answer.set_running_or_notify_cancel():
                self._backlog.append(waiting)
        if self._refusing is not None:
            Group(taken=list(self._backlog)).fail(self._refusing)
