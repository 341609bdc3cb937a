"""The port to secure messaging: how commands and answers travel in a session, for both ends.

Three implementations: `card/ev2.py` (the city's own), `card/ev1.py` (chips as delivered, older clients) and `card/d40.py` (the oldest).
"""

from __future__ import annotations

from enum import IntEnum
from typing import Protocol


class CommMode(IntEnum):
    """How a file's data travels (data sheet, file settings: communication mode)."""

    PLAIN = 0
    MAC = 1
    FULL = 3


class Channel(Protocol):
    """One secured session. A terminal calls `command` then `opened_answer`; a chip `opened_command` then `answer`."""

    def command(self, ins: int, header: bytes, body: bytes, mode: CommMode) -> bytes:
        """A command's data as it travels: header in the clear, body as the mode asks."""

    def opened_answer(self, data: bytes, mode: CommMode) -> bytes:
        """The plain data of an answer with status OK; raises SessionBroken where it is not the card's."""

    def opened_command(self, ins: int, data: bytes, mode: CommMode, header: int) -> tuple[bytes, bytes]:
        """Header (of so many bytes) and plain body; raises SessionBroken (not the terminal's), ValueError (too short)."""

    def answer(self, data: bytes, mode: CommMode) -> bytes:
        """An answer's data as it travels."""

    def checksum(self, data: bytes) -> bytes:
        """The CRC by which this kind of session checks a new key."""

    def travels(self, size: int, ins: int, mode: CommMode) -> int:
        """Bytes that a body of so many bytes takes on the way to the card."""
