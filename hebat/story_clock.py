"""The demo's clock: it stands still until the story moves on."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from keys.clock import UnixMs


class StoryClock:
    """A clock that a script sets; it never runs backwards."""

    def __init__(self, at: UnixMs) -> None:
        self._at = at

    def now(self) -> UnixMs:
        """Milliseconds since 1970-01-01T00:00Z."""
        return self._at

    def move_to(self, at: UnixMs) -> None:
        """Move on to a moment; an earlier one changes nothing."""
        self._at = max(self._at, at)
