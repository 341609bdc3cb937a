"""Authentication as before EV2: AES in EV1's way, and the DES key that a chip is delivered with.

Source: NXP AN0945 (tables 22 and 32 to 34); MF3ICD41 data sheet, AuthenticateISO. The IV is chained through the handshake.
"""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING, Final, Protocol

from card import ev1, ev2
from card.apdu import Ins
from card.channel import CommMode
from card.client import Session, exchange
from card.errors import SessionBroken
from card.ev1 import BlockCipher, KeyType
from keys.cmac import BLOCK

if TYPE_CHECKING:
    from card.transport import Transport
    from keys.vault import CardKey

_DELIVERED_KEY: Final = bytes(BLOCK)
"""A chip's first key, two DES keys of zeros: known to everybody, hence no secret."""
_DES_BLOCK: Final = 8
_AES_PICC_KEY: Final = b"\x80"


class _Cipher(Protocol):
    def encrypt(self, data: bytes, iv: bytes) -> bytes: ...

    def decrypt(self, data: bytes, iv: bytes) -> bytes: ...


def authenticate_aes(transport: Transport, key_no: int, key: CardKey) -> Session:
    """AuthenticateAES and an EV1 session; raises as `card.client.authenticate`."""
    rnd_a, rnd_b = _proven(transport, Ins.AUTHENTICATE_AES, key_no, key, KeyType.AES)
    return Session(transport, ev1.Channel(ev1.session_key(rnd_a, rnd_b, KeyType.AES)))


def authenticate_delivered(transport: Transport) -> Session:
    """AuthenticateISO under the DES key of a chip as delivered, and an EV1 session; raises as `card.client.authenticate`."""
    cipher = BlockCipher(_DELIVERED_KEY, KeyType.DES)
    rnd_a, rnd_b = _proven(transport, Ins.AUTHENTICATE_ISO, 0, cipher, KeyType.DES)
    return Session(
        transport, ev1.Channel(ev1.session_key(rnd_a, rnd_b, KeyType.DES, single=True), KeyType.DES)
    )


def give_aes_key(session: Session) -> None:
    """Replace a delivered chip's DES key by an AES key of zeros: as public as before, but good for EV2; the session is over."""
    session.send_last(Ins.CHANGE_KEY, _AES_PICC_KEY, CommMode.FULL, bytes(BLOCK) + b"\x00")


def _proven(
    transport: Transport, ins: Ins, key_no: int, cipher: _Cipher, kind: KeyType
) -> tuple[bytes, bytes]:
    """Both random numbers, once the card has proved that it has the key."""
    size, block = kind.nonce, BLOCK if kind is KeyType.AES else _DES_BLOCK
    _, challenge = exchange(transport, ins, bytes((key_no,)))
    if len(challenge) != size:
        raise SessionBroken("the card's challenge has a wrong length; tap again")
    rnd_b = cipher.decrypt(challenge, bytes(block))
    rnd_a = secrets.token_bytes(size)
    token = cipher.encrypt(rnd_a + ev2.rotated(rnd_b), challenge[-block:])
    _, proof = exchange(transport, Ins.ADDITIONAL_FRAME, token)
    if len(proof) != size or not ev2.same(cipher.decrypt(proof, token[-block:]), ev2.rotated(rnd_a)):
        raise SessionBroken("the card does not know its own key: not a genuine card")
    return rnd_a, rnd_b
