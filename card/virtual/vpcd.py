"""A virtual card in a slot of vsmartcard's virtual reader, so that pcscd and every PC/SC program see it.

The driver listens; the card is its client. Every message has its length in front (2 bytes, big-endian); a message of one byte out of four is
the reader's own business, everything else is a command APDU (virtualsmartcard, src/vpcd/vpcd.h).
"""

from __future__ import annotations

import contextlib
import functools
import operator
import socket
import threading
from typing import TYPE_CHECKING, Final, Self

from card.errors import CardLost

if TYPE_CHECKING:
    from card.transport import Transport

PORT: Final = 35963
"""Of the first slot; the second has the next one."""
_ATS: Final = bytes.fromhex("067577810280")
_ATS_HEAD: Final = 5
"""TL, T0, TA(1), TB(1), TC(1): historical bytes follow."""
_OFF: Final = b"\x00"
_ON: Final = b"\x01"
_RESET: Final = b"\x02"
_ATR: Final = b"\x04"
_LENGTH_BYTES: Final = 2
_CONNECT_S: Final = 1.0
_RETRY_S: Final = 0.02
_JOIN_S: Final = 5.0


def atr(ats: bytes) -> bytes:
    """What a reader states for an ISO/IEC 14443-4 card with this answer to select (PC/SC part 3, section 3.1.3.2.3.1)."""
    told = ats[_ATS_HEAD:]
    body = bytes((0x80 | len(told), 0x80, 0x01)) + told
    return b"\x3b" + body + bytes((functools.reduce(operator.xor, body),))


class VpcdSlot:
    """A slot of the virtual reader and the card that belongs into it.

    `card` is a Transport; where it has a `leave_field()`, that is called whenever the reader takes its power away. A CardLost from the card means that it
    was pulled out: its answer never comes, and it is out until `insert()`.
    """

    def __init__(self, card: Transport, port: int = PORT, host: str = "127.0.0.1") -> None:
        self.card = card
        self.port = port
        self._address = (host, port)
        self._stay: _Stay | None = None

    @property
    def inserted(self) -> bool:
        """Whether the card is in the slot (pcscd need not run)."""
        return self._stay is not None and not self._stay.over.is_set()

    def insert(self) -> None:
        """Put the card into the slot; nothing happens where it is in. It stays there when pcscd goes and comes back."""
        if self.inserted:
            return
        self.remove()
        self._stay = _Stay(self.card, self._address)
        self._stay.start()

    def remove(self) -> None:
        """Pull the card out; nothing happens where it is out."""
        stay, self._stay = self._stay, None
        if stay is not None:
            stay.end()

    def __enter__(self) -> Self:
        self.insert()
        return self

    def __exit__(self, *_: object) -> None:
        self.remove()


class _Stay(threading.Thread):
    """One insertion: from `insert()` to `remove()` or a tear."""

    def __init__(self, card: Transport, address: tuple[str, int]) -> None:
        super().__init__(name=f"vpcd {address[1]}", daemon=True)
        self.over = threading.Event()
        self._card = card
        self._address = address
        self._line: socket.socket | None = None
        self._lock = threading.Lock()

    def run(self) -> None:
        """Serve the driver, and its successor when pcscd was started anew."""
        while not self.over.is_set():
            try:
                self._attend()
            except OSError:
                self.over.wait(_RETRY_S)

    def end(self) -> None:
        """Pull the card out and wait until the thread has seen it."""
        with self._lock:
            self.over.set()
            if self._line is not None:
                with contextlib.suppress(OSError):
                    self._line.shutdown(socket.SHUT_RDWR)
        self.join(_JOIN_S)

    def _attend(self) -> None:
        with socket.create_connection(self._address, _CONNECT_S) as line:
            line.settimeout(None)
            line.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            with self._lock:
                self._line = line
            try:
                while not self.over.is_set():
                    self._answer(line, _receive(line))
            finally:
                with self._lock:
                    self._line = None
                self._power_lost()

    def _answer(self, line: socket.socket, message: bytes) -> None:
        if message == _ATR:
            _send(line, atr(getattr(self._card, "ats", _ATS)))
        elif message in {_OFF, _RESET}:
            self._power_lost()
        elif message != _ON:
            self._exchange(line, message)

    def _exchange(self, line: socket.socket, apdu: bytes) -> None:
        try:
            answer = self._card.transmit(apdu)
        except CardLost:
            self.over.set()
            return
        _send(line, answer)

    def _power_lost(self) -> None:
        leave = getattr(self._card, "leave_field", None)
        if leave is not None:
            leave()


def _send(line: socket.socket, message: bytes) -> None:
    line.sendall(len(message).to_bytes(_LENGTH_BYTES, "big") + message)


def _receive(line: socket.socket) -> bytes:
    """One message; ConnectionError where the driver has gone."""
    return _exactly(line, int.from_bytes(_exactly(line, _LENGTH_BYTES), "big"))


def _exactly(line: socket.socket, size: int) -> bytes:
    """`size` bytes. The driver sends lengths and contents apart: without an acknowledgement at once each would wait 40 ms for the other."""
    received = bytearray()
    while len(received) < size:
        line.setsockopt(socket.IPPROTO_TCP, socket.TCP_QUICKACK, 1)
        chunk = line.recv(size - len(received))
        if not chunk:
            raise ConnectionResetError("the reader's driver has gone")
        received += chunk
    return bytes(received)
