"""Asks after what is open at banks while a server runs: with growing pauses, one payment at a time, beside the night and whoever presses a button."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Final, Self

import structlog

from keys.clock import UnixMs
from ledger.errors import LedgerError
from settlement.banks.wire import ANSWER_SECONDS
from settlement.errors import SettlementError

if TYPE_CHECKING:
    from collections.abc import Callable

    from keys.clock import Clock
    from settlement.banks.desk import PaymentDesk
    from settlement.banks.payment import Record

FIRST_MS: Final = round(1.5 * ANSWER_SECONDS) * 1000
"""How long a payment rests before it is asked after: whoever sent it has its answer by then, or none."""
MOST_MS: Final = 15 * 60_000
"""The longest pause; each is twice the one before."""
LOOK_SECONDS: Final = 2.0
END_SECONDS_MAX: Final = 15.0
_log = structlog.get_logger("banks")


class Asking:
    """Looks after open payments, and calls `also` once in each longest pause. A context manager: while it lasts, a thread looks.

    It keeps nothing: after a start each payment is as it stands in the books.
    """

    def __init__(
        self, desk: PaymentDesk, clock: Clock, also: Callable[[], object] = lambda: None, first_ms: int = FIRST_MS
    ) -> None:  # fmt: skip
        self._desk = desk
        self._clock = clock
        self._also = also
        self._first_ms = first_ms
        self._next: dict[str, tuple[UnixMs, int]] = {}
        self._also_at = clock.now()
        self._closing = threading.Event()
        self._thread = threading.Thread(target=self._run, name="bank-asking", daemon=True)

    def look(self) -> int:
        """Ask after the payments whose pause is over; how many those were."""
        now, open_ = self._clock.now(), self._desk.open_payments()
        self._next = {one.payment.reference: self._plan(one) for one in open_}
        due = [name for name, (at, _) in self._next.items() if at <= now]
        for name in due:
            if self._closing.is_set():
                break
            self._asked(lambda name=name: self._desk.advance(name))  # type: ignore[misc]
            pause = self._next[name][1]
            self._next[name] = (UnixMs(self._clock.now() + pause), min(2 * pause, MOST_MS))
        if now >= self._also_at and not self._closing.is_set():
            self._also_at = UnixMs(now + MOST_MS)
            self._asked(self._also)
        return len(due)

    def _plan(self, one: Record) -> tuple[UnixMs, int]:
        """When a payment is asked after next, and the pause behind that."""
        return self._next.get(
            one.payment.reference, (UnixMs(one.changed_at + self._first_ms), 2 * self._first_ms)
        )

    @staticmethod
    def _asked(ask: Callable[[], object]) -> None:
        try:
            ask()
        except (SettlementError, LedgerError) as error:
            _log.warning("not asked after", reason=str(error))

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        """Ask no more. A call that is out is waited for a little; without its answer the payment is asked after at the next start."""
        self._closing.set()
        self._thread.join(END_SECONDS_MAX)

    def _run(self) -> None:
        while not self._closing.wait(min(LOOK_SECONDS, self._first_ms / 1000)):
            try:
                self.look()
            except LedgerError as error:
                _log.warning("open payments not looked at", reason=str(error))
