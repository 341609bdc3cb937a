"""The port to a card: two members, whatever lies behind (a PC/SC reader, or a virtual card in this process)."""

from __future__ import annotations

from typing import Protocol


class Transport(Protocol):
    """A card in a field."""

    @property
    def uid(self) -> bytes:
        """The seven bytes that anticollision gave (ISO/IEC 14443-3)."""

    def transmit(self, apdu: bytes) -> bytes:
        """Send a command APDU, return data and the two status bytes.

        Raises CardLost where the card left the field; `acted` says whether it may have acted.
        """
