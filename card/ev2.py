"""EV2 secure messaging: session keys, MACs and encryption, for both ends of the channel. Pure.

Source: NXP AN12343 (tables 16 to 40) and the MF3D(H)x2 data sheet, sections on AuthenticateEV2First and secure messaging.
"""

from __future__ import annotations

import hmac
from dataclasses import dataclass
from typing import TYPE_CHECKING

from cryptography.hazmat.primitives.ciphers import Cipher
from cryptography.hazmat.primitives.ciphers.algorithms import AES
from cryptography.hazmat.primitives.ciphers.modes import CBC, ECB

from card.apdu import Status
from card.channel import CommMode
from card.errors import SessionBroken
from keys.cmac import BLOCK, Cmac
from keys.diversify import xor
from keys.softkey import crc32

if TYPE_CHECKING:
    from keys.vault import CardKey

MAC_BYTES = 8
TI_BYTES = 4
ZERO_IV = bytes(BLOCK)
CAPABILITIES = bytes(6)
_COUNTER_MAX = 0xFFFF


@dataclass(frozen=True, slots=True, repr=False)
class SessionKeys:
    """SesAuthENCKey and SesAuthMACKey, 16 bytes each."""

    enc: bytes
    mac: bytes


def session_keys(key: CardKey, rnd_a: bytes, rnd_b: bytes) -> SessionKeys:
    """Session keys of AuthenticateEV2First: CMAC over SV1 (A55A...) and SV2 (5AA5...)."""
    mixed = rnd_a[0:2] + xor(rnd_a[2:8], rnd_b[0:6]) + rnd_b[6:16] + rnd_a[8:16]
    return SessionKeys(
        enc=key.cmac(b"\xa5\x5a\x00\x01\x00\x80" + mixed),
        mac=key.cmac(b"\x5a\xa5\x00\x01\x00\x80" + mixed),
    )


def rotated(block: bytes) -> bytes:
    """A random number rotated left by one byte, as both sides return it."""
    return block[1:] + block[:1]


def padded(data: bytes) -> bytes:
    """ISO/IEC 9797-1 padding method 2: always at least one byte."""
    return (data + b"\x80").ljust((len(data) // BLOCK + 1) * BLOCK, b"\x00")


def unpadded(data: bytes) -> bytes:
    """Padding method 2 taken away; raises SessionBroken where there is none."""
    plain = data.rstrip(b"\x00")
    if not plain or plain[-1] != 0x80 or len(data) - len(plain) >= BLOCK:  # noqa: PLR2004  the method's marker
        raise SessionBroken("an encrypted field is not padded as it must be; tap again")
    return plain[:-1]


def truncated(mac: bytes) -> bytes:
    """The eight bytes of a CMAC that travel: the odd-numbered ones."""
    return mac[1::2]


class Channel:
    """One secured session, as terminal and card both keep it: identifier, command counter, keys."""

    __slots__ = ("_ecb", "_keys", "_mac", "counter", "ti")

    def __init__(self, keys: SessionKeys, ti: bytes, counter: int = 0) -> None:
        self._keys = keys
        self._mac = Cmac(keys.mac)
        self._ecb = Cipher(AES(keys.enc), ECB()).encryptor()  # noqa: S305  one block: the IV, as AN12343 has it
        self.ti = ti
        self.counter = counter

    @property
    def enc_key(self) -> bytes:
        """SesAuthENCKey, for a vault that seals a key for this session's card."""
        return self._keys.enc

    def advance(self) -> None:
        """Count a command that the card has answered."""
        self.counter += 1

    @property
    def exhausted(self) -> bool:
        """True where the counter may not grow: authenticate again."""
        return self.counter >= _COUNTER_MAX

    def command_mac(self, ins: int, data: bytes) -> bytes:
        """MAC of a command: over code, counter, TI, header and data (as they travel)."""
        return truncated(self._mac(bytes((ins,)) + self.counter.to_bytes(2, "little") + self.ti + data))

    def response_mac(self, status: int, data: bytes) -> bytes:
        """MAC of an answer, computed with the counter as it stands after the command."""
        return truncated(self._mac(bytes((status,)) + self.counter.to_bytes(2, "little") + self.ti + data))

    def command_iv(self) -> bytes:
        """IV of a command's encrypted data."""
        return self._iv(b"\xa5\x5a")

    def response_iv(self) -> bytes:
        """IV of an answer's encrypted data."""
        return self._iv(b"\x5a\xa5")

    def _iv(self, label: bytes) -> bytes:
        return self._ecb.update(label + self.ti + self.counter.to_bytes(2, "little") + bytes(8))

    def command(self, ins: int, header: bytes, body: bytes, mode: CommMode) -> bytes:
        """A command's data as it travels: header in the clear, body as the mode asks, MAC unless plain."""
        if mode is CommMode.PLAIN:
            return header + body
        data = header + (self.encrypt(body, self.command_iv()) if body and mode is CommMode.FULL else body)
        return data + self.command_mac(ins, data)

    def opened_answer(self, data: bytes, mode: CommMode) -> bytes:
        """Count the command, check and decrypt its answer; raises SessionBroken."""
        self.advance()
        if mode is CommMode.PLAIN:
            return data
        body, mac = data[:-MAC_BYTES], data[-MAC_BYTES:]
        if not same(mac, self.response_mac(Status.OK, body)):
            raise SessionBroken("the answer is not the card's own; tap again")
        return self.decrypt(body, self.response_iv()) if body and mode is CommMode.FULL else body

    def opened_command(self, ins: int, data: bytes, mode: CommMode, header: int) -> tuple[bytes, bytes]:
        """Header and plain body of a command; raises SessionBroken, ValueError (too short)."""
        payload = data
        if mode is not CommMode.PLAIN:
            payload, mac = data[:-MAC_BYTES], data[-MAC_BYTES:]
            if self.exhausted or not same(mac, self.command_mac(ins, payload)):
                raise SessionBroken("the command's MAC is wrong")
        if len(payload) < header:
            raise ValueError("the command is too short")
        head, body = payload[:header], payload[header:]
        return head, self.decrypt(body, self.command_iv()) if body and mode is CommMode.FULL else body

    def answer(self, data: bytes, mode: CommMode) -> bytes:
        """Count the command, and give its answer's data as it travels."""
        self.advance()
        if mode is CommMode.PLAIN:
            return data
        body = self.encrypt(data, self.response_iv()) if mode is CommMode.FULL and data else data
        return body + self.response_mac(Status.OK, body)

    def checksum(self, data: bytes) -> bytes:
        """CRC32, four bytes: what ChangeKey carries of a new key."""
        return crc32(data)

    def travels(self, size: int, ins: int, mode: CommMode) -> int:  # noqa: ARG002  the port's shape
        """Bytes that a body of so many bytes takes on the way to the card."""
        if mode is CommMode.PLAIN:
            return size
        return MAC_BYTES + (len(padded(bytes(size))) if mode is CommMode.FULL and size else size)

    def encrypt(self, data: bytes, iv: bytes) -> bytes:
        """Pad and encrypt."""
        return Cipher(AES(self._keys.enc), CBC(iv)).encryptor().update(padded(data))

    def decrypt(self, data: bytes, iv: bytes) -> bytes:
        """Decrypt and take the padding away; raises SessionBroken."""
        if not data or len(data) % BLOCK:
            raise SessionBroken("an encrypted field is no whole number of blocks; tap again")
        return unpadded(Cipher(AES(self._keys.enc), CBC(iv)).decryptor().update(data))


def same(left: bytes, right: bytes) -> bool:
    """Compare MACs in constant time."""
    return hmac.compare_digest(left, right)
