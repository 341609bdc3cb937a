"""Who sent a batch: the envelope read, its signature checked against the certificates that are known, its frame taken out."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from card.batch import CONTENT_TYPE, RELAYED_FROM, BatchFrame, decode_frame
from card.errors import BatchInvalid
from keys import envelope
from keys.errors import EnvelopeError, SignatureWrong
from ledger.errors import BatchMalformed, SignatureRefused
from ledger.intake.bounds import Sender, check_dates
from ledger.intake.named import terminal_of
from ledger.relay import own

if TYPE_CHECKING:
    from collections.abc import Mapping

    from keys.clock import Clock
    from keys.envelope import Envelope
    from keys.identity import TerminalCertificate
    from keys.vault import Vault
    from ledger.intake.registry import Registry

CERTIFICATES_TRIED: Final = 6
"""How many of a terminal's newest certificates may have signed a batch: four months of renewals."""


class Senders:
    """Those whose batches are taken in: enrolled terminals, and the ledger itself for the loads that it runs."""

    def __init__(self, registry: Registry, vault: Vault, clock: Clock) -> None:
        self._registry = registry
        self._vault = vault
        self._clock = clock

    def opened(self, body: bytes, counts: Mapping[str, int]) -> tuple[Sender, BatchFrame]:
        """Who signed a batch, and what it holds; `counts` are the changes to the registry that must be known.

        Raises BatchMalformed, SignatureRefused, TerminalUnknown.
        """
        try:
            message = envelope.parse(body)
        except EnvelopeError as error:
            raise BatchMalformed(f"{error}: send a signed batch") from None
        if message.content_type != CONTENT_TYPE:
            raise BatchMalformed(f"the envelope holds {message.content_type[:60]!r}, not {CONTENT_TYPE}")
        if own.signed_here(message, self._vault):
            certificate, frame = own.opened(message, self._registry, self._vault)
            return self.sender(certificate), frame
        known = self._registry.certificates(terminal_of(message), counts)
        certificate = _signer(message, known)
        try:
            frame = decode_frame(message.payload)
        except BatchInvalid as error:
            raise BatchMalformed(str(error)) from None
        if frame.terminal != certificate.terminal:
            raise SignatureRefused(
                f"terminal {certificate.terminal} signed a batch in the name of {frame.terminal}"
            )
        if frame.last_sequence >= RELAYED_FROM:
            raise BatchMalformed(f"numbers from {RELAYED_FROM} are those of loads: the ledger writes them")
        check_dates(certificate, frame.sent_at, self._clock.now())
        return Sender(certificate, known[-1].not_before), frame

    def sender(self, certificate: TerminalCertificate) -> Sender:
        """Who holds a certificate."""
        return Sender(certificate, self._registry.history(certificate.terminal)[-1].not_before)


def _signer(message: Envelope, known: list[TerminalCertificate]) -> TerminalCertificate:
    """The certificate whose key signed a batch: a terminal that has renewed may still send what it signed before."""
    for certificate in known[:CERTIFICATES_TRIED]:
        try:
            message.verify(certificate.public_key)
        except SignatureWrong:
            continue
        return certificate
    raise SignatureRefused(f"the signature is not terminal {known[0].terminal}'s: kept for review")
