"""What PC/SC says of readers, as values: result codes and what follows from them, reader states, and their changes."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum, IntFlag
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterator


class Code(IntEnum):
    """Results of PC/SC calls (pcsclite.h)."""

    OK = 0
    INVALID_HANDLE = 0x80100003
    INVALID_VALUE = 0x80100011
    UNKNOWN_READER = 0x80100009
    TIMEOUT = 0x8010000A
    SHARING_VIOLATION = 0x8010000B
    NO_SMARTCARD = 0x8010000C
    PROTO_MISMATCH = 0x8010000F
    NOT_TRANSACTED = 0x80100016
    READER_UNAVAILABLE = 0x80100017
    COMM_ERROR = 0x80100013
    NO_SERVICE = 0x8010001D
    SERVICE_STOPPED = 0x8010001E
    NO_READERS = 0x8010002E
    UNRESPONSIVE = 0x80100066
    UNPOWERED = 0x80100067
    RESET = 0x80100068
    REMOVED = 0x80100069
    REFUSED = 0x8010006A


class State(IntFlag):
    """What PC/SC says of a reader; the upper 16 bits count insertions and removals."""

    UNAWARE = 0
    CHANGED = 0x02
    PRESENT = 0x20
    EXCLUSIVE = 0x80
    IN_USE = 0x100


SERVICE_DOWN = frozenset({
    Code.NO_SERVICE, Code.SERVICE_STOPPED, Code.COMM_ERROR, Code.INVALID_HANDLE, Code.REFUSED,
})  # fmt: skip
"""REFUSED is what libpcsclite makes of a connection that pcscd closes: it died just now, or polkit keeps the user out (winscard_msg.c, MessageReceive)."""
READER_GONE = frozenset({Code.UNKNOWN_READER, Code.READER_UNAVAILABLE, Code.NO_READERS})
NO_CARD = frozenset({
    *READER_GONE, Code.NO_SMARTCARD, Code.REMOVED, Code.UNPOWERED, Code.UNRESPONSIVE, Code.NOT_TRANSACTED,
    Code.PROTO_MISMATCH,
})  # fmt: skip
NOT_SENT = frozenset({
    Code.REMOVED, Code.RESET, Code.SHARING_VIOLATION, Code.INVALID_HANDLE, Code.INVALID_VALUE,
    Code.PROTO_MISMATCH, Code.UNKNOWN_READER, Code.READER_UNAVAILABLE,
})  # fmt: skip
"""What pcscd answers before it hands a command to the reader's driver (winscard.c, SCardTransmit). A driver without a card may say NO_SMARTCARD after
it sent, so that is not among them.
"""
_COUNTER_SHIFT: Final = 16
HRESULT_MASK: Final = 0xFFFFFFFF
"""pyscard gives codes signed or not, as the platform has it."""


@dataclass(frozen=True, slots=True)
class Presence:
    """What changed at a reader: a card with its ATR, or None where the card went or the reader came empty.

    `there` is False where the reader itself went.
    """

    reader: str
    atr: bytes | None
    there: bool = True


@dataclass(frozen=True, slots=True)
class Slot:
    """A reader as PC/SC last described it."""

    reader: str
    state: int
    atr: bytes

    @property
    def present(self) -> bool:
        """Whether a card is there."""
        return bool(self.state & State.PRESENT)

    @property
    def busy(self) -> bool:
        """Whether a program has the card."""
        return bool(self.state & (State.IN_USE | State.EXCLUSIVE))

    @property
    def moves(self) -> int:
        """Insertions and removals so far."""
        return self.state >> _COUNTER_SHIFT


class Seen:
    """What was last seen of every reader, and what that makes of the next look."""

    def __init__(self) -> None:
        self._slots: dict[str, Slot] = {}

    def states(self, readers: list[str]) -> dict[str, int]:
        """What to compare with; a reader not seen yet differs from it at once."""
        return {name: self._slots[name].state if name in self._slots else State.UNAWARE for name in readers}

    def note(self, slot: Slot) -> None:
        """Do not tell of a card that was opened already."""
        self._slots[slot.reader] = slot

    def forget(self, reader: str) -> None:
        """Tell of the reader's card again."""
        self._slots.pop(reader, None)

    def only(self, readers: list[str]) -> Iterator[Presence]:
        """The readers that went."""
        for name in [name for name in self._slots if name not in readers]:
            self.forget(name)
            yield Presence(name, None, there=False)

    def now(self, slot: Slot) -> Iterator[Presence]:
        """What is new at a reader; a card that went and came back between two looks is two changes."""
        before = self._slots.get(slot.reader)
        self._slots[slot.reader] = slot
        moved = before is None or before.present != slot.present or before.moves != slot.moves
        if moved and (before.present if before else not slot.present):
            yield Presence(slot.reader, None)
        if moved and slot.present:
            yield Presence(slot.reader, slot.atr)
