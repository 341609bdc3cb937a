"""What a batch leaves in the books besides its transfers: taps, quarantine, exceptions, settled intents, what was seen."""

from __future__ import annotations

from typing import TYPE_CHECKING

from card.batch import TapRecord
from keys.money import sen_of
from ledger.intake import store
from ledger.intake.columnar import store as lookups
from ledger.intake.columnar.taps import TapColumns
from ledger.intake.deciding import Kept
from ledger.intake.entries import exception_row, exceptions_of, rules_broken
from ledger.intake.examined import assess_at
from ledger.intake.intents import OpenIntent
from ledger.intake.outcomes import Outcomes
from ledger.intake.quarantine import store as quarantine
from ledger.intake.reasons import ExceptionKind, Outcome, Reason, Resolution
from ledger.transfer import Result

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    from ledger.intake.assess import Assessed
    from ledger.intake.deciding import Decisions
    from ledger.intake.entries import Entry
    from ledger.intake.examined import Examined
    from ledger.intake.placing import Told
    from ledger.intake.receive import Intake
    from ledger.transaction import PostedRows
    from ledger.writer import Transaction

    Flags = npt.NDArray[np.bool_]


class Settlement:
    """Writes what one batch leaves, once its transfers are applied."""

    def __init__(
        self, examined: Examined, decisions: Decisions, fast: Flags, intake: Intake, tx: Transaction
    ) -> None:
        self._examined = examined
        self._decisions = decisions
        self._fast = fast
        self._intake = intake
        self._tx = tx
        self._kept = list(decisions.kept)
        self._exceptions: list[quarantine.ExceptionRow] = []

    def write(self, told: Told) -> Outcomes:
        """Everything but the batch's own row; what became of its records."""
        self._plain(told)
        done = [
            entry
            for entry, posted in zip(self._decisions.entries, told.entries, strict=True)
            if self._entered(entry, posted)
        ]
        self._write_quarantine()
        for entry in done:
            self._close_intent(entry)
        quarantine.insert_exceptions(self._tx, self._exceptions)
        lookups.add_sights(self._tx, self._decisions.sights)
        return self._outcomes()

    def _plain(self, told: Told) -> None:
        """The records that were posted by columns."""
        taps = TapColumns(self._examined, self._fast, told, self._intake.registry.columns.columns)
        for place, result in taps.failed:
            self._kept.append(Kept(place, self._one_at(place), Reason.NOT_APPLIED, result.name.lower()))
        if taps.count:
            lookups.add_tap_columns(self._tx, taps.columns(self._tx.business_date))
        self._exceptions += taps.exceptions(self._tx)

    def _entered(self, entry: Entry, posted: PostedRows) -> bool:
        """One that was decided by itself: True where it is in the books now."""
        if not posted.all_posted:
            if entry.intent is None:
                why = next(
                    one.result for one in posted if one.result not in {Result.POSTED, Result.LINKED_FAILED}
                )
                self._kept.append(
                    Kept(entry.place, self._one_at(entry.place), Reason.NOT_APPLIED, why.name.lower())
                )
            return False
        if not entry.void:
            store.insert_tap(self._tx, self._tap_row(entry, posted))
            place = self._intake.registry.columns.place(entry.tap.uid)
            self._intake.memory.counters.mark(place, entry.tap.tmc)
        self._exceptions += exceptions_of(entry, self._examined.blocked, self._tx)
        self._exceptions += [
            exception_row(entry, doubt, self._tx) for doubt in rules_broken(posted.applied.overruled.tolist())
        ]
        return True

    def _one_at(self, place: int) -> Assessed:
        return self._examined.assessed.get(place) or assess_at(
            place, self._examined.columns, self._intake.assessor, self._examined.sender.certificate
        )

    def _tap_row(self, entry: Entry, posted: PostedRows) -> store.TapRow:
        tap, record, where = entry.tap, entry.tap.transaction.record, entry.record.context
        return store.TapRow(
            entry.card.partition, tap.uid, tap.tmc, entry.identity, tap.terminal, tap.sequence, record.kind,
            sen_of(tap.transaction.amount), sen_of(record.balance_after), posted[0].position if posted else 0,
            tap.occurred_at, tap.service_day, self._tx.business_date, storable(where.route), storable(where.stop),
            storable(" ".join(tap.rules)), entry.record.seen_tmv,
        )  # fmt: skip

    def _close_intent(self, entry: Entry) -> None:
        if entry.intent is None:
            return
        how = Resolution.VOIDED if entry.void else Resolution.WITNESSED
        sequence = entry.intent.record.sequence
        quarantine.resolve_quarantine(
            self._tx.connection, entry.intent.terminal, sequence, how, self._tx.received_at
        )
        self._intake.intents.remove(entry.card.uid, entry.intent)

    def _write_quarantine(self) -> None:
        terminal, rows = self._examined.frame.terminal, []
        for kept in sorted(self._kept, key=lambda one: one.place):
            one, record = kept.one, kept.one.record
            row = self._quarantine_row(kept)
            rows.append(row)
            if kept.reason is Reason.CONFLICT and one.card is not None:
                self._exceptions.append(
                    quarantine.ExceptionRow(
                        one.card.partition, one.uid, row.tmc, ExceptionKind.CLONE_OR_REPLAY, terminal, record.sequence,
                        kept.detail, row.received_at,
                    )
                )  # fmt: skip
            if kept.reason is Reason.UNCONFIRMED and isinstance(record, TapRecord):
                self._intake.intents.add(one.uid, OpenIntent(terminal, record, one.raw))
        quarantine.insert_quarantine(self._tx, rows)

    def _quarantine_row(self, kept: Kept) -> quarantine.QuarantineRow:
        one, record = kept.one, kept.one.record
        tmc, amount = (record.tmc, sen_of(record.amount)) if isinstance(record, TapRecord) else (0, 0)
        return quarantine.QuarantineRow(
            self._examined.frame.terminal, record.sequence, kept.reason, storable(kept.detail), one.uid, tmc, amount,
            one.raw, self._tx.received_at,
        )  # fmt: skip

    def _outcomes(self) -> Outcomes:
        others: dict[int, tuple[Outcome, Reason | None]] = dict.fromkeys(
            self._decisions.duplicates, (Outcome.DUPLICATE, None)
        )
        others |= {kept.place: (Outcome.QUARANTINED, kept.reason) for kept in self._kept}
        frame = self._examined.frame
        return Outcomes(frame.first_sequence, len(frame.raws), others)


def storable(text: str) -> str:
    """A text as any database takes it: PostgreSQL's hold no NUL, which a terminal may well write."""
    return text.replace("\x00", "\ufffd")
