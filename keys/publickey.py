"""Public keys as people hand them over: a PEM file (RFC 7468), or the key itself in hexadecimal digits."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_pem_public_key

from keys.errors import PublicKeyUnusable

KEY_BYTES: Final = 32
PEM_BYTES_MAX: Final = 4096


def read_public_key(given: str) -> bytes:
    """The raw Ed25519 key (32 bytes) that a file's name or 64 hexadecimal digits stand for; raises PublicKeyUnusable."""
    if len(given) == 2 * KEY_BYTES:
        try:
            return bytes.fromhex(given)
        except ValueError:
            pass  # the name of a file, then
    try:
        with Path(given).open("rb") as file:
            key = load_pem_public_key(file.read(PEM_BYTES_MAX))
    except OSError as error:
        raise PublicKeyUnusable(f"the key {given[:80]} cannot be read: {error.strerror}") from None
    except (ValueError, UnsupportedAlgorithm):
        raise PublicKeyUnusable(f"{given[:80]} is no public key in PEM") from None
    if not isinstance(key, Ed25519PublicKey):
        raise PublicKeyUnusable(f"{given[:80]} is a key of another kind: the ledger's is Ed25519")
    return key.public_bytes_raw()


def pem_of(public_key: bytes) -> bytes:
    """A raw Ed25519 key as PEM."""
    key = Ed25519PublicKey.from_public_bytes(public_key)
    return key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
