"""One key a card from one master key: NXP AN10922, AES-128.

AN10922 section 2.2 always pads constant and input to 32 bytes. With 17 to 32 bytes of both, that is plain AES-CMAC, which a PKCS#11 token
can do too; our own inputs have 16 bytes, so that they are.
"""

from __future__ import annotations

from cryptography.hazmat.primitives.ciphers import Cipher
from cryptography.hazmat.primitives.ciphers.algorithms import AES
from cryptography.hazmat.primitives.ciphers.modes import CBC, ECB

from keys.cmac import BLOCK
from keys.errors import KeysError

AES128_CONSTANT = b"\x01"
APPLICATION = bytes.fromhex("4b5348")
"""AID of the card application: "KSH"."""
SYSTEM = b"KSH1"
INPUT_BYTES_MAX = 31
_PADDED = 32
_RB = 0x87


def card_input(uid: bytes, key_no: int, version: int) -> bytes:
    """Diversification input of one key of one card: UID, AID, system, key number, key version; 16 bytes.

    Raises KeysError for a UID that has not seven bytes.
    """
    if len(uid) != 7:  # noqa: PLR2004  ISO/IEC 14443-3: a double-size UID
        raise KeysError(f"a card of this city has a UID of 7 bytes, not {len(uid)}")
    return uid + APPLICATION + SYSTEM + bytes((key_no, version))


def padded_input(m: bytes) -> tuple[bytes, bool]:
    """Constant and input as two blocks, and whether they fill them without padding (then K1 goes in, else K2).

    Raises KeysError for an input that has not 1 to 31 bytes.
    """
    if not 1 <= len(m) <= INPUT_BYTES_MAX:
        raise KeysError(f"a diversification input has 1 to {INPUT_BYTES_MAX} bytes, not {len(m)}")
    data = AES128_CONSTANT + m
    whole = len(data) == _PADDED
    return data if whole else (data + b"\x80").ljust(_PADDED, b"\x00"), whole


def diversify_aes128(master: bytes, m: bytes) -> bytes:
    """AN10922 section 2.2: a 16-byte key from a 16-byte master and an input of 1 to 31 bytes; raises KeysError."""
    padded, whole = padded_input(m)
    k1, k2 = subkeys(master)
    last = xor(padded[BLOCK:], k1 if whole else k2)
    encryptor = Cipher(AES(master), CBC(bytes(BLOCK))).encryptor()
    return encryptor.update(padded[:BLOCK] + last)[BLOCK:]


def subkeys(key: bytes) -> tuple[bytes, bytes]:
    """K1 and K2 of CMAC (RFC 4493 section 2.3)."""
    encryptor = Cipher(AES(key), ECB()).encryptor()  # noqa: S305  one block of zeros, as the standard says
    k1 = doubled(encryptor.update(bytes(BLOCK)))
    return k1, doubled(k1)


def doubled(block: bytes) -> bytes:
    """A block times x in GF(2^128), as CMAC's subkeys are made (RFC 4493 section 2.3)."""
    value = int.from_bytes(block, "big") << 1
    return ((value & ((1 << 128) - 1)) ^ (_RB if value >> 128 else 0)).to_bytes(BLOCK, "big")


def xor(left: bytes, right: bytes) -> bytes:
    """Two byte strings of one length, XORed."""
    return (int.from_bytes(left, "big") ^ int.from_bytes(right, "big")).to_bytes(len(left), "big")
