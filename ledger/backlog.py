"""Units that wait for the writer, and whether more may come.

Any thread brings units, and may call the preparing thread for something else; that one alone collects what waits.
"""

from __future__ import annotations

import queue
import threading
from collections import deque
from enum import Enum, auto
from typing import TYPE_CHECKING, Final

from ledger import group as limits
from ledger.errors import LedgerStopped, Overloaded
from ledger.group import Waiting

if TYPE_CHECKING:
    from ledger.answer import Answer
    from ledger.errors import DatabaseAway, StorageError
    from ledger.transaction import Unit

QUEUE_MAX: Final = 4096
"""Units that may wait."""


class _Call(Enum):
    """What the preparing thread is called for besides units."""

    CLOSE = auto()
    LOOK = auto()


class Backlog:
    """The units that wait: in the queue, where their senders may take them back, and then collected, in order."""

    def __init__(self) -> None:
        self._queue: queue.SimpleQueue[Waiting | _Call] = queue.SimpleQueue()
        self._gate = threading.Lock()
        self._closing = False
        self.collected: deque[Waiting] = deque()
        """Those that can no longer be taken back, the oldest first."""
        self.away: DatabaseAway | None = None
        """Why nobody is let in for now."""
        self.refusing: LedgerStopped | None = None
        """Why nobody is let in any more: its cause is the fault that stopped the writer; none where it was closed."""

    @property
    def is_stopped(self) -> bool:
        """True where a fault stopped the writer."""
        return self.refusing is not None and self.refusing.__cause__ is not None

    @property
    def is_over(self) -> bool:
        """True where it was closed, and everything in it was collected and done."""
        return self._closing and not self.collected

    def coming(self) -> int:
        """How many are in the queue, about."""
        return self._queue.qsize()

    def put(self, unit: Unit) -> Answer:
        """Queue a unit; raises Overloaded where the queue is full, or why nobody is let in."""
        waiting = Waiting(unit)
        with self._gate:
            if self.refusing is not None:
                raise self.refusing
            if self.away is not None:
                raise self.away
            if self._queue.qsize() >= QUEUE_MAX:
                raise Overloaded(f"{QUEUE_MAX} units are waiting: come back in a second")
            self._queue.put(waiting)
        return waiting.answer

    def look(self) -> None:
        """Call the preparing thread, whatever it waits for."""
        self._queue.put(_Call.LOOK)

    def close(self) -> None:
        """Let nobody in any more; what was let in is done still."""
        with self._gate:
            first = self.refusing is None
            if first:
                self.refusing = LedgerStopped("the ledger is shutting down: try again after its restart")
        if first:
            self._queue.put(_Call.CLOSE)

    def stop(self, why: LedgerStopped) -> None:
        """Let nobody in any more, for a fault."""
        with self._gate:
            self.refusing = why

    def keep_out(self, why: DatabaseAway | None) -> None:
        """Let nobody in for this reason; everybody again where there is none."""
        with self._gate:
            self.away = why

    def collect(self) -> bool:
        """Take the units in the queue, and wait for the first where none is here; False where somebody called, or closed it before."""
        if self._closing:
            return False
        try:
            while len(self.collected) < limits.GROUP_MAX:
                waiting = self._queue.get(block=not self.collected)
                if isinstance(waiting, _Call):
                    self._closing = waiting is _Call.CLOSE
                    return False
                self._take(waiting)
        except queue.Empty:
            pass
        return True

    def _take(self, waiting: Waiting) -> None:
        # What is taken can no longer be taken back, so that each answer has a place to go.
        if waiting.answer.take():
            self.collected.append(waiting)

    def refuse(self, why: StorageError) -> None:
        """Everything that waits gets the reason why it is not done."""
        while not self._queue.empty():
            waiting = self._queue.get()
            if isinstance(waiting, _Call):
                self._closing = self._closing or waiting is _Call.CLOSE
            else:
                self._take(waiting)
        for waiting in self.collected:
            waiting.answer.fail(why)
        self.collected.clear()
