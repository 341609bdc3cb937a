"""Masters on their way to a terminal: sealed to a key that the device draws for this one asking, and opened in its own vault alone.

X25519 (RFC 7748) between two keys of one use, HKDF-SHA256 (RFC 5869) over both public keys and the context, AES-256-GCM: as in HPKE's base mode (RFC 9180),
with the envelope's signatures around it for who is who. The context is the digest of the request, so that an answer opens for its own request only.
"""

from __future__ import annotations

import hashlib
from typing import Any, Final, NamedTuple

import cbor2
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from keys import cbor
from keys.errors import CborMalformed, KeyBlockError
from keys.rights import TerminalRole
from keys.vault import KeyInfo, KeyName, Role

REQUEST_CONTENT_TYPE: Final = "application/ksh-handout-request+cbor"
"""CBOR [asked at, X25519 public key], signed by the terminal."""
CONTENT_TYPE: Final = "application/ksh-handout+cbor"
"""CBOR [terminal, SHA-256 of the request, sealed masters], signed by the ledger."""
TERMINAL_KEYS: Final = {
    TerminalRole.VALIDATOR: (Role.DEBIT,),
    TerminalRole.CONDUCTOR: (Role.DEBIT, Role.READ),
    TerminalRole.MERCHANT: (Role.DEBIT,),
    TerminalRole.KIOSK: (Role.READ,),
}
"""The masters that a terminal of each role may hold (law 11: never the Transaction MAC key, nor the load key, which the ledger alone uses)."""
PUBLIC_BYTES: Final = 32
_INFO: Final = b"KSH hand-out 1"
_NONCE: Final = bytes(12)
"""Zeros: each key seals one message."""


def context_of(request: bytes) -> bytes:
    """What ties an answer to its request (the signed payload): a SHA-256."""
    return hashlib.sha256(request).digest()


class Handed(NamedTuple):
    """One master that came."""

    name: KeyName
    value: bytes

    def __repr__(self) -> str:
        return f"<Handed {self.name.label} version {self.name.version}>"


class Taken(NamedTuple):
    """What a hand-out changed at a terminal: masters that came, and those that are in use no more."""

    came: list[KeyInfo]
    went: list[KeyInfo]


def seal(masters: list[Handed], to: bytes, context: bytes) -> bytes:
    """Masters for whoever holds the private half of an X25519 key (raw, 32 bytes); raises KeyBlockError where it is none."""
    ours = X25519PrivateKey.generate()
    public = ours.public_key().public_bytes_raw()
    cipher = _cipher(ours, to, public + to, context)
    plain = cbor2.dumps([[*one.name, one.value] for one in masters])
    return public + cipher.encrypt(_NONCE, plain, context)


def unseal(sealed: bytes, ours: X25519PrivateKey, context: bytes) -> list[Handed]:
    """The masters of an answer; raises KeyBlockError where it is for somebody else, or was changed."""
    theirs, text = sealed[:PUBLIC_BYTES], sealed[PUBLIC_BYTES:]
    try:
        cipher = _cipher(ours, theirs, theirs + ours.public_key().public_bytes_raw(), context)
        content: Any = cbor.decoded(cipher.decrypt(_NONCE, text, context))
        return [_handed(*one) for one in content]
    except (InvalidTag, CborMalformed, ValueError, TypeError):
        raise KeyBlockError("the keys are sealed for another request, or were changed: ask again") from None


def _handed(label: Any, version: Any, value: Any) -> Handed:
    if type(version) is not int or not isinstance(value, bytes):
        raise TypeError
    return Handed(KeyName(Role(label).value, version), value)


def _cipher(ours: X25519PrivateKey, theirs: bytes, publics: bytes, context: bytes) -> AESGCM:
    try:
        shared = ours.exchange(X25519PublicKey.from_public_bytes(theirs))
    except ValueError:
        raise KeyBlockError("the request holds no X25519 key: make it on the terminal again") from None
    return AESGCM(HKDF(SHA256(), 32, None, _INFO + publics + context).derive(shared))
