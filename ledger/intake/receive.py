"""Take a signed batch in: who sent it, what its cards signed, what is posted, what is kept (laws 2 to 6)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import structlog

from card.batch import BATCH_BYTES_MAX
from ledger.errors import BatchRefused, BatchTooLarge, UnitFailed
from ledger.intake import refused
from ledger.intake.assess import Assessor
from ledger.intake.batch_unit import BatchUnit, Taken
from ledger.intake.examining import Examining
from ledger.intake.intents import Intents
from ledger.intake.memory import Memory
from ledger.intake.quarantine import store as quarantine
from ledger.intake.reasons import Reason
from ledger.intake.receipt import Answer, Receipt
from ledger.intake.senders import Senders
from ledger.relay import own
from ledger.relay.unit import RelayedUnit
from ledger.watch.changes import Changes

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from card.batch import TapRecord
    from keys.clock import Clock
    from keys.identity import TerminalCertificate
    from keys.vault import Vault
    from ledger.book import Ledger
    from ledger.intake.posting import Tariffs
    from ledger.intake.registry import Registry

_log = structlog.get_logger("ledger.intake")


class Intake:
    """The door for signed batches."""

    def __init__(
        self, ledger: Ledger, registry: Registry, vault: Vault, tariffs: Tariffs, clock: Clock
    ) -> None:
        self._ledger = ledger
        self.registry = registry
        """Who is known."""
        self.tariffs = tariffs
        """Who else pays for a fare."""
        self._vault = vault
        self._clock = clock
        self.assessor = Assessor(registry, vault)
        self.memory = Memory()
        self.after_batch: list[Callable[[Sequence[int]], object]] = []
        self._changes = Changes(ledger.database)
        self._senders = Senders(registry, vault, clock)
        self._examining = Examining(ledger.database, registry, vault, tariffs, self.assessor, self.memory)
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
            sender, frame = self._senders.opened(body, counts)
            return self._taken(BatchUnit(self._examining.examined(body, sender, frame, counts), self))
        except (BatchRefused, UnitFailed) as refusal:
            refused.keep(body, refusal, self._ledger.writer, self._clock.now())
            raise

    def take_relayed(self, certificate: TerminalCertificate, record: TapRecord) -> bytes:
        """Post the one record of a load that the ledger ran itself, and close the load; the signed receipt.

        Durable when this returns. Raises Overloaded, LedgerStopped.
        """
        body, frame = own.written(certificate.terminal, record, self._vault, self._clock.now())
        sender, counts = self._senders.sender(certificate), self._changes.counts()
        examined = self._examining.examined(body, sender, frame, counts)
        return self._taken(RelayedUnit(examined, self)).receipt

    def _taken(self, unit: BatchUnit) -> Answer:
        taken: Taken = self._ledger.writer.submit(unit).result()
        examined, head = unit.examined, self._ledger.block(taken.block)
        frame = examined.frame
        receipt = Receipt(frame.terminal, frame.first_sequence, frame.last_sequence, examined.digest, head)
        _log.info("batch taken", terminal=frame.terminal, first=frame.first_sequence, records=len(frame.raws))
        for told in self.after_batch:
            told(examined.uids.tolist())
        return Answer(taken.outcomes, receipt.signed(self._vault))
