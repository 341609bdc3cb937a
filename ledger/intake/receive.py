"""Take a signed batch in: who sent it, what its cards signed, what is posted, what is kept (laws 2 to 6)."""

from __future__ import annotations

import base64
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import structlog

from card.batch import BATCH_BYTES_MAX, CONTENT_TYPE, RELAYED_FROM, BatchFrame, decode_frame, digest
from card.errors import BatchInvalid
from keys import envelope
from keys.errors import EnvelopeError, SignatureWrong
from ledger.bundles.blocks import BlockedThen
from ledger.errors import (
    BatchMalformed,
    BatchRefused,
    BatchTooLarge,
    LedgerError,
    SignatureRefused,
    UnitFailed,
)
from ledger.intake.assess import Assessor
from ledger.intake.batch_unit import BatchUnit, Taken
from ledger.intake.bounds import Sender, check_dates
from ledger.intake.columnar.columns import Columns
from ledger.intake.columnar.fields import UID
from ledger.intake.columnar.posting import subsidies
from ledger.intake.columnar.store import highest_counters
from ledger.intake.examined import Examined, assess_rest
from ledger.intake.intents import Intents
from ledger.intake.memory import Memory
from ledger.intake.quarantine import store as quarantine
from ledger.intake.reasons import Reason
from ledger.intake.receipt import Receipt
from ledger.relay import own
from ledger.relay.unit import RelayedUnit
from ledger.watch.changes import Changes, Remembered
from ledger.watch.store import BLOCKS

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    import numpy.typing as npt

    from card.batch import TapRecord
    from keys.clock import Clock
    from keys.envelope import Envelope
    from keys.identity import TerminalCertificate
    from keys.vault import Vault
    from ledger.book import Ledger
    from ledger.intake.outcomes import Outcomes
    from ledger.intake.posting import Tariffs
    from ledger.intake.registry import Registry
    from ledger.transfer import Transfer
    from ledger.writer import Posted, Transaction

    Integers = npt.NDArray[np.int64]

CERTIFICATES_TRIED: Final = 6
"""How many of a terminal's newest certificates may have signed a batch: four months of renewals."""
_log = structlog.get_logger("ledger.intake")


@dataclass(frozen=True, slots=True)
class Answer:
    """What became of each record, and the signed receipt."""

    outcomes: Outcomes
    receipt: bytes

    @property
    def results(self) -> list[dict[str, Any]]:
        """One result a record."""
        return self.outcomes.said()

    def as_json(self) -> dict[str, Any]:
        """What travels: the receipt in base64."""
        return {"results": self.results, "receipt": base64.b64encode(self.receipt).decode()}

    def encoded(self) -> bytes:
        """The same as the bytes that travel, without an object a record."""
        receipt = base64.b64encode(self.receipt).decode()
        return f'{{"results":{self.outcomes.as_json()},"receipt":"{receipt}"}}'.encode()


@dataclass(slots=True)
class _Keep:
    """A unit that keeps a refused batch."""

    row: quarantine.RefusedRow
    document: bytes = field(default=b"", init=False)

    def plan(self, _tx: Transaction) -> Sequence[Transfer]:
        return ()

    def settle(self, _posted: Sequence[Posted], tx: Transaction) -> bool:
        return quarantine.keep_refused(tx.connection, self.row)


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
        self.memory = Memory()
        self.after_batch: list[Callable[[Sequence[int]], object]] = []
        self._changes = Changes(ledger.database)
        self._blocked = Remembered(BLOCKS, self._read_blocks)
        self.intents = Intents(self._open_intents())
        ledger.writer.standing.undone.append(self._forget)

    def _open_intents(self) -> list[quarantine.QuarantineRow]:
        with self._ledger.database.transaction() as connection:
            rows = quarantine.read_quarantine(connection, only_open=True)
        return [row for row in rows if row.reason is Reason.UNCONFIRMED]

    def _forget(self) -> None:
        """What was settled last may not be in the books: know what they say, and nothing else."""
        self.memory.forget()
        self.intents.begin_anew(self._open_intents())

    def receive(self, body: bytes) -> Answer:
        """Take a batch in; durable when this returns. The same bytes again get the same answer, byte for byte.

        Raises BatchRefused subclasses (the bytes are kept), Overloaded, LedgerStopped.
        """
        if len(body) > BATCH_BYTES_MAX:
            raise BatchTooLarge(
                f"a batch has at most {BATCH_BYTES_MAX} bytes, this one has {len(body)}: send it in parts"
            )
        try:
            counts = self._changes.counts()
            sender, frame = self._opened(body, counts)
            return self._taken(BatchUnit(self._examined(body, sender, frame, counts), self))
        except (BatchRefused, UnitFailed) as refusal:
            self._keep(body, refusal)
            raise

    def _opened(self, body: bytes, counts: Mapping[str, int]) -> tuple[Sender, BatchFrame]:
        try:
            message = envelope.parse(body)
        except EnvelopeError as error:
            raise BatchMalformed(f"{error}: send a signed batch") from None
        if message.content_type != CONTENT_TYPE:
            raise BatchMalformed(f"the envelope holds {message.content_type[:60]!r}, not {CONTENT_TYPE}")
        if own.signed_here(message, self._vault):
            certificate, frame = own.opened(message, self._registry, self._vault)
            return self._sender(certificate), frame
        known = self._registry.certificates(int.from_bytes(message.kid, "big"), counts)
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

    def _read_blocks(self) -> BlockedThen:
        with self._ledger.database.transaction() as connection:
            return BlockedThen(connection)

    def _sender(self, certificate: TerminalCertificate) -> Sender:
        return Sender(certificate, self._registry.history(certificate.terminal)[-1].not_before)

    def take_relayed(self, certificate: TerminalCertificate, record: TapRecord) -> bytes:
        """Post the one record of a load that the ledger ran itself, and close the load; the signed receipt.

        Durable when this returns. Raises Overloaded, LedgerStopped.
        """
        body, frame = own.written(certificate.terminal, record, self._vault, self._clock.now())
        examined = self._examined(body, self._sender(certificate), frame, self._changes.counts())
        return self._taken(RelayedUnit(examined, self)).receipt

    def _examined(
        self, body: bytes, sender: Sender, frame: BatchFrame, counts: Mapping[str, int]
    ) -> Examined:
        """Everything that can be found out about a batch before the writer's turn; safe in several threads at once."""
        certificate = sender.certificate
        columns = Columns(frame.raws, frame.first_sequence).prove(
            certificate, self._registry.columns, self._vault
        )
        assessed, occurred_at, uids = assess_rest(columns, self.assessor, certificate)
        unread = self.memory.counters.unread(columns.places[columns.plain])
        return Examined(
            body, digest(body), frame, sender, columns, assessed, occurred_at, uids,
            subsidies(columns, self._tariffs), unread, self._highest(columns, unread), self._blocked.as_of(counts),
        )  # fmt: skip

    def _highest(self, columns: Columns, unread: Integers) -> Integers:
        """The highest counters of the cards at some places, from the table of taps."""
        if not len(unread):
            return unread
        uids = dict(zip(columns.places.tolist(), columns.at[UID].tolist(), strict=True))
        partitions = self._registry.columns.columns.partition[unread]
        cards = list(zip(partitions.tolist(), (uids[place] for place in unread.tolist()), strict=True))
        with self._ledger.database.transaction() as connection:
            found = highest_counters(connection, cards)
        return np.array([found[uid] for _, uid in cards], np.int64)

    def _taken(self, unit: BatchUnit) -> Answer:
        taken: Taken = self._ledger.writer.submit(unit).result()
        examined, head = unit.examined, self._ledger.block(taken.block)
        frame = examined.frame
        receipt = Receipt(frame.terminal, frame.first_sequence, frame.last_sequence, examined.digest, head)
        _log.info("batch taken", terminal=frame.terminal, first=frame.first_sequence, records=len(frame.raws))
        for told in self.after_batch:
            told(examined.uids.tolist())
        return Answer(taken.outcomes, receipt.signed(self._vault))

    @property
    def registry(self) -> Registry:
        """Who is known."""
        return self._registry

    @property
    def tariffs(self) -> Tariffs:
        """Who else pays for a fare."""
        return self._tariffs

    def _keep(self, body: bytes, refusal: BatchRefused | UnitFailed) -> None:
        _log.warning("batch refused", reason=type(refusal).__name__, detail=str(refusal), size=len(body))
        row = quarantine.RefusedRow(
            digest(body), type(refusal).__name__, str(refusal), body, self._clock.now()
        )
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
