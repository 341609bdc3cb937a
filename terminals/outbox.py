"""The outbox: what a terminal owes the ledger, durable before anybody sees green.

SQLite (WAL, synchronous=FULL) under a lock: one process. Sequence numbers have no gaps and are never used twice. A batch's bytes are formed once
and sent as they are until a receipt proves that the ledger has them.
"""

from __future__ import annotations

import sqlite3
import threading
from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, Final

from card.batch import RecordStatus, TapRecord, decode_record, encode_record
from keys.clock import UnixMs
from keys.money import Rupiah
from keys.quoting import cut
from terminals import batches, refunds, shifts
from terminals.errors import OutboxError, OutboxFull
from terminals.offline import Standing
from terminals.outbox_file import OutboxFile, RecordState

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from terminals.batches import PendingBatch
    from terminals.refunds import Sale
    from terminals.shifts import Shift

RECORDS_MAX: Final = 100_000


class Outbox:
    """The outbox in a file; raises OutboxBusy where another process has it."""

    def __init__(self, path: Path) -> None:
        self._file = OutboxFile(path)
        self._db = self._file.db
        # Taps and uploads are threads of one process; a transaction of one must not take in what the other writes.
        self._alone = threading.RLock()
        try:
            self._last = self._number("last sequence")
            self._count = self._figure("SELECT count(*) FROM records")
            self._owed = -self._figure("SELECT sum(amount) FROM records")
        except (sqlite3.DatabaseError, ValueError, TypeError, OverflowError) as error:
            self._file.close()
            raise OutboxError(
                f"{path.name} cannot be read ({cut(error)}): keep the file, and ask for help"
            ) from None

    def close(self) -> None:
        """Give the file back."""
        with self._alone:
            self._file.close()

    @contextmanager
    def _writing(self) -> Iterator[sqlite3.Connection]:
        """One transaction, by one thread at a time."""
        with self._alone, self._db:
            self._db.execute("BEGIN IMMEDIATE")
            yield self._db

    def _number(self, name: str) -> int:
        row = self._db.execute("SELECT value FROM state WHERE name = ?", (name,)).fetchone()
        return int(row[0]) if row else 0

    def _figure(self, query: str) -> int:
        return int(self._db.execute(query).fetchone()[0] or 0)

    def _note(self, name: str, value: object) -> None:
        self._db.execute("INSERT OR REPLACE INTO state VALUES (?, ?)", (name, value))

    @property
    def waiting(self) -> int:
        """How many records the ledger has not confirmed."""
        return self._count

    @property
    def next_sequence(self) -> int:
        """The number that the next record gets."""
        return self._last + 1

    @property
    def last_request(self) -> int:
        """The number of the newest load request; 0 where there was none."""
        return self._number("last request")

    def next_request(self) -> int:
        """A fresh number for a load request, durable: a number never stands for two requests."""
        with self._writing():
            number = self.last_request + 1
            self._note("last request", number)
        return number

    def begin_refund(self, sale: Sale) -> int:
        """A fresh request number for giving a sale back, durable and the open shift's; raises ShiftRefused."""
        with self._writing() as db:
            number = self.last_request + 1
            refunds.begin(db, number, sale)
            self._note("last request", number)
        return number

    def finish_refund(self, request: int, amount: Rupiah) -> None:
        """The ledger says that a refund is done: it counts in its shift, once."""
        with self._writing() as db:
            shifts.count_refund(db, request, amount)

    def last_sale(self, terminal: int) -> Sale | None:
        """The open shift's last sale, unless it was given back."""
        with self._alone:
            return refunds.last_sale(self._db, terminal)

    def standing(self, now: UnixMs) -> Standing:
        """What is known of contact, clock and debt; a terminal that never had contact counts from its first question."""
        with self._alone:
            if not self._number("contact at"):
                self.note_contact(now, None)
            row = self._db.execute("SELECT sequence, raw FROM records ORDER BY sequence LIMIT 1").fetchone()
            oldest = decode_record(row[1], row[0]).occurred_at if row else UnixMs(0)
            return Standing(
                UnixMs(self._number("contact at")), UnixMs(self._number("newest at")), oldest, self._count,
                Rupiah(self._owed), self._number("drift ms"),
            )  # fmt: skip

    def note_contact(self, at: UnixMs, drift_ms: int | None) -> None:
        """The ledger was heard, and its clock was that much ahead of this one's (milliseconds; None: it did not tell).

        What a fast clock dated after this moment says then no longer that the clock was set back.
        """
        with self._writing():
            self._note("contact at", at)
            if drift_ms is not None:
                self._note("drift ms", drift_ms)
                self._note("newest at", min(at + min(drift_ms, 0), self._number("newest at")))

    def need_room(self) -> None:
        """Raises OutboxFull where no further record fits."""
        if self._count >= RECORDS_MAX:
            raise OutboxFull(f"{RECORDS_MAX} records wait for the ledger: upload before the next tap")

    def save(self, record: TapRecord, state: RecordState) -> None:
        """Make a new record durable; raises OutboxFull."""
        self.need_room()
        with self._writing() as db:
            if record.sequence != self.next_sequence:
                raise OutboxError(f"record {record.sequence} is not the next one ({self.next_sequence})")
            db.execute(
                "INSERT INTO records VALUES (?, ?, ?, ?, ?)",
                (record.sequence, state, record.uid, encode_record(record), record.amount),
            )
            shifts.count(db, record)
            self._note("last sequence", record.sequence)
            self._note("newest at", max(record.occurred_at, self._number("newest at")))
        self._last = record.sequence
        self._count += 1
        self._owed -= record.amount

    def open_intent(self, uid: bytes) -> TapRecord | None:
        """The unconfirmed transaction of a card, if one is open."""
        row = self._db.execute(
            "SELECT sequence, raw FROM records WHERE uid = ? AND state = 'intent' ORDER BY sequence DESC",
            (uid,),
        ).fetchone()
        return decode_record(row[1], row[0]) if row else None

    def confirm(self, record: TapRecord, tmv: bytes) -> None:
        """The card committed, and this is its signature."""
        self._change(replace(record, status=RecordStatus.CONFIRMED, tmv=tmv))

    def void(self, record: TapRecord, seen_tmc: int, seen_tmv: bytes) -> None:
        """The card did not commit: what was seen goes up in the record's place."""
        witness = replace(
            record, status=RecordStatus.WITNESS, kind=None, tmc=seen_tmc, tmv=seen_tmv, tmi=b"", amount=Rupiah(0),
            seen_tmc=seen_tmc, seen_tmv=seen_tmv,
        )  # fmt: skip
        self._change(witness)

    def release(self, record: TapRecord) -> None:
        """Give the card up: the intent goes up as unconfirmed."""
        self._change(record)

    def release_before(self, moment: UnixMs) -> int:
        """Release all intents from before a moment; how many."""
        with self._alone:
            rows = self._db.execute("SELECT sequence, raw FROM records WHERE state = 'intent'").fetchall()
            records = [decode_record(raw, sequence) for sequence, raw in rows]
            old = [record for record in records if record.occurred_at < moment]
            for record in old:
                self.release(record)
        return len(old)

    def _change(self, record: TapRecord) -> None:
        with self._writing() as db:
            before = db.execute(
                "SELECT raw FROM records WHERE sequence = ? AND state = 'intent'", (record.sequence,)
            ).fetchone()
            if before is None:  # it was given up meanwhile, and goes up as it was
                return
            was = decode_record(before[0], record.sequence)
            shifts.count(db, was, -1)
            shifts.count(db, record)
            db.execute(
                "UPDATE records SET state = 'ready', raw = ?, amount = ? WHERE sequence = ?",
                (encode_record(record), record.amount, record.sequence),
            )
        self._owed += was.amount - record.amount

    def open_shift(self, person: str, at: UnixMs) -> int:
        """Open a shift for somebody; its number. Raises ShiftOpen, ShiftRefused."""
        with self._writing() as db:
            return shifts.begin(db, person, at, self.next_sequence)

    def close_shift(self, at: UnixMs) -> Shift:
        """Close the open shift; what it came to. Raises ShiftRefused."""
        with self._writing() as db:
            shifts.end(db, at, self._last)
            closed = shifts.current(db)
        assert closed is not None  # noqa: S101  it was closed a line ago
        return closed

    def shift(self) -> Shift | None:
        """The newest shift, open or closed; None before the first."""
        with self._alone:
            return shifts.current(self._db)

    def add_cash(self, amount: Rupiah) -> None:
        """Count a fare that was paid in cash (whole rupiah); raises ShiftRefused."""
        with self._writing() as db:
            shifts.add_cash(db, amount)

    def ready(self) -> int:
        """How many records could go up now: those before the first open intent, and what waits for its receipt."""
        with self._alone:
            intent = self._figure("SELECT min(sequence) FROM records WHERE state = 'intent'")
            end = intent or self._last + 1
            return max(0, end - (self._last - self._count + 1))

    def batch(self, form: Callable[[int, bytes, list[bytes]], bytes]) -> PendingBatch | None:
        """The batch to send: the one that waits for its receipt, else a new one; None where nothing is ready.

        `form` makes the signed bytes from first sequence, previous digest and encoded records. An open intent ends a batch.
        """
        with self._writing() as db:
            return batches.waiting(db) or batches.begin(db, form)

    def settle(self, batch: PendingBatch) -> None:
        """The ledger's receipt proves that it has these records: drop them."""
        with self._writing() as db:
            gone, paid = batches.settle(db, batch)
        self._count -= gone
        self._owed += paid
