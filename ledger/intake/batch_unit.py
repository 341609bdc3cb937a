"""A batch as one unit of the writer: identities looked up, transfers planned, rows written, all or nothing."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from card.batch import FIRST_DIGEST, RELAYED_FROM, RecordStatus, TapRecord, digest
from keys.clock import UnixMs
from keys.money import Rupiah, sen_of
from ledger.bundles.blocks import BlockedThen
from ledger.errors import BatchConflict, BatchOutOfOrder
from ledger.intake import posting, store
from ledger.intake.assess import Assessed, identity_of
from ledger.intake.bounds import Bounds, Doubt, refused_credit
from ledger.intake.entries import Entry, exceptions_of
from ledger.intake.intents import OpenIntent, Verdict, verdict
from ledger.intake.posting import Tap
from ledger.intake.reasons import ExceptionKind, Outcome, Reason, Resolution
from ledger.transfer import Result

if TYPE_CHECKING:
    from collections.abc import Sequence

    from card.batch import Batch
    from card.evidence import CardTransaction
    from keys.identity import TerminalCertificate
    from ledger.intake.bounds import Sender
    from ledger.intake.receive import Intake
    from ledger.intake.registry import Card
    from ledger.transfer import Transfer
    from ledger.writer import Posted, Transaction


@dataclass(frozen=True, slots=True)
class Taken:
    """What became of a batch: a result a record, and the block that holds it."""

    results: list[dict[str, Any]]
    block: int


class BatchUnit:
    """Implements `ledger.writer.Unit` for one batch."""

    def __init__(
        self,
        body: bytes,
        batch: Batch,
        sender: Sender,
        assessed: list[Assessed],
        intake: Intake,
    ) -> None:
        self.document = body
        self._body = body
        self._batch = batch
        self._certificate = sender.certificate
        self._bounds = Bounds(batch, sender)
        self._doubts: tuple[Doubt, ...] = ()
        self._assessed = assessed
        self._intake = intake
        self._known: Taken | None = None
        self._results: list[dict[str, Any]] = []
        self._entries: list[Entry] = []
        self._quarantined: list[tuple[Assessed, Reason, str]] = []
        self._planned: dict[tuple[int, int], bytes] = {}
        self._settling: set[tuple[int, int]] = set()
        self._given_back: list[Transfer] = []
        self._fresh: list[OpenIntent] = []
        self._spent: set[int] = set()

    def plan(self, tx: Transaction) -> Sequence[Transfer]:
        """Place the batch in its terminal's chain, then decide record by record."""
        if self._is_replay(tx):
            return ()
        for place, one in enumerate(self._assessed):
            self._decide(place, one, tx)
        posted = [transfer for entry in self._entries for transfer in entry.transfers]
        return posted + self._given_back

    def _is_replay(self, tx: Transaction) -> bool:
        batch = self._batch
        same = store.batch_at(tx.connection, batch.terminal, batch.first_sequence)
        if same is not None:
            if same.digest != digest(self._body):
                raise BatchConflict(
                    f"terminal {batch.terminal} sent other records under the numbers from {batch.first_sequence}: kept"
                )
            self._known = Taken(same.results, same.block)
            self.document = b""
            return True
        if (
            batch.first_sequence >= RELAYED_FROM
        ):  # a load's own record: each stands alone, under its request's number
            return False
        last = store.last_batch(tx.connection, batch.terminal)
        self._bounds.last_occurred_at = last.last_occurred_at if last else UnixMs(0)
        expected = last.last_sequence + 1 if last else 1
        if batch.first_sequence != expected:
            kind = BatchOutOfOrder if batch.first_sequence > expected else BatchConflict
            raise kind(
                f"terminal {batch.terminal} must go on at sequence {expected}, not {batch.first_sequence}"
            )
        if batch.previous_digest != (last.digest if last else FIRST_DIGEST):
            raise BatchOutOfOrder(f"the batch from {batch.first_sequence} is not chained to the one before")
        return False

    def _decide(self, place: int, one: Assessed, tx: Transaction) -> None:
        record = one.record
        self._results.append({"sequence": record.sequence, "result": Outcome.POSTED.value})
        timed = self._bounds.time_doubts(record, tx) if isinstance(record, TapRecord) else ()
        self._doubts = (*one.doubts, *timed)
        if (
            isinstance(record, TapRecord)
            and one.card is not None
            and one.reason in {None, Reason.UNCONFIRMED}
        ):
            self._settle_intents(one.card, record, tx)
        if one.reason is not None:
            self._quarantine(place, one, one.reason, one.detail)
            if one.reason is Reason.UNCONFIRMED and isinstance(record, TapRecord) and one.card is not None:
                self._open_intent(one.card, OpenIntent(self._batch.terminal, record, one.raw), tx)
        elif isinstance(record, TapRecord) and one.transaction is not None and one.card is not None:
            self._decide_tap(place, one, record, one.transaction, one.card, tx)
        elif isinstance(record, TapRecord) and one.card is not None:
            self._give_back(record, one.card, tx)

    def _give_back(self, record: TapRecord, card: Card, tx: Transaction) -> None:
        """A load that never started: void its hold."""
        wanted = record.context.authorisation
        load = store.load_of_hold(tx.connection, self._batch.terminal, wanted) if wanted else None
        if load is not None and load.uid == card.uid and self._spend(wanted, tx):
            amount, owner = Rupiah(load.amount), self._certificate.owner
            self._given_back.append(
                posting.void_hold(card.card_number, owner, amount, record.occurred_at, wanted)
            )

    def _decide_tap(
        self,
        place: int,
        one: Assessed,
        record: TapRecord,
        transaction: CardTransaction,
        card: Card,
        tx: Transaction,
    ) -> None:
        identity = identity_of(record.tmi, record.tmv)
        known = self._identity_at(card, record.tmc, tx)
        if known == identity:
            self._results[place]["result"] = Outcome.DUPLICATE.value
        elif known is not None:
            detail = f"counter {record.tmc} of this card stands for another transaction: a clone or a replay"
            self._quarantine(place, one, Reason.CONFLICT, detail)
        else:
            self._enter(
                self._batch.terminal, record, transaction, card, identity, tx, place=place, doubts=self._doubts
            )  # fmt: skip

    def _identity_at(self, card: Card, tmc: int, tx: Transaction) -> bytes | None:
        planned = self._planned.get((card.uid, tmc))
        return planned or store.tap_identity(tx.connection, card.partition, card.uid, tmc)

    def _enter(
        self,
        terminal: int,
        record: TapRecord,
        transaction: CardTransaction,
        card: Card,
        identity: bytes,
        tx: Transaction,
        *,
        place: int | None = None,
        intent: OpenIntent | None = None,
        doubts: tuple[Doubt, ...] = (),
    ) -> None:
        hold = self._hold_of(terminal, record, tx)
        context = record.context
        tap = Tap(
            card.uid, record.tmc, terminal, record.sequence, transaction, context.tariff, context.rules, hold
        )
        owner = self._intake.registry.enrolled(terminal, tap.occurred_at) if intent else self._certificate
        limit = self._bounds.limit_doubt(tap, owner, tx)
        doubts = (*doubts, limit) if limit else doubts
        refused = refused_credit(doubts) if transaction.record.kind.credits_card and not hold else None
        if refused is not None and place is not None:
            self._bounds.take_back(tap)
            self._quarantine(place, self._assessed[place], *refused)
            return
        unauthorised = bool(transaction.record.kind.name == "LOAD" and not hold)
        self._planned[card.uid, record.tmc] = identity
        self._entries.append(
            Entry(
                tap,
                card,
                identity,
                record,
                self._transfers(tap, owner, doubts),
                place,
                intent,
                unauthorised=unauthorised,
                doubts=doubts,
            )
        )

    def _transfers(self, tap: Tap, owner: TerminalCertificate, doubts: tuple[Doubt, ...]) -> list[Transfer]:
        if any(doubt.kind is ExceptionKind.RIGHT_MISSING for doubt in doubts):
            return posting.post_in_suspense(tap)
        return posting.post(tap, owner, self._intake.tariffs)

    def _hold_of(self, terminal: int, record: TapRecord, tx: Transaction) -> int:
        """The hold that this load was authorised by; 0 where there is none that fits."""
        wanted = record.context.authorisation
        load = store.load_of_hold(tx.connection, terminal, wanted) if wanted else None
        fits = (
            load is not None
            and load.uid == int.from_bytes(record.uid, "big")
            and load.amount == record.amount
        )
        return wanted if fits and self._spend(wanted, tx) else 0

    def _spend(self, hold: int, tx: Transaction) -> bool:
        """True the first time in this batch that a pending hold is asked for: one hold has one fate."""
        if hold in self._spent or not tx.pending(hold):
            return False
        self._spent.add(hold)
        return True

    def _settle_intents(self, card: Card, sight: TapRecord, tx: Transaction) -> None:
        for intent in self._waiting(card, sight.uid):
            name = (intent.terminal, intent.record.sequence)
            if name in self._settling:
                continue
            tmv = self._intake.assessor.tmv_of(card, intent.record.tmc, intent.record.tmi)
            said = verdict(intent.record, tmv, sight)
            if said is not None:
                self._settling.add(name)
                self._settle_intent(card, intent, tmv, said, tx)

    def _waiting(self, card: Card, uid: bytes) -> list[OpenIntent]:
        """A card's open intents: those of earlier batches, then those of this one."""
        fresh = [intent for intent in self._fresh if intent.record.uid == uid]
        return [*self._intake.intents.of(card.uid), *fresh]

    def _open_intent(self, card: Card, intent: OpenIntent, tx: Transaction) -> None:
        """Wait for the card to tell, unless it has told already: a later tap may have come in before this one."""
        record = intent.record
        tmv = self._intake.assessor.tmv_of(card, record.tmc, record.tmi)
        if self._identity_at(card, record.tmc, tx) is not None:
            self._settle_intent(card, intent, tmv, Verdict.NEVER_HAPPENED, tx)
        elif self._was_seen(card, record, tmv, tx):
            self._settle_intent(card, intent, tmv, Verdict.HAPPENED, tx)
        else:
            self._fresh.append(intent)

    def _was_seen(self, card: Card, record: TapRecord, tmv: bytes, tx: Transaction) -> bool:
        """True where a later record of the card that is here already showed this value: a tap, or an intent of its own."""
        waiting = [intent.record for intent in self._waiting(card, record.uid)]
        after = store.seen_after(tx.connection, card.partition, card.uid, record.tmc)
        return after == tmv or (record.tmc, tmv) in {(one.seen_tmc, one.seen_tmv) for one in waiting}

    def _settle_intent(
        self, card: Card, intent: OpenIntent, tmv: bytes, said: Verdict, tx: Transaction
    ) -> None:
        certificate = self._intake.registry.enrolled(intent.terminal, intent.record.occurred_at)
        found = self._intake.assessor.assess(intent.record, intent.raw, certificate)
        if found.transaction is None:
            return
        identity = identity_of(intent.record.tmi, tmv)
        if said is Verdict.HAPPENED and self._identity_at(card, intent.record.tmc, tx) is None:
            self._enter(
                intent.terminal,
                intent.record,
                found.transaction,
                card,
                identity,
                tx,
                intent=intent,
                doubts=found.doubts,
            )
            # The chip's value is behind it now, so that it tells of the card's other intents as any tap would.
            self._settle_intents(card, replace(intent.record, status=RecordStatus.CONFIRMED, tmv=tmv), tx)
            return
        hold = self._hold_of(intent.terminal, intent.record, tx)
        tap = Tap(
            card.uid,
            intent.record.tmc,
            intent.terminal,
            intent.record.sequence,
            found.transaction,
            "",
            (),
            hold,
        )
        transfers = [posting.void_load(tap, certificate.owner)] if hold else []
        self._entries.append(Entry(tap, card, identity, intent.record, transfers, None, intent, void=True))

    def _quarantine(self, place: int, one: Assessed, reason: Reason, detail: str) -> None:
        self._results[place] |= {"result": Outcome.QUARANTINED.value, "reason": reason.value}
        self._quarantined.append((one, reason, detail))

    def settle(self, posted: Sequence[Posted], tx: Transaction) -> Taken:
        """Write the batch, its taps, what is quarantined and what is exceptional."""
        if self._known is not None:
            return self._known
        taps, exceptions, done, at = [], [], list[Entry](), 0
        blocked = BlockedThen(tx.connection, [(one.card.partition, one.card.uid) for one in self._entries])
        for entry in self._entries:
            mine = posted[at : at + len(entry.transfers)]
            at += len(entry.transfers)
            if all(one.result is Result.POSTED for one in mine):
                if not entry.void:
                    taps.append(self._tap_row(entry, mine, tx))
                exceptions += exceptions_of(entry, blocked, tx)
                done.append(entry)
            elif entry.place is not None:
                why = next(
                    one.result for one in mine if one.result not in {Result.POSTED, Result.LINKED_FAILED}
                )
                self._quarantine(
                    entry.place, self._assessed[entry.place], Reason.NOT_APPLIED, why.name.lower()
                )
        store.insert_taps(tx.connection, taps)
        self._write_quarantine(tx, exceptions)
        for entry in done:
            self._close_intent(entry, tx)
        store.insert_exceptions(tx.connection, exceptions)
        self._bounds.settle(tx)
        store.insert_batch(tx.connection, self._batch_row(tx))
        return Taken(self._results, tx.block)

    def _batch_row(self, tx: Transaction) -> store.BatchRow:
        batch = self._batch
        return store.BatchRow(
            batch.terminal, batch.first_sequence, batch.last_sequence, digest(self._body), tx.block, tx.ordinal,
            tx.received_at, self._results, self._bounds.last_occurred_at,
        )  # fmt: skip

    def _tap_row(self, entry: Entry, posted: Sequence[Posted], tx: Transaction) -> store.TapRow:
        tap, record, where = entry.tap, entry.tap.transaction.record, entry.record.context
        return store.TapRow(
            entry.card.partition, tap.uid, tap.tmc, entry.identity, tap.terminal, tap.sequence, record.kind,
            sen_of(tap.transaction.amount), sen_of(record.balance_after), posted[0].position if posted else 0,
            tap.occurred_at, tap.service_day, tx.business_date, where.route, where.stop, " ".join(tap.rules),
            entry.record.seen_tmv,
        )  # fmt: skip

    def _close_intent(self, entry: Entry, tx: Transaction) -> None:
        if entry.intent is None:
            return
        how = Resolution.VOIDED if entry.void else Resolution.WITNESSED
        sequence = entry.intent.record.sequence
        store.resolve_quarantine(tx.connection, entry.intent.terminal, sequence, how, tx.received_at)
        self._intake.intents.remove(entry.card.uid, entry.intent)

    def _write_quarantine(self, tx: Transaction, exceptions: list[store.ExceptionRow]) -> None:
        rows = []
        for one, reason, detail in self._quarantined:
            record = one.record
            tmc, amount = (record.tmc, sen_of(record.amount)) if isinstance(record, TapRecord) else (0, 0)
            rows.append(
                store.QuarantineRow(
                    self._batch.terminal,
                    record.sequence,
                    reason,
                    detail,
                    one.uid,
                    tmc,
                    amount,
                    one.raw,
                    tx.received_at,
                )
            )
            if reason is Reason.CONFLICT and one.card is not None:
                exceptions.append(
                    store.ExceptionRow(
                        one.card.partition, one.uid, tmc, ExceptionKind.CLONE_OR_REPLAY, self._batch.terminal,
                        record.sequence, detail, tx.received_at,
                    )
                )  # fmt: skip
            if reason is Reason.UNCONFIRMED and isinstance(record, TapRecord):
                assert record.status is RecordStatus.UNCONFIRMED  # noqa: S101  what the reason means
                self._intake.intents.add(one.uid, OpenIntent(self._batch.terminal, record, one.raw))
        store.insert_quarantine(tx.connection, rows)
