"""Signed envelopes: COSE_Sign1 (RFC 9052 section 4.2) with EdDSA over Ed25519 (RFC 9053 section 2.2).

Strict on purpose: one encoding for one message, so that the bytes that were signed are the bytes that are kept.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import cbor2
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from keys import cbor
from keys.errors import CborMalformed, EnvelopeError, SignatureWrong

if TYPE_CHECKING:
    from collections.abc import Callable

TAG: Final = 18
KID_BYTES_MAX: Final = 64
SIGNATURE_BYTES: Final = 64
_ALG, _CONTENT_TYPE, _KID = 1, 3, 4
_EDDSA = -8
_PARTS = 4


@dataclass(frozen=True, slots=True)
class Envelope:
    """A message and who says to have signed it; nothing is proven before `verify`."""

    kid: bytes
    content_type: str
    payload: bytes
    _protected: bytes
    _signature: bytes

    def verify(self, public_key: bytes) -> bytes:
        """The payload, once the signature is this key's (raw Ed25519, 32 bytes); raises SignatureWrong."""
        signed = _to_be_signed(self._protected, self.payload)
        try:
            Ed25519PublicKey.from_public_bytes(public_key).verify(self._signature, signed)
        except (InvalidSignature, ValueError):
            raise SignatureWrong(f"the signature is not that of {self.kid.hex()}") from None
        return self.payload


def seal(payload: bytes, *, kid: bytes, sign: Callable[[bytes], bytes], content_type: str) -> bytes:
    """A signed envelope around a payload; `sign` gives the Ed25519 signature of a message."""
    protected = cbor2.dumps({_ALG: _EDDSA, _CONTENT_TYPE: content_type, _KID: kid}, canonical=True)
    signature = sign(_to_be_signed(protected, payload))
    return cbor2.dumps(cbor2.CBORTag(TAG, [protected, {}, payload, signature]), canonical=True)


def parse(data: bytes) -> Envelope:
    """Take an envelope apart; raises EnvelopeError for anything that `seal` would not have made."""
    parts = _parts(data)
    protected, unprotected, payload, signature = parts
    if not all(isinstance(part, bytes) for part in (protected, payload, signature)) or unprotected != {}:
        raise EnvelopeError("the envelope's parts are not those of a COSE_Sign1 message")
    header = _header(protected)
    if not isinstance(header, dict) or set(header) != {_ALG, _CONTENT_TYPE, _KID} or header[_ALG] != _EDDSA:
        raise EnvelopeError(
            "the envelope's header must hold EdDSA, a content type and a key id, nothing else"
        )
    kid, content_type = header[_KID], header[_CONTENT_TYPE]
    if not isinstance(kid, bytes) or not 1 <= len(kid) <= KID_BYTES_MAX or not isinstance(content_type, str):
        raise EnvelopeError("the envelope's key id or content type is of the wrong type")
    if len(signature) != SIGNATURE_BYTES or not cbor.is_deterministic(header, protected):
        raise EnvelopeError("the envelope is not in deterministic encoding")
    return Envelope(kid, content_type, payload, protected, signature)


def _parts(data: bytes) -> list[Any]:
    try:
        parts = cbor.tagged(data, TAG)
    except CborMalformed as error:
        raise EnvelopeError(f"the bytes are no COSE_Sign1 message (tag {TAG}): {error}") from None
    if not isinstance(parts, list) or len(parts) != _PARTS:
        raise EnvelopeError("a COSE_Sign1 message has four parts")
    if cbor2.dumps(cbor2.CBORTag(TAG, parts), canonical=True) != data:
        raise EnvelopeError("the envelope is not in deterministic encoding")
    return parts


def _header(protected: bytes) -> Any:
    try:
        return cbor.decoded(protected)
    except CborMalformed as error:
        raise EnvelopeError(f"the envelope's header cannot be read: {error}") from None


def _to_be_signed(protected: bytes, payload: bytes) -> bytes:
    """Sig_structure of RFC 9052 section 4.4."""
    return cbor2.dumps(["Signature1", protected, b"", payload])
