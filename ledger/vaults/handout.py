"""The counter where terminals get the masters that they hold: the versions in use of their role, sealed to the device, and no others.

Who asks is proved as for any message of a terminal: a certificate in date, not revoked, and its signature. What it may hold follows from the role in
that certificate, not from what it asks.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, Protocol

import cbor2
import structlog

from keys import cbor, envelope, handout
from keys.errors import CborMalformed, EnvelopeError, KeyBlockError, SignatureWrong
from ledger.errors import HandoutRefused
from ledger.intake.named import terminal_of
from ledger.intake.receipt import LABEL

if TYPE_CHECKING:
    from collections.abc import Iterable

    from keys.clock import Clock
    from keys.vault import Role, Vault
    from ledger.intake.registry import Registry

REQUEST_BYTES_MAX: Final = 1024
CLOCK_SECONDS_MAX: Final = 300
"""How far a request's time may lie from the ledger's: an old one is worth nothing."""
_KID_BYTES: Final = 8
_FIELDS: Final = 2
_log = structlog.get_logger("ledger.vaults")


class Source(Protocol):
    """The part of a city's vault that seals masters for a terminal."""

    def handed_out(self, roles: Iterable[Role], to: bytes, context: bytes) -> bytes:
        """The masters in use of some roles, sealed to an X25519 key; raises KeyMissing, KeyMisused, KeyBlockError."""


class HandoutDesk:
    """Gives terminals the keys of their roles."""

    def __init__(self, registry: Registry, source: Source, vault: Vault, clock: Clock) -> None:
        self._registry = registry
        self._source = source
        self._vault = vault
        self._clock = clock

    def hand_out(self, body: bytes) -> bytes:
        """The signed answer to a signed request; raises HandoutRefused, TerminalUnknown."""
        message = _parsed(body)
        certificate = self._registry.terminal(terminal_of(message), self._clock.now())
        try:
            payload = message.verify(certificate.public_key)
            fields: Any = cbor.decoded(payload)
        except SignatureWrong:
            raise HandoutRefused(f"the signature is not terminal {certificate.terminal}'s") from None
        except CborMalformed:
            raise HandoutRefused("the request is no CBOR") from None
        public, context = self._asked(fields), handout.context_of(payload)
        try:
            sealed = self._source.handed_out(handout.TERMINAL_KEYS[certificate.role], public, context)
        except KeyBlockError as error:
            raise HandoutRefused(str(error)) from None
        _log.info("keys handed out", terminal=certificate.terminal, role=certificate.role.value)
        return self._signed(cbor2.dumps([certificate.terminal, context, sealed], canonical=True))

    def _asked(self, fields: Any) -> bytes:
        whole = isinstance(fields, list) and len(fields) == _FIELDS
        if not whole or type(fields[0]) is not int or not isinstance(fields[1], bytes):
            raise HandoutRefused("a request has two fields: when it was asked, and the device's X25519 key")
        asked_at, public = fields[0], bytes(fields[1])
        if abs(asked_at - self._clock.now()) > 1000 * CLOCK_SECONDS_MAX:
            raise HandoutRefused("the request is of another time: set the terminal's clock, and ask again")
        return public

    def _signed(self, payload: bytes) -> bytes:
        kid = self._vault.public_key(LABEL)[:_KID_BYTES]
        return envelope.seal(
            payload,
            kid=kid,
            sign=lambda data: self._vault.sign(LABEL, data),
            content_type=handout.CONTENT_TYPE,
        )


def _parsed(body: bytes) -> envelope.Envelope:
    try:
        message = envelope.parse(body[:REQUEST_BYTES_MAX])
    except EnvelopeError as error:
        raise HandoutRefused(f"{error}: send a signed request") from None
    if message.content_type != handout.REQUEST_CONTENT_TYPE:
        raise HandoutRefused(f"a request in {handout.REQUEST_CONTENT_TYPE} is expected")
    return message
