"""Holds that run out: found by a heap, given back by a transfer of the ledger's own, so that the journal says so.

Whether a hold is over is decided where it is applied, by the ledger's clock that stands in each row (`received_at`): a capture that
is applied first wins, one that comes later is refused, and a replay decides the same.
"""

from __future__ import annotations

import heapq
import threading
from typing import TYPE_CHECKING, Final, NamedTuple

import numpy as np
import structlog

from keys.clock import UnixMs, service_day
from keys.money import Sen
from ledger import cells, places
from ledger.chart import AccountId
from ledger.errors import LedgerError, LedgerStopped
from ledger.transfer import Flag, Kind, Transfer

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    import numpy.typing as npt

    from keys.clock import Clock
    from ledger.writer import Posted, Transaction, Writer

    Integers = npt.NDArray[np.int64]
    Rows = npt.NDArray[np.void]

GIVEN_BACK_MAX: Final = 4096
"""Holds that one unit gives back; more wait for the next."""
LOOK_SECONDS: Final = 0.25
"""How often the clock is looked at: a hold goes back at most about this long after its time."""

_log = structlog.get_logger("ledger.expiry")


class Hold(NamedTuple):
    """A hold that is pending still."""

    position: int
    debit: AccountId
    credit: AccountId
    amount: Sen
    expires_at: UnixMs


class Expiries:
    """Moments and positions of holds that run out, the earliest first. One thread changes it, any may ask for `next_at`."""

    def __init__(self) -> None:
        self._heap: list[tuple[int, int]] = []

    @property
    def next_at(self) -> UnixMs | None:
        """The earliest moment, of a hold that may have been resolved since."""
        heap = self._heap
        return UnixMs(heap[0][0]) if heap else None

    def add(self, rows: Rows, positions: Integers) -> None:
        """Take note of the holds among rows (ROW) that were posted at these positions (0: not posted)."""
        new = np.flatnonzero((rows["flags"] & int(Flag.PENDING) != 0) & (rows["hold"] > 0) & (positions > 0))
        for one in zip(rows["hold"][new].tolist(), positions[new].tolist(), strict=True):
            heapq.heappush(self._heap, one)

    def restore(self, holds: Integers) -> None:
        """Begin with these rows of holds, and no others."""
        open_ = holds[(holds[:, cells.STATE] == cells.HOLD_PENDING) & (holds[:, cells.EXPIRES_AT] > 0)]
        columns = (open_[:, cells.EXPIRES_AT].tolist(), open_[:, places.KEY].tolist())
        self._heap = sorted(zip(*columns, strict=True))

    def due(self, now: UnixMs, count: int, hold_at: Callable[[int], Integers | None]) -> list[Hold]:
        """At most so many pending holds whose time is over; they stay until somebody resolved them."""
        found: list[Hold] = []
        while self._heap and self._heap[0][0] <= now and len(found) < count:
            expires_at, position = heapq.heappop(self._heap)
            row = hold_at(position)
            if row is not None and row[cells.STATE] == cells.HOLD_PENDING:
                debit, credit, amount = row[cells.HELD_DEBIT : cells.HELD_AMOUNT + 1].tolist()
                found.append(
                    Hold(position, AccountId(debit), AccountId(credit), Sen(amount), UnixMs(expires_at))
                )
        for hold in found:
            heapq.heappush(self._heap, (hold.expires_at, hold.position))
        return found


class GiveBack:
    """A unit that gives back holds whose time is over."""

    document = b""

    def plan(self, tx: Transaction) -> Sequence[Transfer]:
        """A void for each that is pending still, at this place among the units."""
        return [_void(hold) for hold in tx.due(GIVEN_BACK_MAX)]

    def settle(self, posted: Sequence[Posted], _tx: Transaction) -> int:
        """How many went back."""
        return len(posted)


def _void(hold: Hold) -> Transfer:
    at = hold.expires_at
    return Transfer(
        hold.debit,
        hold.credit,
        hold.amount,
        Kind.EXPIRY,
        at,
        service_day(at),
        Flag.VOID_PENDING,
        hold.position,
    )


class Sweeper:
    """A thread that asks the writer to give back what is over, soon after it is."""

    def __init__(self, writer: Writer, clock: Clock, next_expiry: Callable[[], UnixMs | None]) -> None:
        self._writer = writer
        self._clock = clock
        self._next_expiry = next_expiry
        self._closing = threading.Event()
        self._thread = threading.Thread(target=self._run, name="ledger-expiry", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Stop looking; what is over then is given back after the next start."""
        self._closing.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._closing.wait(LOOK_SECONDS):
            at = self._next_expiry()
            if at is None or at > self._clock.now():
                continue
            try:
                count = self._writer.submit(GiveBack()).result()
            except LedgerStopped:
                return
            except LedgerError as error:
                _log.warning("holds are over and not given back yet", error=str(error))
            else:
                _log.info("holds given back", count=count)
