"""The chip's side of authentication and secure messaging, and the Transaction MAC Input of a session."""

from __future__ import annotations

from typing import TYPE_CHECKING

from card import ev2
from card.apdu import Status
from card.errors import SessionBroken
from card.ev2 import CommMode
from card.virtual.refusal import Refusal
from keys.cmac import BLOCK

if TYPE_CHECKING:
    from keys.softkey import SoftKey


class Handshake:
    """Between the two halves of an authentication."""

    __slots__ = ("_key", "_rnd_b", "first", "key_no")

    def __init__(self, key: SoftKey, key_no: int, rnd_b: bytes, *, first: bool) -> None:
        self._key = key
        self._rnd_b = rnd_b
        self.key_no = key_no
        self.first = first

    def challenge(self) -> bytes:
        """E(K, RndB)."""
        return self._key.encrypt(self._rnd_b, ev2.ZERO_IV)

    def finish(self, answer: bytes, ti: bytes, counter: int) -> tuple[ev2.Channel, bytes]:
        """The session, and E(K, [TI] || RndA' || [capabilities]); refuses a terminal that lacks the key."""
        if len(answer) != 2 * BLOCK:
            raise Refusal(Status.LENGTH_ERROR)
        plain = self._key.decrypt(answer, ev2.ZERO_IV)
        rnd_a, rotated_b = plain[:BLOCK], plain[BLOCK:]
        if not ev2.same(rotated_b, ev2.rotated(self._rnd_b)):
            raise Refusal(Status.AUTHENTICATION_ERROR)
        channel = ev2.Channel(ev2.session_keys(self._key, rnd_a, self._rnd_b), ti, counter)
        proof = ev2.rotated(rnd_a)
        if self.first:
            proof = ti + proof + 2 * ev2.CAPABILITIES
        return channel, self._key.encrypt(proof, ev2.ZERO_IV)


class Session:
    """An authenticated session: the key used, the channel, what the next commit will sign."""

    __slots__ = ("channel", "key_no", "reader", "tmi")

    def __init__(self, key_no: int, channel: ev2.Channel) -> None:
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
    if session is None or mode is CommMode.PLAIN:
        return _halves(data, header)
    payload, mac = data[: -ev2.MAC_BYTES], data[-ev2.MAC_BYTES :]
    if len(data) < ev2.MAC_BYTES or not ev2.same(mac, session.channel.command_mac(ins, payload)):
        raise Refusal(Status.INTEGRITY_ERROR)
    head, body = _halves(payload, header)
    if mode is CommMode.FULL and body:
        try:
            body = session.channel.decrypt(body, session.channel.command_iv())
        except SessionBroken:
            raise Refusal(Status.INTEGRITY_ERROR) from None
    return head, body


def _halves(data: bytes, header: int) -> tuple[bytes, bytes]:
    if len(data) < header:
        raise Refusal(Status.LENGTH_ERROR)
    return data[:header], data[header:]


def answered(session: Session | None, data: bytes, mode: CommMode) -> bytes:
    """An answer's data as it travels; counts the command."""
    if session is None:
        return data
    channel = session.channel
    channel.advance()
    if mode is CommMode.PLAIN:
        return data
    body = channel.encrypt(data, channel.response_iv()) if mode is CommMode.FULL and data else data
    return body + channel.response_mac(Status.OK, body)
