"""When to send: what is ready goes up by count or by age, and a ledger that does not answer is asked ever more seldom."""

from __future__ import annotations

import random
import sqlite3
import threading
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

import structlog

from keys.clock import UnixMs
from keys.errors import KeysError
from terminals.batches import BATCH_RECORDS
from terminals.errors import Offline, TerminalError

if TYPE_CHECKING:
    from collections.abc import Callable

    from terminals.terminal import Terminal
    from terminals.upload import Uploaded

AGE_MS: Final = 60_000
"""How long a lone record waits for company."""
LOOK_MS: Final = 5 * 60_000
"""How often a terminal with nothing to send asks for news."""
BACK_OFF_MS: Final = 5_000
BACK_OFF_MS_MAX: Final = 10 * 60_000
TICK_SECONDS: Final = 0.5
_TROUBLES: Final = (TerminalError, KeysError, sqlite3.Error, OSError)
"""The line, the keys, the disk: whatever it is, the next try comes."""
NEVER: Final = UnixMs(0)
_log = structlog.get_logger("terminals.pump")


@dataclass(frozen=True, slots=True)
class Line:
    """How the line to the ledger stands; moments in milliseconds since 1970, 0 for never. `trouble` is a sentence, or empty."""

    up_at: UnixMs = NEVER
    next_try_at: UnixMs = NEVER
    failures: int = 0
    refused: bool = False
    trouble: str = ""


def back_off_ms(failures: int, dice: Callable[[], float] = random.random) -> int:
    """How long to wait after so many failures in a row: doubled each time, up to ten minutes, and spread over its upper half.

    Without the spread, all buses that lost the same network would come back in the same second.
    """
    most = min(BACK_OFF_MS_MAX, BACK_OFF_MS << min(failures - 1, 16))
    return int(most * (0.5 + dice() / 2))


def is_due(line: Line, ready: int, oldest_at: UnixMs, at: UnixMs) -> bool:
    """True where it is time to speak to the ledger: enough is ready, something has waited long enough, or news is due."""
    if at < line.next_try_at:
        return False
    enough = ready >= BATCH_RECORDS
    old = ready > 0 and at - oldest_at >= AGE_MS
    return enough or old or line.failures > 0 or at - line.up_at >= LOOK_MS


class Pump:
    """A thread that sends; it never raises, and what it last met is there to be shown."""

    def __init__(self, terminal: Terminal, now: Callable[[], UnixMs]) -> None:
        self._terminal = terminal
        self._now = now
        self._stopping = threading.Event()
        self._sending = threading.Lock()
        self._thread = threading.Thread(target=self._run, name="terminal-pump", daemon=True)
        self.line = Line()

    def start(self) -> None:
        """Begin to send."""
        self._thread.start()

    def close(self) -> None:
        """Finish what is under way, and stop."""
        self._stopping.set()
        if self._thread.ident is not None:
            self._thread.join()

    def _run(self) -> None:
        while not self._stopping.wait(TICK_SECONDS):
            try:
                self.step()
            except _TROUBLES as error:  # the disk, most likely: it goes on once there is room
                self._failed(error)

    def step(self) -> Uploaded | None:
        """Send, if it is time; what was sent."""
        at, standing = self._now(), self._terminal.standing
        if not is_due(self.line, self._terminal.outbox.ready(), standing.oldest_at, at):
            return None
        return self.send()

    def send(self, *, ending: bool = False) -> Uploaded | None:
        """Send now, whatever the time; at the end of a shift, torn cards too, since they will not come back."""
        with self._sending:
            return self._sent(ending=ending)

    def _sent(self, *, ending: bool) -> Uploaded | None:
        try:
            sent = self._terminal.close_shift() if ending else self._terminal.upload()
        except _TROUBLES as error:
            self._failed(error)
            return None
        self.line = Line(up_at=self._now())
        return sent

    def _failed(self, error: Exception) -> None:
        failures = self.line.failures + 1
        _log.warning("not sent", failures=failures, reason=str(error))
        self.line = replace(
            self.line, failures=failures, refused=not isinstance(error, Offline), trouble=str(error),
            next_try_at=UnixMs(self._now() + back_off_ms(failures)),
        )  # fmt: skip
