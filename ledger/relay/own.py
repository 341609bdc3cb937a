"""Batches that the ledger writes and signs itself: one record each, in the name of the kiosk whose load it was."""

from __future__ import annotations

from typing import TYPE_CHECKING

from card.batch import CONTENT_TYPE, FIRST_DIGEST, BatchFrame, decode_frame, encode_batch, encode_record
from card.errors import BatchInvalid
from keys import envelope
from keys.errors import SignatureWrong
from ledger.errors import BatchMalformed, SignatureRefused
from ledger.intake.receipt import LABEL

if TYPE_CHECKING:
    from card.batch import TapRecord
    from keys.clock import UnixMs
    from keys.envelope import Envelope
    from keys.identity import TerminalCertificate
    from keys.vault import Vault
    from ledger.intake.registry import Registry

_KID_BYTES = 8


def _kid(vault: Vault) -> bytes:
    return vault.public_key(LABEL)[:_KID_BYTES]


def written(terminal: int, record: TapRecord, vault: Vault, at: UnixMs) -> tuple[bytes, BatchFrame]:
    """A batch of one record, signed by the ledger."""
    raw = encode_record(record)
    payload = encode_batch(terminal, record.sequence, FIRST_DIGEST, at, [raw])
    body = envelope.seal(
        payload, kid=_kid(vault), sign=lambda data: vault.sign(LABEL, data), content_type=CONTENT_TYPE
    )
    return body, BatchFrame(terminal, record.sequence, FIRST_DIGEST, at, (raw,))


def signed_here(message: Envelope, vault: Vault) -> bool:
    """True where a message says that this ledger signed it."""
    return message.kid == _kid(vault)


def opened(message: Envelope, registry: Registry, vault: Vault) -> tuple[TerminalCertificate, BatchFrame]:
    """One of our own batches, come back; it is in the books already. Raises SignatureRefused, BatchMalformed."""
    try:
        frame = decode_frame(message.verify(vault.public_key(LABEL)))
    except SignatureWrong:
        raise SignatureRefused("the signature is not this ledger's: kept for review") from None
    except BatchInvalid as error:
        raise BatchMalformed(str(error)) from None
    return registry.enrolled(frame.terminal), frame
