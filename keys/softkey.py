"""A card key in this process's memory: what a file vault hands out, and the factory's public key of zeros."""

from __future__ import annotations

import secrets
import zlib
from typing import TYPE_CHECKING, Final, NoReturn

from cryptography.hazmat.primitives.ciphers import Cipher
from cryptography.hazmat.primitives.ciphers.algorithms import AES
from cryptography.hazmat.primitives.ciphers.modes import CBC

from keys.cmac import BLOCK, Cmac, aes_cmac
from keys.diversify import xor
from keys.errors import KeyMisused

if TYPE_CHECKING:
    from keys.vault import CardKey

CHECK_VALUE_BYTES: Final = 5


class SoftKey:
    """An AES-128 key whose value shows nowhere: not in repr, not as an attribute of the protocol."""

    __slots__ = ("_cmac", "_value", "_version")

    def __init__(self, value: bytes, version: int) -> None:
        self._value = value
        self._version = version
        self._cmac = Cmac(value)

    def __repr__(self) -> str:
        return f"<SoftKey version {self._version}>"

    def __reduce__(self) -> NoReturn:
        raise KeyMisused("a key is not pickled: its value would leave its vault")

    @property
    def version(self) -> int:
        """Version of the master key that it comes from."""
        return self._version

    def cmac(self, message: bytes) -> bytes:
        """AES-CMAC, 16 bytes."""
        return self._cmac(message)

    def encrypt(self, data: bytes, iv: bytes) -> bytes:
        """AES-CBC over whole blocks, unpadded."""
        return Cipher(AES(self._value), CBC(iv)).encryptor().update(data)

    def decrypt(self, data: bytes, iv: bytes) -> bytes:
        """AES-CBC over whole blocks, unpadded."""
        return Cipher(AES(self._value), CBC(iv)).decryptor().update(data)

    def sealed(self, session_key: bytes, iv: bytes, old: CardKey | None) -> bytes:
        """This key, encrypted for a card that holds the session key; see `keys.vault.CardKey.sealed`.

        Raises KeyMisused where `old` lives in another kind of vault.
        """
        if old is None:
            return sealed_value(self._value, self._version, session_key, iv)
        if not isinstance(old, SoftKey):
            raise KeyMisused("both keys of a change must lie in one vault")
        return sealed_value(self._value, self._version, session_key, iv, old._value)  # noqa: SLF001  its own class

    def changed_to(self, value: bytes, version: int, session_key: bytes, iv: bytes) -> bytes:
        """The cryptogram that changes a card from this key to another one, whose value the caller has."""
        return sealed_value(value, version, session_key, iv, self._value)


def sealed_value(
    value: bytes, version: int, session_key: bytes, iv: bytes, old: bytes | None = None
) -> bytes:
    """A key's cryptogram for a card (AN12343 tables 39 and 40); see `keys.vault.CardKey.sealed`."""
    changed, proof = (value, b"") if old is None else (xor(value, old), crc32(value))
    plain = changed + bytes((version,)) + proof
    padded = (plain + b"\x80").ljust(-(-(len(plain) + 1) // BLOCK) * BLOCK, b"\x00")
    return Cipher(AES(session_key), CBC(iv)).encryptor().update(padded)


def check_value(key: bytes) -> bytes:
    """Key check value: CMAC of zeros, first 5 bytes."""
    return aes_cmac(key, bytes(BLOCK))[:CHECK_VALUE_BYTES]


def random_key() -> bytes:
    """A fresh AES-128 key."""
    return secrets.token_bytes(BLOCK)


def crc32(data: bytes) -> bytes:
    """DESFire's CRC32: zlib's without the final XOR, least significant byte first."""
    return (zlib.crc32(data) ^ 0xFFFF_FFFF).to_bytes(4, "little")


FACTORY_KEY = SoftKey(bytes(BLOCK), version=0)
"""The key of a chip as delivered: zeros, known to everybody, hence no secret."""
