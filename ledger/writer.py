"""The one writer: whatever arrived while the last commit ran is the next block (group commit).

A unit's answer is given only after the commit that makes it durable (DESIGN law 4). A commit that fails stops the writer: its engine may be ahead of the
journal, and only a restart, which rebuilds from the journal, may go on.
"""

from __future__ import annotations

import queue
import threading
from concurrent.futures import Future
from dataclasses import dataclass, field
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final, Protocol

import numpy as np

from keys.clock import Clock, Day, UnixMs, day_of, local
from ledger import journal, store
from ledger.errors import LedgerError, LedgerStopped, Overloaded
from ledger.transfer import ROW, Result, Transfer

if TYPE_CHECKING:
    from collections.abc import Sequence

    import sqlalchemy as sa

    from ledger.chart import AccountId
    from ledger.engine import Balance, Engine
    from ledger.store import Block, Database, Window

QUEUE_MAX: Final = 4096
GROUP_MAX: Final = 256
CUT_OFF: Final = timedelta(hours=23)
"""When a business date ends, city time; what is received later belongs to the next one."""


@dataclass(frozen=True, slots=True)
class Posted:
    """What became of a transfer, and its position in the journal (0 where it was not posted)."""

    result: Result
    position: int


class Transaction:
    """What a unit sees while it is written: the open database transaction, the time, live balances."""

    def __init__(
        self, connection: sa.Connection, engine: Engine, received_at: UnixMs, windows: Windows
    ) -> None:
        self.connection = connection
        self.received_at = received_at
        self.block = 0
        self.ordinal = 0
        self._engine = engine
        self._windows = windows

    @property
    def business_date(self) -> Day:
        """The open business date."""
        return self._windows.open_at(self.received_at)

    @property
    def next_position(self) -> int:
        """The position that the next posted transfer gets."""
        return self._engine.next_position

    def balance(self, account: AccountId) -> Balance:
        """An account's balance, earlier units of the same commit included."""
        return self._engine.balance(account)

    def pending(self, hold: int) -> bool:
        """True where the hold at a position is neither posted nor voided."""
        return self._engine.pending(hold)

    def close_window(self, day: Day, head: bytes) -> Window:
        """Close a business date and all before it; raises WindowClosed where it is closed or has not begun."""
        window = store.Window(day, self.received_at, self._engine.next_position - 1, head)
        self._windows.close(window)
        store.insert_window(self.connection, window)
        return window


class Unit(Protocol):
    """Something that is written whole or not at all."""

    @property
    def document(self) -> bytes:
        """Bytes that the block's digest covers besides the rows, such as a signed batch; b"" for none."""

    def plan(self, tx: Transaction) -> Sequence[Transfer]:
        """The transfers to apply. Only reads; an error here fails this unit alone."""

    def settle(self, posted: Sequence[Posted], tx: Transaction) -> Any:
        """Write the unit's own rows in the same database transaction; what it gives is the answer."""


class Windows:
    """Which business dates are closed; the next one is open."""

    def __init__(self, closed: Sequence[Window], cut_off: timedelta) -> None:
        self._last = closed[-1].business_date if closed else None
        self._cut_off = cut_off

    def open_at(self, at: UnixMs) -> Day:
        """The business date of what is received at a moment: by the cut-off, and never a closed one."""
        by_clock = day_of((local(at) + timedelta(days=1) - self._cut_off).date())
        return by_clock if self._last is None else Day(max(by_clock, self._last + 1))

    @property
    def last_closed(self) -> Day | None:
        """The newest closed business date."""
        return self._last

    def close(self, window: Window) -> None:
        """Mark as closed."""
        self._last = window.business_date


@dataclass(slots=True)
class _Waiting:
    unit: Unit
    answer: Future[Any] = field(default_factory=Future)


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
        self._stopped: LedgerStopped | None = None
        self._closing = threading.Lock()
        self._closed = False
        self._thread = threading.Thread(target=self._run, name="ledger-writer", daemon=True)
        self._thread.start()

    def submit(self, unit: Unit) -> Future[Any]:
        """Queue a unit; its future resolves after the commit.

        Raises Overloaded where the queue is full, LedgerStopped where the writer has stopped.
        """
        waiting = _Waiting(unit)
        with self._closing:
            if self._stopped is not None or self._closed:
                raise self._stopped or LedgerStopped(
                    "the ledger is shutting down: try again after its restart"
                )
            try:
                self._queue.put_nowait(waiting)
            except queue.Full:
                raise Overloaded(f"{QUEUE_MAX} units are waiting: come back in a second") from None
        return waiting.answer

    def close(self) -> None:
        """Finish what was accepted, then stop."""
        with self._closing:
            if self._closed:
                return
            self._closed = True
        self._queue.put(None)
        self._thread.join()

    def _run(self) -> None:
        while (first := self._queue.get()) is not None:
            group = [first]
            last = False
            while len(group) < GROUP_MAX and not last:
                try:
                    more = self._queue.get_nowait()
                except queue.Empty:
                    break
                last = more is None
                if more is not None:
                    group.append(more)
            self._write(group)
            if last:
                break

    def _write(self, group: list[_Waiting]) -> None:
        if self._stopped is not None:
            for waiting in group:
                waiting.answer.set_exception(self._stopped)
            return
        try:
            answers = self._commit(group)
        except Exception as error:  # noqa: BLE001  whatever it is, the state after it is unknown: stop
            self._stopped = LedgerStopped(
                f"a commit failed ({error}); restart the ledger to rebuild from its journal"
            )
            self._stopped.__cause__ = error
            for waiting in group:
                if not waiting.answer.done():
                    waiting.answer.set_exception(self._stopped)
            return
        for waiting, answer in answers:
            waiting.answer.set_result(answer)

    def _commit(self, group: list[_Waiting]) -> list[tuple[_Waiting, Any]]:
        self._received_at = UnixMs(max(self._received_at, self._clock.now()))
        answers: list[tuple[_Waiting, Any]] = []
        with self._database.transaction() as connection:
            tx = Transaction(connection, self._engine, self._received_at, self._windows)
            tx.block = self.last_block.block + 1 if self.last_block else 1
            rows, bodies = [], []
            day = tx.business_date
            for waiting in group:
                written = self._apply(waiting, tx, day)
                if written is None:
                    continue
                block_rows, answer = written
                rows.append(block_rows)
                if waiting.unit.document:
                    bodies.append(waiting.unit.document)
                    tx.ordinal += 1
                answers.append((waiting, answer))
            block = self._append(connection, np.concatenate(rows) if rows else np.zeros(0, ROW), bodies, day)
        self.last_block = block
        return answers

    def _apply(self, waiting: _Waiting, tx: Transaction, day: Day) -> tuple[Any, Any] | None:
        """One unit: its posted rows and its answer; None where its plan failed (and its future says so)."""
        try:
            planned = waiting.unit.plan(tx)
        except LedgerError as error:
            waiting.answer.set_exception(error)
            return None
        rows = journal.rows_of(planned, self._received_at, day)
        results, positions = self._engine.apply(rows)
        rows["position"] = positions
        posted = [
            Posted(Result(result), position)
            for result, position in zip(results.tolist(), positions.tolist(), strict=True)
        ]
        return rows[positions > 0], waiting.unit.settle(posted, tx)

    def _append(self, connection: sa.Connection, rows: Any, bodies: list[bytes], day: Day) -> Block | None:
        if not len(rows) and not bodies:
            return self.last_block
        block = journal.make_block(self.last_block, rows, bodies, self._received_at, day)
        if len(rows):
            store.insert_rows(connection, rows)
        store.insert_block(connection, block, bodies)
        return block
