"""Take a signed batch in: who sent it, what its cards signed, what is posted, what is kept (DESIGN laws 2 to 6)."""

from __future__ import annotations

import base64
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

import structlog

from card.batch import (
    BATCH_BYTES_MAX,
    CONTENT_TYPE,
    RELAYED_FROM,
    Batch,
    MalformedRecord,
    decode_batch,
    digest,
    encode_record,
)
from card.errors import BatchInvalid
from keys import envelope
from keys.errors import EnvelopeError, SignatureWrong
from ledger.errors import BatchMalformed, BatchRefused, BatchTooLarge, LedgerError, SignatureRefused
from ledger.intake import store
from ledger.intake.assess import Assessor
from ledger.intake.batch_unit import BatchUnit, Taken
from ledger.intake.bounds import Sender, check_dates
from ledger.intake.intents import Intents
from ledger.intake.reasons import Reason
from ledger.intake.receipt import Receipt
from ledger.intake.records import raw_records
from ledger.relay import own
from ledger.relay.unit import RelayedUnit

if TYPE_CHECKING:
    from collections.abc import Sequence

    from card.batch import TapRecord
    from keys.clock import Clock
    from keys.envelope import Envelope
    from keys.identity import TerminalCertificate
    from keys.vault import Vault
    from ledger.book import Ledger
    from ledger.intake.posting import Tariffs
    from ledger.intake.registry import Registry
    from ledger.transfer import Transfer
    from ledger.writer import Posted, Transaction


CERTIFICATES_TRIED: Final = 6
"""How many of a terminal's newest certificates may have signed a batch: four months of renewals."""
_log = structlog.get_logger("ledger.intake")


@dataclass(frozen=True, slots=True)
class Answer:
    """One result a record, and the signed receipt."""

    results: list[dict[str, Any]]
    receipt: bytes

    def as_json(self) -> dict[str, Any]:
        """What travels: the receipt in base64."""
        return {"results": self.results, "receipt": base64.b64encode(self.receipt).decode()}


@dataclass(slots=True)
class _Keep:
    """A unit that keeps a refused batch."""

    row: store.RefusedRow
    document: bytes = field(default=b"", init=False)

    def plan(self, _tx: Transaction) -> Sequence[Transfer]:
        return ()

    def settle(self, _posted: Sequence[Posted], tx: Transaction) -> bool:
        return store.keep_refused(tx.connection, self.row)


class Intake:
    """The door for signed batches."""

    def __init__(
        self, ledger: Ledger, registry: Registry, vault: Vault, tariffs: Tariffs, clock: Clock
    ) -> None:
        self._ledger = ledger
        self._registry = registry
        self._vault = vault
        self._tariffs = tariffs
        self._clock = clock
        self.assessor = Assessor(registry, vault)
        with ledger.database.transaction() as connection:
            open_rows = store.read_quarantine(connection, only_open=True)
        self.intents = Intents(row for row in open_rows if row.reason is Reason.UNCONFIRMED)

    def receive(self, body: bytes) -> Answer:
        """Take a batch in; durable when this returns. The same bytes again get the same answer, byte for byte.

        Raises BatchRefused subclasses (the bytes are kept), Overloaded, LedgerStopped.
        """
        if len(body) > BATCH_BYTES_MAX:
            raise BatchTooLarge(
                f"a batch has at most {BATCH_BYTES_MAX} bytes, this one has {len(body)}: send it in parts"
            )
        try:
            sender, batch = self._opened(body)
            return self._taken(body, sender, batch)
        except BatchRefused as refusal:
            self._keep(body, refusal)
            raise

    def _opened(self, body: bytes) -> tuple[Sender, Batch]:
        try:
            message = envelope.parse(body)
        except EnvelopeError as error:
            raise BatchMalformed(f"{error}: send a signed batch") from None
        if message.content_type != CONTENT_TYPE:
            raise BatchMalformed(f"the envelope holds {message.content_type[:60]!r}, not {CONTENT_TYPE}")
        if own.signed_here(message, self._vault):
            certificate, batch = own.opened(message, self._registry, self._vault)
            return self._sender(certificate), batch
        known = self._registry.certificates(int.from_bytes(message.kid, "big"))
        certificate = _signer(message, known)
        try:
            batch = decode_batch(message.payload)
        except BatchInvalid as error:
            raise BatchMalformed(str(error)) from None
        if batch.terminal != certificate.terminal:
            raise SignatureRefused(
                f"terminal {certificate.terminal} signed a batch in the name of {batch.terminal}"
            )
        if batch.last_sequence >= RELAYED_FROM:
            raise BatchMalformed(f"numbers from {RELAYED_FROM} are those of loads: the ledger writes them")
        check_dates(certificate, batch.sent_at, self._clock.now())
        return Sender(certificate, known[-1].not_before), batch

    def _sender(self, certificate: TerminalCertificate) -> Sender:
        return Sender(certificate, self._registry.history(certificate.terminal)[-1].not_before)

    def take_relayed(self, certificate: TerminalCertificate, record: TapRecord) -> bytes:
        """Post the one record of a load that the ledger ran itself, and close the load; the signed receipt.

        Durable when this returns. Raises Overloaded, LedgerStopped.
        """
        body, batch = own.written(certificate.terminal, record, self._vault, self._clock.now())
        assessed = self.assessor.assess(record, encode_record(record), certificate)
        unit = RelayedUnit(body, batch, self._sender(certificate), [assessed], self)
        return self._answer(body, batch, self._ledger.writer.submit(unit).result()).receipt

    def _taken(self, body: bytes, sender: Sender, batch: Batch) -> Answer:
        raws = raw_records(body)
        assessed = [
            self.assessor.assess(
                record, record.raw if isinstance(record, MalformedRecord) else raw, sender.certificate
            )
            for record, raw in zip(batch.records, raws, strict=True)
        ]
        unit = BatchUnit(body, batch, sender, assessed, self)
        return self._answer(body, batch, self._ledger.writer.submit(unit).result())

    def _answer(self, body: bytes, batch: Batch, taken: Taken) -> Answer:
        head = self._ledger.block(taken.block)
        receipt = Receipt(batch.terminal, batch.first_sequence, batch.last_sequence, digest(body), head)
        _log.info(
            "batch taken", terminal=batch.terminal, first=batch.first_sequence, records=len(batch.records)
        )
        return Answer(taken.results, receipt.signed(self._vault))

    @property
    def registry(self) -> Registry:
        """Who is known."""
        return self._registry

    @property
    def tariffs(self) -> Tariffs:
        """Who else pays for a fare."""
        return self._tariffs

    def _keep(self, body: bytes, refusal: BatchRefused) -> None:
        _log.warning("batch refused", reason=type(refusal).__name__, detail=str(refusal), size=len(body))
        row = store.RefusedRow(digest(body), type(refusal).__name__, str(refusal), body, self._clock.now())
        try:
            kept: bool = self._ledger.writer.submit(_Keep(row)).result()
            if not kept:
                _log.error(
                    "refused batch not kept", reason="as many are kept as may be: look at them and clear them"
                )
        except LedgerError:
            # The refusal is what the sender must hear; a ledger that cannot write says so at the next good batch.
            return


def _signer(message: Envelope, known: list[TerminalCertificate]) -> TerminalCertificate:
    """The certificate whose key signed a batch: a terminal that has renewed may still send what it signed before."""
    for certificate in known[:CERTIFICATES_TRIED]:
        try:
            message.verify(certificate.public_key)
        except SignatureWrong:
            continue
        return certificate
    raise SignatureRefused(f"the signature is not terminal {known[0].terminal}'s: kept for review")
