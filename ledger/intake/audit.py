"""Check the books against the cards: every signature, every Transaction MAC, every tap against its transfers.

Raises DatabaseDamaged, naming batch and record of the first difference. `ledger.verify` checks the chain below.
"""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from card import evidence
from card.batch import RELAYED_FROM, RecordStatus, TapRecord, decode_batch, digest
from card.errors import CardError
from keys import envelope
from keys.errors import KeysError, SignatureWrong
from keys.money import sen_of
from ledger.chain.store import read_documents, read_rows
from ledger.errors import DatabaseDamaged, LedgerError
from ledger.intake import store
from ledger.intake.assess import identity_of
from ledger.intake.booked import NOWHERE, Booked, fingerprint
from ledger.intake.quarantine import store as quarantine
from ledger.intake.reasons import Outcome, Reason, Resolution
from ledger.transfer import Flag, Kind

if TYPE_CHECKING:
    from ledger.intake.assess import Assessor
    from ledger.intake.registry import Registry
    from ledger.intake.store import BatchRow, TapRow
    from ledger.store import Connection, Database

_CARD_KINDS = [Kind.FARE, Kind.SALE, Kind.LOAD, Kind.REFUND]
_GAINS = [Kind.LOAD, Kind.REFUND]


@dataclass(frozen=True, slots=True)
class Audited:
    """What was checked: batches, records, and Transaction MACs recomputed."""

    batches: int
    records: int
    macs: int
    taps: int


def audit(database: Database, registry: Registry, assessor: Assessor) -> Audited:
    """Check everything that cards and terminals signed against what is in the books."""
    with database.transaction() as connection:
        audit_ = _Audit(connection, registry, assessor)
        for batch in store.all_batches(connection):
            audit_.take(batch)
        return audit_.finish()


class _Audit:
    """Counts and what is still to be accounted for."""

    def __init__(self, connection: Connection, registry: Registry, assessor: Assessor) -> None:
        self.batches = self.records = self.macs = 0
        self._connection = connection
        self._keys: dict[int, list[bytes]] = {}
        self._registry = registry
        self._assessor = assessor
        self._booked = Booked(connection)
        self._quarantined = {
            (row.terminal, row.sequence): row for row in quarantine.read_quarantine(connection)
        }
        self._block, self._documents = 0, list[bytes]()

    def take(self, row: BatchRow) -> None:
        """One batch: its bytes, its signature, its records."""
        where = f"batch of terminal {row.terminal} from sequence {row.first_sequence} (block {row.block})"
        if row.block != self._block:
            self._block, self._documents = row.block, read_documents(self._connection, row.block)
        if row.ordinal >= len(self._documents) or digest(self._documents[row.ordinal]) != row.digest:
            raise DatabaseDamaged(f"{where} is not what was received; restore from backup")
        try:
            batch = decode_batch(self._signed(row, self._documents[row.ordinal]))
        except (KeysError, CardError, LedgerError) as error:
            raise DatabaseDamaged(f"{where} does not verify: {error}") from error
        results = row.results
        if [result["sequence"] for result in results] != [record.sequence for record in batch.records]:
            raise DatabaseDamaged(f"{where} has not one answer a record; restore from backup")
        self.batches += 1
        for record, result in zip(batch.records, results, strict=True):
            self._record(row, record, result["result"], where)

    def _signed(self, row: BatchRow, document: bytes) -> bytes:
        """A batch's payload, signed by a key that the terminal had, or by the ledger for it; raises EnvelopeError subclasses."""
        terminal, message = row.terminal, envelope.parse(document)
        if row.first_sequence >= RELAYED_FROM:
            return message.verify(self._assessor.ledger_key)
        if terminal not in self._keys:
            self._keys[terminal] = [one.public_key for one in self._registry.history(terminal)]
        for key in self._keys[terminal]:
            with suppress(SignatureWrong):
                return message.verify(key)
        raise SignatureWrong(f"the signature is not that of a key of terminal {terminal}")

    def _record(self, row: BatchRow, record: object, result: str, where: str) -> None:
        self.records += 1
        if not isinstance(record, TapRecord):
            self._expect((row.terminal, getattr(record, "sequence", 0)) in self._quarantined, where, record)
        elif result == Outcome.QUARANTINED:
            self._quarantine(row, record, where)
        elif record.status is RecordStatus.CONFIRMED:
            self._prove(record, record.tmv, where)

    def _quarantine(self, row: BatchRow, record: TapRecord, where: str) -> None:
        kept = self._quarantined.get((row.terminal, record.sequence))
        self._expect(kept is not None, where, record)
        if kept is not None and kept.reason is Reason.UNCONFIRMED and kept.resolution == Resolution.WITNESSED:
            card = self._registry.card(int.from_bytes(record.uid, "big"))
            self._expect(card is not None, where, record)
            if card is not None:
                self._prove(record, self._assessor.tmv_of(card, record.tmc, record.tmi), where)

    def _prove(self, record: TapRecord, tmv: bytes, where: str) -> None:
        uid = int.from_bytes(record.uid, "big")
        card, place = self._registry.card(uid), self._booked.place(uid, record.tmc)
        self._expect(card is not None and place != NOWHERE, where, record)
        if card is None:
            return
        self.macs += 1
        self._expect(self._assessor.signed(card, record.tmc, record.tmi, tmv), where, record)
        signed = evidence.parse(record.tmi)
        told = fingerprint(
            identity_of(record.tmi, tmv), signed.record.kind, sen_of(signed.amount), sen_of(signed.record.balance_after)
        )  # fmt: skip
        self._expect(self._booked.says(place, told), where, record)
        self._booked.prove(place)

    def _expect(self, holds: bool, where: str, record: object) -> None:
        if not holds:
            sequence = getattr(record, "sequence", "?")
            raise DatabaseDamaged(f"{where}: record {sequence} is not in the books as its card signed it")

    def finish(self) -> Audited:
        """No tap without a proof, and the money of each tap is what its card moved."""
        unproven = self._booked.unproven()
        if unproven is not None:
            raise DatabaseDamaged(
                f"tap {unproven[1]} of a card in partition {self._tap(unproven).partition} has no batch"
            )
        strangers = self._move()
        wrong = self._booked.unmoved()
        if wrong is not None:
            raise DatabaseDamaged(
                f"position {self._tap(wrong).position}: the transfers are not what the card signed"
            )
        if strangers:
            raise DatabaseDamaged(f"{strangers} transfers of card transactions have no tap")
        return Audited(self.batches, self.records, self.macs, len(self._booked))

    def _tap(self, name: tuple[int, int]) -> TapRow:
        return next(tap for tap in store.all_taps(self._connection) if (tap.uid, tap.tmc) == name)

    def _move(self) -> int:
        """Add up what the journal moved for each tap; returns how many transfers of cards belong to none."""
        strangers = 0
        for rows in read_rows(self._connection):
            real = rows["flags"] & Flag.UNPOSTED == 0
            some = rows[np.isin(rows["kind"], _CARD_KINDS) & real & (rows["tmc"] > 0)]
            places = self._booked.places(some["uid"], some["tmc"])
            known = places != NOWHERE
            gained = np.where(np.isin(some["kind"], _GAINS), some["amount"], -some["amount"])
            self._booked.move(places[known], gained[known])
            strangers += int((~known).sum())
        return strangers
