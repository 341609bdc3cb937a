"""Business dates: which one is open, and closing one for ever (law 9)."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import timedelta
from typing import TYPE_CHECKING, Final

from keys.clock import Day, UnixMs, date_of, day_of, local
from ledger.chain import store
from ledger.chain.store import Window
from ledger.errors import WindowClosed, WindowNotBegun

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ledger.transfer import Transfer
    from ledger.writer import Posted, Transaction

CUT_OFF: Final = timedelta(hours=23)
"""When a business date ends, city time, where nobody decided otherwise; what is received later belongs to the next one."""
CutOff = timedelta | Callable[[Day], timedelta]
"""The time of day at which business dates end: the same every day, or told for each."""


class Windows:
    """Which business dates are closed; the next one is open."""

    def __init__(self, closed: Sequence[Window], cut_off: CutOff) -> None:
        self._last = closed[-1].business_date if closed else None
        self._cut_off = cut_off

    def open_at(self, at: UnixMs) -> Day:
        """The business date of what is received at a moment: by the cut-off, and never a closed one."""
        wall = local(at)
        day = day_of(wall.date())
        ends = self._cut_off if isinstance(self._cut_off, timedelta) else self._cut_off(day)
        passed = timedelta(hours=wall.hour, minutes=wall.minute, seconds=wall.second)
        by_clock = day if passed < ends else Day(day + 1)
        return by_clock if self._last is None else Day(max(by_clock, self._last + 1))

    @property
    def last_closed(self) -> Day | None:
        """The newest closed business date."""
        return self._last

    def closed(self, day: Day) -> None:
        """Take note that a business date is closed for good."""
        self._last = day


def closing_document(day: Day, last_position: int, head: bytes) -> bytes:
    """The bytes by which the chain covers a closing: canonical JSON (sorted keys, no spaces)."""
    said = {"close": date_of(day).isoformat(), "last_position": last_position, "head": head.hex()}
    return json.dumps(said, sort_keys=True, separators=(",", ":")).encode()


class CloseWindow:
    """A unit that closes a business date, and all before it that are open still.

    The writer gives it a block of its own, so that `head` is the digest of the last block that the window holds.
    """

    alone = True

    def __init__(self, day: Day) -> None:
        self.day = day
        self._window: Window | None = None
        self.document = b""

    def plan(self, tx: Transaction) -> Sequence[Transfer]:
        """Nothing to transfer; raises WindowClosed or WindowNotBegun where this date cannot be closed."""
        done = {window.business_date: window for window in store.read_windows(tx.reading)}
        self._window = done.get(self.day)
        if self._window is None and done and self.day < max(done):
            raise WindowClosed(
                f"business date {date_of(self.day)} was never open: {date_of(max(done))} is closed"
            )
        if self._window is None and self.day > tx.business_date:
            raise WindowNotBegun(
                f"business date {date_of(self.day)} lies ahead: {date_of(tx.business_date)} is open"
            )
        return ()

    def settle(self, _posted: Sequence[Posted], tx: Transaction) -> Window:
        """The window, closed now or, with the same answer, before."""
        if self._window is not None:
            return self._window
        window = Window(self.day, tx.received_at, tx.next_position - 1, tx.head)
        store.insert_window(tx.connection, window)
        self.document = closing_document(window.business_date, window.last_position, window.head)
        return window
