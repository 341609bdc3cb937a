"""What becomes of records that are looked at one by one: duplicates, conflicts, loads, torn taps, doubts. Part of a batch's plan."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from card.batch import RecordStatus, TapRecord
from card.layout import TapKind
from card.tmac import TMV_BYTES
from keys.money import Rupiah
from ledger.intake import posting, store
from ledger.intake.assess import identity_of
from ledger.intake.authorised import store as authorised
from ledger.intake.bounds import refused_credit
from ledger.intake.columnar import store as lookups
from ledger.intake.entries import Entry
from ledger.intake.holds import Holds, is_from_wallet, payer
from ledger.intake.identities import Identities
from ledger.intake.intents import OpenIntent, Verdict, verdict
from ledger.intake.posting import Tap
from ledger.intake.reasons import ExceptionKind, Reason

if TYPE_CHECKING:
    from card.evidence import CardTransaction
    from keys.clock import UnixMs
    from keys.identity import TerminalCertificate
    from ledger.intake.assess import Assessed
    from ledger.intake.bounds import Bounds, Doubt
    from ledger.intake.cards.issued import Card
    from ledger.intake.receive import Intake
    from ledger.transfer import Transfer
    from ledger.writer import Transaction


@dataclass(frozen=True, slots=True)
class Kept:
    """A record that goes into quarantine, at its place in the batch."""

    place: int
    one: Assessed
    reason: Reason
    detail: str


class Decisions:
    """Decides record after record of one batch, in order; what it found is in its lists."""

    def __init__(
        self, terminal: int, certificate: TerminalCertificate, bounds: Bounds, intake: Intake
    ) -> None:
        self._terminal = terminal
        self._certificate = certificate
        self._bounds = bounds
        self._intake = intake
        self._place = 0
        self._one: Assessed | None = None
        self._doubts: tuple[Doubt, ...] = ()
        self.identities = Identities()
        self._settling: set[tuple[int, int]] = set()
        self._fresh: list[OpenIntent] = []
        self._holds = Holds()
        self.entries: list[Entry] = []
        self.kept: list[Kept] = []
        self.duplicates: list[int] = []
        self.given_back: list[Transfer] = []
        self.sights: set[tuple[int, int, int, bytes]] = set()

    def decide(self, place: int, one: Assessed, time_before: UnixMs, tx: Transaction) -> None:
        """The record at a place; `time_before` is when the one before it occurred."""
        record, self._place, self._one = one.record, place, one
        self._bounds.last_occurred_at = time_before
        timed = self._bounds.time_doubts(record, tx) if isinstance(record, TapRecord) else ()
        self._doubts = (*one.doubts, *timed)
        if not isinstance(record, TapRecord) or one.card is None:
            self._keep(one.reason or Reason.MALFORMED, one.detail)
            return
        if one.reason in {None, Reason.UNCONFIRMED}:
            self._settle_intents(one.card, record, tx)
        if one.reason is not None:
            self._keep(one.reason, one.detail)
            if one.reason is Reason.UNCONFIRMED:
                self._open_intent(one.card, OpenIntent(self._terminal, record, one.raw), tx)
        elif one.transaction is not None:
            self._decide_tap(record, one.transaction, one.card, tx)
        else:
            self._remember(record, one.card, tx)
            self._give_back(record, one.card, tx)

    def _remember(self, record: TapRecord, card: Card, tx: Transaction) -> None:
        """What a terminal saw of a transaction that has not come in: its own terminal may send it as unconfirmed yet."""
        for tmc, tmv in {(record.seen_tmc, record.seen_tmv), (record.tmc, record.tmv)}:
            if tmc and len(tmv) == TMV_BYTES and self.identities.at(card, tmc, tx) is None:
                self.sights.add((card.partition, card.uid, tmc, tmv))

    def _give_back(self, record: TapRecord, card: Card, tx: Transaction) -> None:
        """A load that never started: void its hold."""
        wanted = record.context.authorisation
        load = authorised.load_of_hold(tx.reading, self._terminal, wanted) if wanted else None
        if is_from_wallet(wanted, tx):
            return  # the order waits on, for the card's next tap
        if load is not None and load.uid == card.uid and self._holds.spend(wanted, tx):
            kind = TapKind.REFUND if load.sale_sequence else TapKind.LOAD
            amount, owner = Rupiah(load.amount), self._certificate.owner
            self.given_back.append(
                posting.void_hold(kind, card.card_number, owner, amount, record.occurred_at, wanted)
            )

    def _decide_tap(
        self, record: TapRecord, transaction: CardTransaction, card: Card, tx: Transaction
    ) -> None:
        identity = identity_of(record.tmi, record.tmv)
        known = self.identities.at(card, record.tmc, tx)
        if known == identity:
            self.duplicates.append(self._place)
        elif known is not None:
            detail = f"counter {record.tmc} of this card stands for another transaction: a clone or a replay"
            self._keep(Reason.CONFLICT, detail)
        else:
            self._enter(self._terminal, record, transaction, card, identity, tx, doubts=self._doubts)

    def _enter(
        self,
        terminal: int,
        record: TapRecord,
        transaction: CardTransaction,
        card: Card,
        identity: bytes,
        tx: Transaction,
        *,
        intent: OpenIntent | None = None,
        doubts: tuple[Doubt, ...] = (),
    ) -> None:
        hold = self._holds.of(terminal, record, tx)
        context = record.context
        tap = Tap(
            card.uid, record.tmc, terminal, record.sequence, transaction, context.tariff, context.rules, hold,
            payer(hold, tx),
        )  # fmt: skip
        owner = self._intake.registry.enrolled(terminal, tap.occurred_at) if intent else self._certificate
        limit = self._bounds.limit_doubt(tap, owner, tx)
        doubts = (*doubts, limit) if limit else doubts
        refused = refused_credit(doubts) if transaction.record.kind.credits_card and not hold else None
        if refused is not None and intent is None:
            self._bounds.take_back(tap)
            self._keep(*refused)
            return
        unauthorised = bool(transaction.record.kind.name == "LOAD" and not hold)
        self.identities.plan(card, record.tmc, identity)
        transfers = self._transfers(tap, owner, doubts)
        self.entries.append(
            Entry(
                tap, card, identity, record, transfers, self._place, intent, unauthorised=unauthorised, doubts=doubts
            )
        )  # fmt: skip

    def _transfers(self, tap: Tap, owner: TerminalCertificate, doubts: tuple[Doubt, ...]) -> list[Transfer]:
        if any(doubt.kind is ExceptionKind.RIGHT_MISSING for doubt in doubts):
            return posting.post_in_suspense(tap)
        return posting.post(tap, owner, self._intake.tariffs)

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
        if self.identities.at(card, record.tmc, tx) is not None:
            self._settle_intent(card, intent, tmv, Verdict.NEVER_HAPPENED, tx)
        elif self._was_seen(card, record, tmv, tx):
            self._settle_intent(card, intent, tmv, Verdict.HAPPENED, tx)
        else:
            self._fresh.append(intent)

    def _was_seen(self, card: Card, record: TapRecord, tmv: bytes, tx: Transaction) -> bool:
        """True where a later record of the card that is here already showed this value: a tap, or an intent of its own."""
        waiting = [intent.record for intent in self._waiting(card, record.uid)]
        name = (card.partition, card.uid, record.tmc)
        return (
            (record.tmc, tmv) in {(one.seen_tmc, one.seen_tmv) for one in waiting}
            or (*name, tmv) in self.sights
            or store.seen_after(tx.reading, *name) == tmv
            or lookups.is_sighted(tx.reading, *name, tmv)
        )

    def _settle_intent(
        self, card: Card, intent: OpenIntent, tmv: bytes, said: Verdict, tx: Transaction
    ) -> None:
        certificate = self._intake.registry.enrolled(intent.terminal, intent.record.occurred_at)
        found = self._intake.assessor.assess(intent.record, intent.raw, certificate)
        if found.transaction is None:
            return
        identity = identity_of(intent.record.tmi, tmv)
        if said is Verdict.HAPPENED and self.identities.at(card, intent.record.tmc, tx) is None:
            self._enter(
                intent.terminal, intent.record, found.transaction, card, identity, tx, intent=intent, doubts=found.doubts
            )  # fmt: skip
            # The chip's value is behind it now, so that it tells of the card's other intents as any tap would.
            self._settle_intents(card, replace(intent.record, status=RecordStatus.CONFIRMED, tmv=tmv), tx)
            return
        waits = is_from_wallet(intent.record.context.authorisation, tx)
        hold = 0 if waits else self._holds.of(intent.terminal, intent.record, tx)
        name = (card.uid, intent.record.tmc, intent.terminal, intent.record.sequence)
        tap = Tap(*name, found.transaction, "", (), hold, payer(hold, tx))
        transfers = [posting.void_credit(tap, certificate.owner)] if hold else []
        self.entries.append(
            Entry(tap, card, identity, intent.record, transfers, self._place, intent, void=True)
        )

    def _keep(self, reason: Reason, detail: str) -> None:
        assert self._one is not None  # noqa: S101  asked for while a record is decided
        self.kept.append(Kept(self._place, self._one, reason, detail))
