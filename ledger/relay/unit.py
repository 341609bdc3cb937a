"""The writer's units of a relayed load: its intent, and its one record."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from card.batch import RELAYED_FROM, RecordStatus, decode_record
from ledger.intake import store
from ledger.intake.authorised import store as authorised
from ledger.intake.authorised.store import CLOSED
from ledger.intake.batch_unit import BatchUnit

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ledger.intake.batch_unit import Taken
    from ledger.transfer import Transfer
    from ledger.writer import PostedRows, Transaction


@dataclass(slots=True)
class Intend:
    """Makes an intent durable, before the commit that it stands for goes out."""

    terminal: int
    request: int
    raw: bytes
    document: bytes = field(default=b"", init=False)

    def plan(self, _tx: Transaction) -> Sequence[Transfer]:
        """Nothing moves."""
        return ()

    def settle(self, _posted: PostedRows, tx: Transaction) -> None:
        """Keep it."""
        authorised.change_load(tx.connection, self.terminal, self.request, authorised.INTENDED, self.raw)


class RelayedUnit(BatchUnit):
    """A load's record, and the end of its row, in one.

    A load has one. What was written first stands, though nobody heard of it: but for a card's own evidence, of which nothing is dropped.
    """

    def _was_taken(self, tx: Transaction) -> bool:
        frame = self.examined.frame
        same = store.batch_at(tx.reading, frame.terminal, frame.first_sequence)
        if same is not None and not self._is_evidence():
            self.examined = replace(self.examined, digest=same.digest)
        return super()._was_taken(tx)

    def _is_evidence(self) -> bool:
        (raw,), sequence = self.examined.frame.raws, self.examined.frame.first_sequence
        return decode_record(raw, sequence).status is RecordStatus.CONFIRMED

    def settle(self, posted: PostedRows, tx: Transaction) -> Taken:
        """Write the record as any batch, and close the load."""
        taken = super().settle(posted, tx)
        frame = self.examined.frame
        request = frame.first_sequence - RELAYED_FROM
        authorised.change_load(tx.connection, frame.terminal, request, CLOSED, b"")
        return taken
