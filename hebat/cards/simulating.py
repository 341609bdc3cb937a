"""A virtual card in the virtual reader of vsmartcard-vpcd, so that every program for cards can be tried without one."""

from __future__ import annotations

import secrets
import signal
import socket
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

import cbor2

from card.layout import AID
from card.virtual import Generation, VirtualCard
from card.virtual.vpcd import VpcdSlot
from hebat.errors import InputRefused
from keys.filevault import write_atomically

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

_NXP: Final = 0x04
"""First byte of a UID: the manufacturer (ISO/IEC 7816-6)."""
_PROBE_SECONDS: Final = 1.0


class Kept:
    """A virtual card whose memory is in a file as soon as it has changed, as a chip's is in its silicon."""

    def __init__(self, chip: VirtualCard, path: Path | None) -> None:
        self._chip = chip
        self._path = path
        self._saved = b""
        self._keep()

    @property
    def uid(self) -> bytes:
        """The chip's."""
        return self._chip.uid

    def transmit(self, apdu: bytes) -> bytes:
        """Let the chip answer; what it changed is on the disk before anybody sees the answer."""
        answer = self._chip.transmit(apdu)
        self._keep()
        return answer

    def leave_field(self) -> None:
        """The reader took its power away."""
        self._chip.leave_field()

    def _keep(self) -> None:
        if self._path is None:
            return
        now = self._chip.save()
        if now != self._saved:
            write_atomically(self._path, now)  # readable by its owner alone
            self._saved = now


def chip_from(start: Path | None, save: Path | None, generation: str = "EV3") -> VirtualCard:
    """The card of a file, or a blank one of a generation; raises InputRefused where the file holds none."""
    if start is None:
        start = save if save is not None and save.exists() else None
    if start is None:
        return VirtualCard(bytes((_NXP,)) + secrets.token_bytes(6), generation=Generation[generation])
    try:
        return VirtualCard.load(start.read_bytes())
    except OSError as error:
        raise InputRefused(f"{start} cannot be read: {error.strerror}") from None
    except (ValueError, TypeError, LookupError, cbor2.CBORDecodeError):
        raise InputRefused(f"{start} holds no virtual card: name a file that --save wrote") from None


def simulate(chip: VirtualCard, port: int, save: Path | None, say: Callable[[str], None]) -> None:
    """Keep a card in the reader until Ctrl-C or SIGTERM; raises InputRefused where no virtual reader listens."""
    _require_reader(port)
    with until_stopped() as stop, VpcdSlot(_kept(chip, save), port):
        kind = "card of a city" if AID in chip.applications else "blank card"
        say(f"A virtual {kind}, UID {chip.uid.hex(' ').upper()}, lies in the reader. Ctrl-C takes it out.")
        if save is not None:
            say(f"It is kept in {save}: whoever has that file has the card and its keys.")
        stop.wait()


def _kept(chip: VirtualCard, save: Path | None) -> Kept:
    try:
        return Kept(chip, save)
    except OSError as error:
        raise InputRefused(f"{save} cannot be written: {error.strerror}") from None


def _require_reader(port: int) -> None:
    try:
        socket.create_connection(("127.0.0.1", port), _PROBE_SECONDS).close()
    except OSError:
        raise InputRefused(
            f"no virtual reader listens at port {port}: install vsmartcard-vpcd, and start pcscd"
        ) from None


@contextmanager
def until_stopped() -> Iterator[threading.Event]:
    """An event that Ctrl-C or the system's request to end sets; afterwards both are what they were before."""
    stop = threading.Event()
    before = {one: signal.signal(one, lambda *_: stop.set()) for one in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield stop
    finally:
        for one, handler in before.items():
            signal.signal(one, handler)
