"""Whether the ledger can take work now: tried, not assumed.

An empty unit goes through the writer as any other does. It comes back only where the database answers and the writer lives, and the
time that it took is the lag that an order would see.
"""

from __future__ import annotations

import shutil
import threading
import time
from concurrent.futures import TimeoutError as TooLate
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from ledger.errors import LedgerError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from ledger.book import Ledger
    from ledger.transaction import Posted, Transaction
    from ledger.transfer import Transfer

LAG_SECONDS_MAX: Final = 2.0
DISK_BYTES_MIN: Final = 256 << 20
KEPT_SECONDS: Final = 1.0
"""How long an answer stands, so that nobody can load the ledger by asking."""


@dataclass(frozen=True, slots=True)
class Ready:
    """What was found: names of what fails (none where the ledger can work), and the lag in seconds."""

    failing: tuple[str, ...]
    lag: float


@dataclass(slots=True)
class _Nothing:
    """A unit that moves nothing and writes nothing."""

    document: bytes = field(default=b"", init=False)

    def plan(self, _tx: Transaction) -> Sequence[Transfer]:
        return ()

    def settle(self, _posted: Sequence[Posted], _tx: Transaction) -> None:
        return None


class Readiness:
    """Looks, and remembers the answer for a second. Safe to use from several threads."""

    def __init__(
        self, ledger: Ledger, folder: Path | None, ticks: Callable[[], float] = time.monotonic
    ) -> None:
        self._ledger = ledger
        self._folder = folder
        self._ticks = ticks
        self._looking = threading.Lock()
        self._found = Ready((), 0.0)
        self._found_at = float("-inf")

    def look(self) -> Ready:
        """Database, writer, lag and room on the disk."""
        with self._looking:
            if self._ticks() - self._found_at > KEPT_SECONDS:
                self._found = self._look()
                self._found_at = self._ticks()
            return self._found

    def _look(self) -> Ready:
        began = self._ticks()
        failing = [*self._writer(), *self._database(), *self._disk()]
        return Ready(tuple(failing), self._ticks() - began)

    def _writer(self) -> list[str]:
        try:
            self._ledger.writer.submit(_Nothing()).result(LAG_SECONDS_MAX)
        except TooLate:
            return ["lag"]
        except LedgerError:
            return ["writer"]
        return []

    def _database(self) -> list[str]:
        try:
            with self._ledger.database.transaction():
                return []
        except LedgerError:
            return ["database"]

    def _disk(self) -> list[str]:
        if self._folder is None:
            return []
        try:
            free = shutil.disk_usage(self._folder).free
        except OSError:
            return ["disk"]
        return ["disk"] if free < DISK_BYTES_MIN else []
