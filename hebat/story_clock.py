"""The demo's clock: it stands still until the story moves on; and the same for another process, which reads it from a file."""

from __future__ import annotations

from typing import TYPE_CHECKING

from keys.clock import UnixMs

if TYPE_CHECKING:
    from pathlib import Path


class StoryClock:
    """A clock that a script sets; it never runs backwards."""

    def __init__(self, at: UnixMs) -> None:
        self._at = at

    def now(self) -> UnixMs:
        """Milliseconds since 1970-01-01T00:00Z."""
        return self._at

    def ticks(self) -> float:
        """Seconds of the story: what waits for time waits for the story's, however slow the machine is that tells it."""
        return self._at / 1000

    def move_to(self, at: UnixMs) -> None:
        """Move on to a moment; an earlier one changes nothing."""
        self._at = max(self._at, at)


class FileClock:
    """A clock that stands where a file says: milliseconds since 1970-01-01T00:00Z, written by whoever tells the story."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def now(self) -> UnixMs:
        """What the file says now."""
        return UnixMs(int(self._path.read_text(encoding="ascii")))
