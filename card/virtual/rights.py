"""Who may use a file and how its data travels then; and what of it the Transaction MAC signs."""

from __future__ import annotations

from typing import TYPE_CHECKING

from card.apdu import Status
from card.channel import CommMode
from card.virtual.refusal import Refusal
from card.virtual.session import opened

if TYPE_CHECKING:
    from card.commands import FileSettings
    from card.virtual.chip import VirtualCard
    from card.virtual.files import ChipFile

WRITES = ("write", "read_write")
READS = ("read", "read_write")
VALUE_USES = ("read", "write", "read_write")
BOTH = ("read_write",)


def mode_for(card: VirtualCard, settings: FileSettings, *rights: str) -> CommMode:
    """The mode that a command on a file travels in; refuses a key without the right.

    Where the right is everybody's and not the key's own, data travels plain (data sheet, free access).
    """
    key = card.session.key_no if card.session else None
    if settings.key_allows(key, *rights):
        return settings.mode
    if settings.allows(key, *rights):
        return CommMode.PLAIN
    raise Refusal(Status.PERMISSION_DENIED if card.session else Status.AUTHENTICATION_ERROR)


def asking(mode: CommMode) -> CommMode:
    """How a command without data travels, whose answer travels in a mode."""
    return CommMode.PLAIN if mode is CommMode.PLAIN else CommMode.MAC


def sign(card: VirtualCard, entry: bytes) -> None:
    """Add to what the next commit signs."""
    if card.session is not None and card.application.tmac is not None:
        card.session.tmi += entry


def place(header: bytes) -> tuple[int, int, int]:
    """File number and the two three-byte numbers behind it."""
    return header[0], int.from_bytes(header[1:4], "little"), int.from_bytes(header[4:7], "little")


def number(payload: bytes) -> int:
    """The file number that a command starts with."""
    if not payload:
        raise Refusal(Status.LENGTH_ERROR)
    return payload[0]


def written(ins: int, card: VirtualCard, payload: bytes) -> tuple[ChipFile, int, bytes, CommMode]:
    """File, offset, data and mode of a command that writes: file, offset, length, data; refuses data of another length."""
    file = card.application.file(number(payload))
    mode = mode_for(card, file.settings, *WRITES)
    header, data = opened(card.session, ins, payload, mode, 7)
    _, offset, length = place(header)
    if not data or len(data) != length:
        raise Refusal(Status.LENGTH_ERROR)
    return file, offset, data, mode
