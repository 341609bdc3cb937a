"""Authentication on the chip: EV2 First and NonFirst, and the older AES, ISO (triple DES) and D40 ones.

Source: AN12343 table 16 (EV2), AN0945 table 22 (AES), MF3ICD41 and MF3ICD40 data sheets (ISO and D40).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from card import d40, ev1, ev2
from card.apdu import Ins, Status
from card.ev1 import BlockCipher, KeyType
from card.virtual.refusal import Refusal
from card.virtual.session import Session, exact
from keys.cmac import BLOCK

if TYPE_CHECKING:
    from collections.abc import Callable

    from card.virtual.application import KeySlot
    from card.virtual.chip import VirtualCard
    from keys.softkey import SoftKey

_KEY_NO = 0x3F


class Handshake(Protocol):
    """Between the two halves of an authentication."""

    def challenge(self) -> bytes:
        """The chip's random number, encrypted."""

    def finish(self, card: VirtualCard, answer: bytes) -> bytes:
        """Check the terminal's answer, open the session, and give the chip's proof; refuses a terminal without the key."""


class Ev2Handshake:
    """AuthenticateEV2First, or NonFirst: another key within the session's transaction."""

    __slots__ = ("_first", "_key", "_key_no", "_rnd_b")

    def __init__(self, key: SoftKey, key_no: int, rnd_b: bytes, *, first: bool) -> None:
        self._key = key
        self._key_no = key_no
        self._rnd_b = rnd_b
        self._first = first

    def challenge(self) -> bytes:
        """E(K, RndB)."""
        return self._key.encrypt(self._rnd_b, ev2.ZERO_IV)

    def finish(self, card: VirtualCard, answer: bytes) -> bytes:
        """E(K, [TI] || RndA' || [capabilities])."""
        plain = self._key.decrypt(exact(answer, 2 * BLOCK), ev2.ZERO_IV)
        rnd_a, rotated_b = plain[:BLOCK], plain[BLOCK:]
        if not ev2.same(rotated_b, ev2.rotated(self._rnd_b)):
            raise Refusal(Status.AUTHENTICATION_ERROR)
        keys = ev2.session_keys(self._key, rnd_a, self._rnd_b)
        if self._first:
            ti = card.rng(ev2.TI_BYTES)
            card.session = Session(self._key_no, ev2.Channel(keys, ti))
            return self._key.encrypt(ti + ev2.rotated(rnd_a) + 2 * ev2.CAPABILITIES, ev2.ZERO_IV)
        before = card.session
        if before is None or not isinstance(before.channel, ev2.Channel):
            raise Refusal(Status.PERMISSION_DENIED)
        before.channel = ev2.Channel(keys, before.channel.ti, before.channel.counter)
        before.key_no = self._key_no
        return self._key.encrypt(ev2.rotated(rnd_a), ev2.ZERO_IV)


class OlderHandshake:
    """AuthenticateAES and AuthenticateISO, whose IV is chained, and AuthenticateLegacy, whose terminal only decrypts."""

    __slots__ = ("_cipher", "_iv", "_key_no", "_legacy", "_rnd_b", "_slot")

    def __init__(self, slot: KeySlot, key_no: int, rnd_b: bytes, *, legacy: bool) -> None:
        self._slot = slot
        self._key_no = key_no
        self._rnd_b = rnd_b
        self._legacy = legacy
        self._cipher = BlockCipher(slot.value, slot.kind)
        self._iv = bytes(self._cipher.block)

    def challenge(self) -> bytes:
        """E(K, RndB)."""
        sealed = self._cipher.encrypt(self._rnd_b, self._iv)
        self._iv = self._iv if self._legacy else sealed[-self._cipher.block :]
        return sealed

    def finish(self, card: VirtualCard, answer: bytes) -> bytes:
        """E(K, RndA')."""
        size = len(self._rnd_b)
        plain = self._opened(exact(answer, 2 * size))
        rnd_a, rotated_b = plain[:size], plain[size:]
        if not ev2.same(rotated_b, ev2.rotated(self._rnd_b)):
            raise Refusal(Status.AUTHENTICATION_ERROR)
        last = bytes(self._cipher.block) if self._legacy else answer[-self._cipher.block :]
        card.session = Session(self._key_no, self._channel(rnd_a))
        return self._cipher.encrypt(ev2.rotated(rnd_a), last)

    def _opened(self, answer: bytes) -> bytes:
        return d40.received(self._cipher, answer) if self._legacy else self._cipher.decrypt(answer, self._iv)

    def _channel(self, rnd_a: bytes) -> ev1.Channel | d40.Channel:
        kind, value = self._slot.kind, self._slot.value
        single = kind is KeyType.DES and value[:8] == value[8:]
        key = ev1.session_key(rnd_a, self._rnd_b, kind, single=single)
        return d40.Channel(key) if self._legacy else ev1.Channel(key, kind)


def ev2_first(card: VirtualCard, payload: bytes) -> bytes:
    """Key number, length of capabilities, capabilities: answers E(K, RndB)."""
    if len(payload) < 2 or len(payload) != 2 + payload[1] or payload[1] > len(ev2.CAPABILITIES):  # noqa: PLR2004
        raise Refusal(Status.LENGTH_ERROR)
    card.end_session()
    return _ev2(card, payload[0], first=True)


def ev2_non_first(card: VirtualCard, payload: bytes) -> bytes:
    """Key number: another key within the session's transaction."""
    exact(payload, 1)
    if card.session is None or not isinstance(card.session.channel, ev2.Channel):
        raise Refusal(Status.PERMISSION_DENIED)
    return _ev2(card, payload[0], first=False)


def _ev2(card: VirtualCard, key_no: int, *, first: bool) -> bytes:
    key = card.application.key(key_no & _KEY_NO).key()
    handshake = Ev2Handshake(key, key_no & _KEY_NO, card.rng(BLOCK), first=first)
    card.handshake = handshake
    return handshake.challenge()


def _older(card: VirtualCard, payload: bytes, kinds: tuple[KeyType, ...], *, legacy: bool = False) -> bytes:
    key_no = exact(payload, 1)[0] & _KEY_NO
    card.end_session()
    slot = card.application.key(key_no)
    if slot.kind not in kinds:
        raise Refusal(Status.AUTHENTICATION_ERROR)
    handshake = OlderHandshake(slot, key_no, card.rng(8 if legacy else slot.kind.nonce), legacy=legacy)
    card.handshake = handshake
    return handshake.challenge()


def aes(card: VirtualCard, payload: bytes) -> bytes:
    """AuthenticateAES: key number."""
    return _older(card, payload, (KeyType.AES,))


def iso(card: VirtualCard, payload: bytes) -> bytes:
    """AuthenticateISO: key number, of a DES or triple DES key."""
    return _older(card, payload, (KeyType.DES, KeyType.TDES3))


def legacy(card: VirtualCard, payload: bytes) -> bytes:
    """AuthenticateLegacy (D40): key number, of a DES key."""
    return _older(card, payload, (KeyType.DES,), legacy=True)


def second_half(card: VirtualCard, payload: bytes) -> bytes:
    """The terminal's answer: the chip's proof, and the session is open."""
    handshake, card.handshake = card.handshake, None
    if handshake is None:
        raise Refusal(Status.COMMAND_ABORTED)
    return handshake.finish(card, payload)


COMMANDS: dict[int, Callable[[VirtualCard, bytes], bytes]] = {
    Ins.AUTHENTICATE_EV2_FIRST: ev2_first,
    Ins.AUTHENTICATE_EV2_NON_FIRST: ev2_non_first,
    Ins.AUTHENTICATE_AES: aes,
    Ins.AUTHENTICATE_ISO: iso,
    Ins.AUTHENTICATE_LEGACY: legacy,
}
