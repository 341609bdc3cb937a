"""How the chip says no."""

from __future__ import annotations


class Refusal(Exception):
    """Ends a command with a status; the chip's session ends with it."""

    def __init__(self, status: int) -> None:
        super().__init__(status)
        self.status = status
