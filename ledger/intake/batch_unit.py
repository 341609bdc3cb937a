"""A batch as one unit of the writer: placed in its terminal's chain, planned by columns and one by one, written all or nothing."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from card.batch import FIRST_DIGEST, RELAYED_FROM
from keys.clock import UnixMs
from ledger.errors import BatchConflict, BatchOutOfOrder
from ledger.intake import store
from ledger.intake.bounds import Bounds
from ledger.intake.columnar.posting import transfers
from ledger.intake.columnar.sifting import sift, times_before
from ledger.intake.deciding import Decisions
from ledger.intake.examined import assess_at
from ledger.intake.memory import Tail
from ledger.intake.placing import Placed
from ledger.intake.quarantine import store as quarantine
from ledger.intake.reasons import ExceptionKind
from ledger.intake.settling import Settlement
from ledger.tables import WHOLE
from ledger.transfer import ROW

if TYPE_CHECKING:
    import numpy.typing as npt

    from ledger.intake.assess import Assessed
    from ledger.intake.examined import Examined
    from ledger.intake.outcomes import Outcomes
    from ledger.intake.receive import Intake
    from ledger.writer import PostedRows, Transaction

    Rows = npt.NDArray[np.void]


PATIENCE_MS: Final = 15 * 60_000
"""How long a batch that is out of order is refused: what is missing before it may be under way."""


@dataclass(frozen=True, slots=True)
class Taken:
    """What became of a batch: a result a record, and the block that holds it."""

    outcomes: Outcomes
    block: int


class BatchUnit:
    """Implements `ledger.writer.Unit` for one batch."""

    def __init__(self, examined: Examined, intake: Intake) -> None:
        self.document = examined.body
        self.examined = examined
        self._frame = examined.frame
        self._intake = intake
        self._memory = intake.memory
        self._bounds = Bounds(examined.sender, intake.memory)
        self._decisions = Decisions(
            examined.frame.terminal, examined.sender.certificate, self._bounds, intake
        )
        self._fast = np.zeros(len(examined.frame.raws), np.bool_)
        self._placed: Placed | None = None
        self._broken = ""
        self._known: Taken | None = None

    def plan(self, tx: Transaction) -> Rows:
        """Place the batch in its terminal's chain, then decide by columns what can be, and record by record what is left."""
        if self._is_replay(tx):
            return np.zeros(0, ROW)
        examined = self.examined
        before = times_before(examined.occurred_at, self._bounds.last_occurred_at)
        self._fast = sift(examined, before, self._bounds, self._intake.intents, self._memory, tx)
        self._decide_rest(before, tx)
        readable = examined.occurred_at[examined.occurred_at >= 0]
        if len(readable):
            self._bounds.last_occurred_at = UnixMs(int(readable[-1]))
        rows, records = transfers(
            examined.columns, np.flatnonzero(self._fast), self._intake.registry.columns.columns,
            examined.sender.certificate, examined.subsidies,
        )  # fmt: skip
        self._placed = Placed(rows, records, self._decisions.entries, self._decisions.given_back)
        return self._placed.rows

    def _decide_rest(self, before: npt.NDArray[np.int64], tx: Transaction) -> None:
        places = np.flatnonzero(~self._fast).tolist()
        if not places:
            return
        rest = [self._assessed(place) for place in places]
        self._decisions.identities.look_up(rest, tx)
        for place, one in zip(places, rest, strict=True):
            self._decisions.decide(place, one, UnixMs(int(before[place])), tx)

    def _assessed(self, place: int) -> Assessed:
        """A record by itself: found before, unless it was plain until the batch's turn came."""
        known = self.examined.assessed.get(place)
        if known is not None:
            return known
        certificate = self.examined.sender.certificate
        return assess_at(place, self.examined.columns, self._intake.assessor, certificate)

    def _is_replay(self, tx: Transaction) -> bool:
        frame, tail = self._frame, None
        if frame.first_sequence < RELAYED_FROM:
            tail = self._memory.tails.get(frame.terminal) or store.tail_of(tx.reading, frame.terminal)
            tail = tail or Tail(0, FIRST_DIGEST, UnixMs(0))
        if (tail is None or frame.first_sequence != tail.last_sequence + 1) and self._was_taken(tx):
            return True
        if tail is not None:  # a load's own record stands alone, under its request's number
            self._bounds.last_occurred_at = tail.last_occurred_at
            self._require_in_order(tail, tx)
        return False

    def _was_taken(self, tx: Transaction) -> bool:
        frame = self._frame
        same = store.batch_at(tx.reading, frame.terminal, frame.first_sequence)
        if same is None:
            return False
        if same.digest != self.examined.digest:
            raise BatchConflict(
                f"terminal {frame.terminal} sent other records under the numbers from {frame.first_sequence}: kept"
            )
        self._known = Taken(same.outcomes, same.block)
        self.document = b""
        return True

    def _require_in_order(self, tail: Tail, tx: Transaction) -> None:
        """A gap, or another chain than the terminal's: refused, so that what is missing may still come; after a while taken, and shown."""
        frame, expected = self._frame, tail.last_sequence + 1
        must = f"terminal {frame.terminal} must go on at sequence {expected}, not {frame.first_sequence}"
        if frame.first_sequence < expected:
            raise BatchConflict(must)
        if frame.first_sequence > expected:
            self._broken = must
        elif frame.previous_digest != tail.digest:
            self._broken = f"the batch from {frame.first_sequence} is not chained to the one before"
        if self._broken:
            since = quarantine.refused_since(tx.reading, self.examined.digest)
            if since is None or tx.received_at < since + PATIENCE_MS:
                raise BatchOutOfOrder(
                    f"{self._broken}; sent again in {PATIENCE_MS // 60_000} minutes, it is taken as it is"
                )

    def _show_broken_chain(self, tx: Transaction) -> None:
        if self._broken:
            terminal, first = self._frame.terminal, self._frame.first_sequence
            kind = ExceptionKind.CHAIN_BROKEN
            row = quarantine.ExceptionRow(WHOLE, 0, 0, kind, terminal, first, self._broken, tx.received_at)
            quarantine.insert_exceptions(tx, [row])

    def settle(self, posted: PostedRows, tx: Transaction) -> Taken:
        """Write the batch, its taps, what is quarantined and what is exceptional."""
        if self._known is not None or self._placed is None:
            assert self._known is not None  # noqa: S101  settled only after its plan
            return self._known
        frame = self._frame
        settlement = Settlement(self.examined, self._decisions, self._fast, self._intake, tx)
        outcomes = settlement.write(self._placed.told(posted))
        self._bounds.settle(tx)
        self._show_broken_chain(tx)
        row = store.BatchRow(
            frame.terminal, frame.first_sequence, frame.last_sequence, self.examined.digest, tx.block, tx.ordinal,
            tx.received_at, outcomes, self._bounds.last_occurred_at,
        )  # fmt: skip
        store.insert_batch(tx, row)
        if frame.first_sequence < RELAYED_FROM:
            self._memory.tails[frame.terminal] = Tail(row.last_sequence, row.digest, row.last_occurred_at)
        return Taken(outcomes, tx.block)
