"""One key a card from one master key, for the older types of keys: NXP AN10922, AES-192 and triple DES.

No card of this city has such keys; cards that a city already has may, and a roll to this city's keys starts from theirs.
"""

from __future__ import annotations

from cryptography.hazmat.decrepit.ciphers.algorithms import TripleDES
from cryptography.hazmat.primitives.ciphers import Cipher
from cryptography.hazmat.primitives.ciphers.algorithms import AES
from cryptography.hazmat.primitives.ciphers.modes import CBC

from keys.diversify import xor
from keys.errors import KeysError

_AES192 = (b"\x11", b"\x12")
_TDEA = {16: (b"\x21", b"\x22"), 24: (b"\x31", b"\x32", b"\x33")}
_DES_BLOCK = 8
_HALF = 8
_REDUCTION = {8: 0x1B, 16: 0x87}


def diversify_aes192(master: bytes, m: bytes) -> bytes:
    """AN10922 section 2.3: a 24-byte key from a 24-byte master and an input of 1 to 31 bytes."""
    first, second = (_mac(AES(master), 16, constant, m) for constant in _AES192)
    return first[:_HALF] + xor(first[_HALF:], second[:_HALF]) + second[_HALF:]


def diversify_tdea(master: bytes, m: bytes) -> bytes:
    """AN10922 sections 2.4 and 2.5: two or three DES keys, 16 or 24 bytes, from as many and an input of 1 to 15 bytes."""
    key = TripleDES(master if len(master) == max(_TDEA) else master + master[:_DES_BLOCK])
    return b"".join(_mac(key, _DES_BLOCK, constant, m) for constant in _TDEA[len(master)])


def with_version(key: bytes, version: int) -> bytes:
    """DES keys that carry a version in the parity bits of the first, most significant bit first.

    Of two keys the second carries the complement, so that they differ; of three the others stay (libfreefare's convention).
    """
    first, rest = key[:_DES_BLOCK], key[_DES_BLOCK:]
    two = len(rest) == _DES_BLOCK
    return _marked(first, version) + (_marked(rest, ~version) if two else rest)


def _marked(key: bytes, version: int) -> bytes:
    return bytes(byte & 0xFE | version >> (7 - place) & 1 for place, byte in enumerate(key))


def _mac(key: AES | TripleDES, block: int, constant: bytes, m: bytes) -> bytes:
    """CMAC over constant and input, always as two blocks; raises KeysError for an input that does not fit."""
    if not 1 <= len(m) < 2 * block:
        raise KeysError(f"a diversification input has 1 to {2 * block - 1} bytes, not {len(m)}")
    zero = bytes(block)
    k1 = _doubled(Cipher(key, CBC(zero)).encryptor().update(zero))
    data = constant + m
    whole = len(data) == 2 * block
    padded = data if whole else (data + b"\x80").ljust(2 * block, b"\x00")
    last = xor(padded[block:], k1 if whole else _doubled(k1))
    return Cipher(key, CBC(zero)).encryptor().update(padded[:block] + last)[block:]


def _doubled(part: bytes) -> bytes:
    """A block times x in GF(2^64) or GF(2^128) (NIST SP 800-38B, section 6.1)."""
    bits = 8 * len(part)
    value = int.from_bytes(part, "big") << 1
    return (value % (1 << bits) ^ (_REDUCTION[len(part)] if value >> bits else 0)).to_bytes(len(part), "big")
