"""Signed bundles: what the city tells its terminals (tariff, hotlist, limits, calendar, key versions), in one envelope format.

A bundle is COSE_Sign1 (`keys.envelope`) by the city's bundle key around deterministic CBOR: [version, city, audience, kind, number, base, valid from,
body]. Numbers rise within a kind; base 0 is a full bundle, any other base a delta that only makes sense on that number.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Any, Final

import cbor2

from keys import cbor, envelope
from keys.clock import UnixMs
from keys.errors import CborMalformed, EnvelopeError, SignatureWrong
from keys.identity import TerminalRole

if TYPE_CHECKING:
    from collections.abc import Callable

CONTENT_TYPE: Final = "application/ksh-bundle+cbor"
VERSION: Final = 1
LABEL: Final = "bundles"
"""The signing key's label in the city's vault: bundles are all that it signs."""
EVERY: Final = "every"
"""The audience that is all terminals."""
AUDIENCES: Final = frozenset({EVERY, *(role.value for role in TerminalRole)})
NUMBER_MAX: Final = 0xFFFF_FFFF
ID_BYTES: Final = 8
SMALL_BYTES_MAX: Final = 64 << 10
HOTLIST_BYTES_MAX: Final = 4 << 20
BUNDLE_BYTES_MAX: Final = HOTLIST_BYTES_MAX + 1024
_TIME_MAX: Final = 1 << 47
_FIELDS: Final = 8


class BundleKind(StrEnum):
    """What a bundle is about; each kind counts its own numbers."""

    TARIFF = "tariff"
    HOTLIST = "hotlist"
    LIMITS = "limits"
    CALENDAR = "calendar"
    KEYS = "keys"

    @property
    def body_bytes_max(self) -> int:
        """The most bytes that a body of this kind may have."""
        return HOTLIST_BYTES_MAX if self is BundleKind.HOTLIST else SMALL_BYTES_MAX


@dataclass(frozen=True, slots=True)
class Bundle:
    """What a bundle says; `audience` is a terminal's role or EVERY, `base` the number that a delta follows (0: full)."""

    city: bytes
    audience: str
    kind: BundleKind
    number: int
    base: int
    valid_from: UnixMs
    body: bytes

    @property
    def is_delta(self) -> bool:
        """True where it only changes its base."""
        return self.base > 0


def key_id(public_key: bytes) -> bytes:
    """The short name of a bundle key (raw Ed25519, 32 bytes) in an envelope: 8 bytes of its SHA-256."""
    return hashlib.sha256(public_key).digest()[:ID_BYTES]


def city_id(authority_key: bytes) -> bytes:
    """A city by its terminal authority's public key (raw Ed25519, 32 bytes): 8 bytes."""
    return hashlib.sha256(b"ksh-city" + authority_key).digest()[:ID_BYTES]


def sealed(bundle: Bundle, public_key: bytes, sign: Callable[[bytes], bytes]) -> bytes:
    """A signed bundle; `sign` signs with the key that `public_key` belongs to.

    Raises EnvelopeError for what no terminal would take: over a limit, a number out of range.
    """
    fields = [
        VERSION, bundle.city, bundle.audience, bundle.kind.value, bundle.number, bundle.base, bundle.valid_from,
        bundle.body,
    ]  # fmt: skip
    _checked(fields)
    payload = cbor2.dumps(fields, canonical=True)
    return envelope.seal(payload, kid=key_id(public_key), sign=sign, content_type=CONTENT_TYPE)


def opened(data: bytes, public_key: bytes) -> Bundle:
    """What a bundle says, once its signature is this key's.

    Raises SignatureWrong for another key's, EnvelopeError for bytes that `sealed` would not have made.
    """
    if len(data) > BUNDLE_BYTES_MAX:
        raise EnvelopeError(f"a bundle has at most {BUNDLE_BYTES_MAX} bytes, this one has {len(data)}")
    message = envelope.parse(data)
    if message.content_type != CONTENT_TYPE:
        raise EnvelopeError(f"the envelope holds {message.content_type[:60]!r}, not {CONTENT_TYPE}")
    if message.kid != key_id(public_key):
        raise SignatureWrong(f"the bundle names the key {message.kid.hex()}, which is not the city's")
    return _decoded(message.verify(public_key))


def _decoded(payload: bytes) -> Bundle:
    try:
        fields = cbor.decoded(payload)
    except CborMalformed:
        raise EnvelopeError("the bundle is no CBOR") from None
    if not isinstance(fields, list) or not cbor.is_deterministic(fields, payload):
        raise EnvelopeError("the bundle is no array in deterministic encoding")
    _checked(fields)
    _, city, audience, kind, number, base, valid_from, body = fields
    return Bundle(city, audience, BundleKind(kind), number, base, UnixMs(valid_from), body)


def _checked(fields: list[Any]) -> None:
    if len(fields) != _FIELDS or fields[0] != VERSION:
        raise EnvelopeError(f"the bundle is not of format {VERSION}: update this software")
    _, city, audience, kind, number, base, valid_from, body = fields
    if not isinstance(city, bytes) or len(city) != ID_BYTES or not isinstance(body, bytes):
        raise EnvelopeError("the bundle's city or body is of the wrong type")
    if str(audience) not in AUDIENCES or str(kind) not in set(BundleKind):
        raise EnvelopeError(
            f"the bundle is a {kind!r:.40} for {audience!r:.40}, which this software does not know"
        )
    whole = all(type(value) is int for value in (number, base, valid_from))
    if not whole or not 0 <= base < number <= NUMBER_MAX or not 0 <= valid_from < _TIME_MAX:
        raise EnvelopeError("the bundle's number, base or date is out of range")
    if len(body) > BundleKind(kind).body_bytes_max:
        raise EnvelopeError(f"a {kind} has at most {BundleKind(kind).body_bytes_max} bytes")
