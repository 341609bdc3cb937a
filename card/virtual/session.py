"""The chip's side of secure messaging, and the Transaction MAC Input of a session."""

from __future__ import annotations

from typing import TYPE_CHECKING

from card.apdu import Status
from card.channel import CommMode
from card.errors import SessionBroken
from card.virtual.refusal import Refusal

if TYPE_CHECKING:
    from card.channel import Channel


class Session:
    """An authenticated session: the key used, the channel, what the next commit will sign."""

    __slots__ = ("channel", "key_no", "reader", "tmi")

    def __init__(self, key_no: int, channel: Channel) -> None:
        self.key_no = key_no
        self.channel = channel
        self.tmi = bytearray()
        self.reader: bytes | None = None

    def forget(self) -> None:
        """Start the next transaction's input afresh."""
        self.tmi.clear()
        self.reader = None


def opened(
    session: Session | None, ins: int, data: bytes, mode: CommMode, header: int
) -> tuple[bytes, bytes]:
    """Header and plain body of a command; checks the MAC and decrypts as the mode asks."""
    try:
        if session is not None:
            return session.channel.opened_command(ins, data, mode, header)
    except SessionBroken:
        raise Refusal(Status.INTEGRITY_ERROR) from None
    except ValueError:
        raise Refusal(Status.LENGTH_ERROR) from None
    if len(data) < header:
        raise Refusal(Status.LENGTH_ERROR)
    return data[:header], data[header:]


def bare(session: Session | None, ins: int, data: bytes) -> None:
    """Check a command that has neither header nor body."""
    exact(opened(session, ins, data, CommMode.MAC, 0)[1], 0)


def exact(body: bytes, *sizes: int) -> bytes:
    """The body where it has one of these sizes."""
    if len(body) not in sizes:
        raise Refusal(Status.LENGTH_ERROR)
    return body


def answered(session: Session | None, data: bytes, mode: CommMode = CommMode.MAC) -> bytes:
    """An answer's data as it travels; counts the command."""
    if session is None:
        return data
    try:
        return session.channel.answer(data, mode)
    except SessionBroken:
        raise Refusal(Status.PERMISSION_DENIED) from None
