"""The one writer: whatever arrived while the last commit ran is the next block (group commit).

Two threads work at once. One prepares a group: it asks units for their plans, moves the balances, chains the block and lays its
rows out for the database. The other writes and commits the group before. A unit's answer is given only after the commit that
makes it durable (law 4), a refusal too: it may rest on what another unit did. Readers see balances of committed groups only.

On PostgreSQL, where one connection is one processor core, two large groups are written at once, each over a connection of its own.
The second sends the rows of its journal only, whose keys are its own, commits once the first has, and is rolled back where that fails.

A commit that fails undoes what was prepared behind it. What became of it is looked up in the database (`ledger.recovery`): it is in
the journal and its answers are given, or it is not and its units may be sent again. Then the writer goes on, with balances as the journal
has them. A failed sync, a lost lease and a damaged journal stop it for good.
"""

from __future__ import annotations

import queue
import threading
import time
from collections import deque
from enum import Enum, auto
from functools import partial
from typing import TYPE_CHECKING, Final

from keys.clock import UnixMs
from ledger import group as limits
from ledger import journal, store
from ledger.abreast import UnderWay
from ledger.errors import (
    DatabaseAway,
    DatabaseBusy,
    LeaseLost,
    LedgerStopped,
    Overloaded,
    StorageError,
)
from ledger.gathering import Gathering
from ledger.group import Group, Waiting
from ledger.recovery import ANSWER_SECONDS_MAX, Behind, Broken, Faults, gone, is_final, unknown
from ledger.rows.store import JournalRows
from ledger.together import apply_alone, apply_together, blind_run
from ledger.transaction import Posted, PostedRows, Transaction, Unit
from ledger.windows import CUT_OFF, CloseWindow, Windows

if TYPE_CHECKING:
    from collections.abc import Callable

    from keys.clock import Clock
    from ledger.answer import Answer
    from ledger.group import Ahead
    from ledger.journal import Block
    from ledger.recovery import Found, Recovery, State
    from ledger.store import Connection, Database

__all__ = ["CUT_OFF", "Posted", "PostedRows", "Transaction", "Unit", "Windows", "Writer"]

QUEUE_MAX: Final = 4096
"""Units that may wait."""
HANDED_OVER_ROWS_MIN: Final = 2_000
"""Rows from which a commit is worth another thread: to prepare fewer takes no longer than to wake one."""


class _Call(Enum):
    """What the preparing thread is called for besides units."""

    CLOSE = auto()
    LOOK = auto()


class Writer:
    """The threads that apply units and commit them in groups."""

    def __init__(self, database: Database, state: State, clock: Clock, recovery: Recovery) -> None:
        self._database = database
        self._clock = clock
        self._recovery = recovery
        before = state.last
        self.engine = state.engine
        self.windows = state.windows
        self.last_block = before
        self.recent: dict[int, Block] = {}
        self.undone: list[Callable[[], None]] = []
        """Told, before anything else is planned, that what units remember of others may not be in the journal."""
        self._broken: list[Broken] = []
        self._away: DatabaseAway | None = None
        self._closing = False
        self._faults = Faults()
        self._alone = 0  # so many units are committed one by one, to find the one that cannot be
        self._prepared = before  # the newest block that is chained, committed or not yet
        self._received_at = before.received_at if before else UnixMs(0)
        self._queue: queue.SimpleQueue[Waiting | _Call] = queue.SimpleQueue()
        self._backlog: deque[Waiting] = deque()
        self._gathering = Gathering()
        self._gate = threading.Lock()
        self._refusing: LedgerStopped | None = None
        self.committed: Callable[[int], None] = lambda _position: None
        """Told of the last position of each commit, by the thread that commits."""
        self._under_way = UnderWay(alone=database.is_sqlite)
        self._thread = threading.Thread(target=self._run, name="ledger-writer", daemon=True)
        self._thread.start()

    @property
    def stopped(self) -> bool:
        """True where this process writes nothing more: its balances may be ahead of the journal."""
        return self._refusing is not None and self._refusing.__cause__ is not None

    def submit(self, unit: Unit) -> Answer:
        """Queue a unit; its answer comes after the commit.

        Raises Overloaded where the queue is full, DatabaseAway where the database takes no writes, LedgerStopped where the writer stopped.
        """
        waiting = Waiting(unit)
        self._faults.check(unit)
        with self._gate:
            if self._refusing is not None:
                raise self._refusing
            if self._away is not None:
                raise self._away
            if self._queue.qsize() >= QUEUE_MAX:
                raise Overloaded(f"{QUEUE_MAX} units are waiting: come back in a second")
            self._queue.put(waiting)
        return waiting.answer

    def close(self) -> None:
        """Finish what was accepted, then stop."""
        with self._gate:
            first = self._refusing is None
            if first:
                self._refusing = LedgerStopped("the ledger is shutting down: try again after its restart")
        if first:
            self._queue.put(_Call.CLOSE)
        self._thread.join()
        self._under_way.close()

    def _run(self) -> None:
        while not self._closing or self._backlog:
            self._collect()
            if self._broken:
                self._recover()
            if self.stopped:
                break
            if not self._backlog:
                continue
            group = Group()
            try:
                self._prepare(group)
                self._pass_on(group)
            except BaseException as error:  # noqa: BLE001  whatever it is, what follows must wait for the truth
                self._break(group, error)
        self._under_way.wait()
        if self._broken:
            self._recover()
        if self._refusing is not None and self.stopped:
            self._refuse_waiting(self._refusing)

    def _collect(self) -> None:
        """Take what is waiting, and wait where nothing is, until somebody calls."""
        if self._closing:
            return
        if self._take_waiting() and self._under_way.is_idle:
            self._gathering.wait(len(self._backlog), self._queue.qsize)
            self._take_waiting()

    def _take_waiting(self) -> bool:
        """Take the units in the queue, and wait for the first where none is here; False where somebody called instead."""
        try:
            while len(self._backlog) < limits.GROUP_MAX:
                waiting = self._queue.get(block=not self._backlog)
                if isinstance(waiting, _Call):
                    self._closing = waiting is _Call.CLOSE
                    return False
                # What is taken can no longer be taken back, so that each answer has a place to go.
                if waiting.answer.take():
                    self._backlog.append(waiting)
        except queue.Empty:
            pass
        return True

    def _prepare(self, group: Group) -> None:
        """Everything of a group but its commit."""
        self._received_at = UnixMs(max(self._received_at, self._clock.now()))
        day = self.windows.open_at(self._received_at)
        if self._under_way.is_idle:
            try:
                self._open(group)
            except DatabaseBusy as error:
                # Nothing was applied yet: a database that is locked for a moment costs these units only.
                group.taken.append(self._backlog.popleft())
                group.answers.append(error)
                return
        group.tx = Transaction(
            lambda: self._opened(group), self.engine, self._received_at, day, self._prepared
        )
        self._fill(group, group.tx)
        rows = journal.concatenated(group.rows)
        if len(rows) or group.bodies:
            group.block = journal.make_block(self._prepared, rows, group.bodies, self._received_at, day)
            self._prepared = group.block
            store.add_block(group.tx.gathered, group.block, group.bodies)
        if len(rows):
            group.ready = JournalRows(rows, copied=not self._database.is_sqlite)
        if not self._database.is_sqlite:
            group.tx.gathered.lay_out()
        group.sealed = self.engine.seal()

    def _fill(self, group: Group, tx: Transaction) -> None:
        """Apply waiting units until the group is full; a unit that wants to stand alone does."""
        while self._backlog and not group.is_full:
            alone = self._alone > 0 or getattr(self._backlog[0].unit, "alone", False)
            if alone and group.taken:
                return
            run, parts = ([], []) if alone else blind_run(self._backlog, group, tx)
            answers = apply_together(run, parts, self.engine, group, tx) if len(run) > 1 else None
            if answers is not None:
                group.taken += run
                group.answers += answers
                continue
            self._backlog.extendleft(reversed(run))
            for _ in run or range(1):
                waiting = self._backlog.popleft()
                group.taken.append(waiting)
                self._alone = max(0, self._alone - 1)
                group.answers.append(apply_alone(waiting, self._database, self.engine, group, tx))
            if alone:
                return

    def _opened(self, group: Group) -> Connection:
        """The group's database transaction, begun after the commit before: what a plan reads must all be there."""
        return group.connection or self._open(group)

    def _open(self, group: Group) -> Connection:
        self._under_way.wait()
        if self._broken:
            raise Behind
        group.connection = group.commit.enter_context(self._database.writing())
        return group.connection

    def _pass_on(self, group: Group) -> None:
        """Have a group committed: by another thread where that is worth it, in order in any case."""
        closing = isinstance(group.taken[-1].unit, CloseWindow)
        if closing:
            self._under_way.wait()
        self._under_way.make_room(group)
        if self._broken:
            raise Behind
        if closing or group.row_count < HANDED_OVER_ROWS_MIN:
            self._commit(group)
        else:
            self._under_way.begin(group, self._commit)

    def _commit(self, group: Group) -> None:
        """Write and commit a group, then show readers its balances and give its answers; stops the writer where that fails."""
        began = self._gathering.ticks()
        try:
            if group.writes:
                self._write(group)
            self._show(group)
        except BaseException as error:  # noqa: BLE001  whatever it is, what follows must wait for the truth
            self._break(group, error)
        else:
            around = len(group.taken) + self._queue.qsize()
            self._gathering.ended(around, self._gathering.ticks() - began)
            group.resolve()

    def _show(self, group: Group) -> None:
        """Readers, and who asks for the last block, see a group that is durable."""
        if group.block is not None:
            self.last_block = self.recent[group.block.block % limits.GROUP_MAX] = group.block
        if group.sealed is not None:
            self.engine.publish(group.sealed)
            self.committed(group.sealed.position)
        group.durable = True
        last = group.taken[-1].unit if group.taken else None
        if isinstance(last, CloseWindow) and group.bodies:
            self.windows.closed(last.day)

    def _write(self, group: Group) -> None:
        with group.commit:
            if group.connection is None:
                group.connection = group.commit.enter_context(self._database.writing())
            if group.before is not None:
                self._write_beside(group, group.before)
            if group.tx is not None:
                copies = None if group.ready is None else group.ready.begin(group.connection)
                group.tx.gathered.write(group.connection, copies)
            group.sent = True

    def _write_beside(self, group: Group, before: Ahead) -> None:
        """Send its journal's rows while the commit before runs, then wait for that.

        Nothing else goes ahead: two transactions that wait for each other's keys, while one waits here for the other, would wait for ever.
        """
        if group.ready is not None and group.connection is not None:
            group.ready.send_ahead(group.connection)
        before.ended.result()
        group.before = None
        if not before.group.durable:
            raise Behind

    def _break(self, group: Group, error: BaseException) -> None:
        """Take note of a group that did not end well; nothing is committed behind it."""
        if len(group.taken) == 1 and not isinstance(error, (StorageError, Behind)):
            group.culprit = group.taken[0]
        self._broken.append(Broken(group, error))
        self._queue.put(_Call.LOOK)

    def _recover(self) -> None:
        """Find out what became of broken groups, answer their units, and go on from where the journal stands."""
        self._under_way.wait()
        broken, self._broken = self._broken, []
        for one in broken:
            one.group.abandon(one.error)
        why = next((one.error for one in broken if not isinstance(one.error, Behind)), broken[0].error)
        if any(one.for_good for one in broken):
            self._stop(broken, why)
            return
        try:
            found = self._found(broken)
        except BaseException as error:  # noqa: BLE001  what cannot be found out here, a restart finds out
            self._stop(broken, error)
            return
        if found.written is not None:
            found.written.resolve()
        self._go_on(broken, why)

    def _found(self, broken: list[Broken]) -> Found:
        """What became of them, with everything in this process as the journal has it."""
        wait = partial(self._wait_on, broken, time.monotonic() + ANSWER_SECONDS_MAX)
        while True:
            found = self._recovery.look(broken, wait)
            try:
                if found.state is not None:
                    self._begin_anew(found.state)
                elif found.written is not None:
                    self._show(found.written)
            except StorageError as error:
                if is_final(error):
                    raise
                wait(error)
            else:
                return found

    def _go_on(self, broken: list[Broken], why: BaseException) -> None:
        with self._gate:
            self._away = None
        for one in broken:
            one.fail(why)
            self._faults.note(one)
            if one.is_a_fault and one.group.culprit is None:
                self._alone = limits.GROUP_MAX

    def _begin_anew(self, state: State) -> None:
        """Take the journal's own state, and have everybody forget what is not in it."""
        self.engine, self.windows, self.last_block = state.engine, state.windows, state.last
        self._prepared = state.last
        for forget in self.undone:
            forget()

    def _wait_on(self, broken: list[Broken], until: float, error: StorageError) -> None:
        """The database is still away: nobody is kept waiting longer than is bearable."""
        if self._away is None and time.monotonic() > until:
            with self._gate:
                self._away = gone(error)
            for one in broken:
                if one.group.sent:
                    one.group.fail(unknown(error))
                else:
                    one.fail(error)
            self._refuse_waiting(self._away)
        if self._refusing is not None:
            raise error

    def _stop(self, broken: list[Broken], error: BaseException) -> None:
        """Refuse everything from now on, and these groups."""
        why = f"a commit failed ({error}): restart the ledger to rebuild it from its journal"
        stopped = LeaseLost(str(error)) if isinstance(error, LeaseLost) else LedgerStopped(why)
        stopped.__cause__ = error
        with self._gate:
            self._refusing = stopped
        for one in broken:
            one.group.fail(stopped)

    def _refuse_waiting(self, why: StorageError) -> None:
        """What waits gets the reason why it is not taken."""
        while not self._queue.empty():
            waiting = self._queue.get()
            if isinstance(waiting, _Call):
                self._closing = self._closing or waiting is _Call.CLOSE
            elif waiting.answer.take():
                self._backlog.append(waiting)
        Group(taken=list(self._backlog)).fail(why)
        self._backlog.clear()
