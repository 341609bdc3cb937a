"""Native framing: DESFire's commands without ISO wrapping, for readers and clients that speak it.

A command is its code and data, an answer its status and data (MF3D(H)x3 short data sheet, native command frames).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from card.apdu import SW1, unwrap

if TYPE_CHECKING:
    from card.transport import Transport


class Native:
    """A Transport that speaks native frames to the card behind it; ISO commands and reader commands pass unchanged."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    @property
    def uid(self) -> bytes:
        """The seven bytes that anticollision gave."""
        return self._transport.uid

    def transmit(self, apdu: bytes) -> bytes:
        """Send a wrapped command as a native frame; the answer comes back wrapped. Raises CardLost."""
        command = unwrap(apdu)
        if command is None:
            return self._transport.transmit(apdu)
        ins, data = command
        answer = self._transport.transmit(bytes((ins,)) + data)
        return answer[1:] + bytes((SW1, answer[0])) if answer else b""
