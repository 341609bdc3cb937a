"""The outbox: what a terminal owes the ledger, durable before anybody sees green.

SQLite (WAL, synchronous=FULL) under a lock: one process. Sequence numbers have no gaps and are never used twice. A batch's bytes are formed once
and sent as they are until a receipt proves that the ledger has them.
"""

from __future__ import annotations

import fcntl
import os
import sqlite3
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import TYPE_CHECKING, Final

from card.batch import FIRST_DIGEST, RecordStatus, TapRecord, decode_record, digest, encode_record
from keys.money import Rupiah
from terminals.errors import OutboxBusy, OutboxError, OutboxFull

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from keys.clock import UnixMs

RECORDS_MAX: Final = 100_000
RECORDS_WARNING: Final = 90_000
BATCH_RECORDS: Final = 500
_SCHEMA: Final = """
CREATE TABLE IF NOT EXISTS records (sequence INTEGER PRIMARY KEY, state TEXT NOT NULL, uid BLOB NOT NULL, raw BLOB NOT NULL);
CREATE TABLE IF NOT EXISTS batches (first INTEGER PRIMARY KEY, last INTEGER NOT NULL, body BLOB NOT NULL);
CREATE TABLE IF NOT EXISTS state (name TEXT PRIMARY KEY, value NOT NULL);
CREATE INDEX IF NOT EXISTS records_open ON records (uid) WHERE state = 'intent';
"""


class RecordState(StrEnum):
    """Where a record is on its way."""

    INTENT = "intent"
    READY = "ready"
    BATCHED = "batched"


@dataclass(frozen=True, slots=True)
class PendingBatch:
    """A batch as it was signed."""

    first: int
    last: int
    body: bytes


class Outbox:
    """The outbox in a file; raises OutboxBusy where another process has it."""

    def __init__(self, path: Path) -> None:
        self._lock = os.open(path.with_suffix(".lock"), os.O_RDWR | os.O_CREAT, 0o600)
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(self._lock)
            raise OutboxBusy(f"another process uses {path.name}: stop it first") from None
        try:
            self._db = _opened(path)
        except sqlite3.DatabaseError as error:
            os.close(self._lock)
            raise OutboxError(
                f"{path.name} is no outbox ({error}): keep the file, and ask for help"
            ) from None
        self._last = self._number("last sequence")
        self._count: int = self._db.execute("SELECT count(*) FROM records").fetchone()[0]

    def close(self) -> None:
        """Give the file back."""
        self._db.close()
        os.close(self._lock)

    def _number(self, name: str) -> int:
        row = self._db.execute("SELECT value FROM state WHERE name = ?", (name,)).fetchone()
        return int(row[0]) if row else 0

    @property
    def waiting(self) -> int:
        """How many records the ledger has not confirmed."""
        return self._count

    @property
    def nearly_full(self) -> bool:
        """True where an upload is due before the outbox is full."""
        return self._count >= RECORDS_WARNING

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
        number = self.last_request + 1
        self._db.execute("INSERT OR REPLACE INTO state VALUES ('last request', ?)", (number,))
        return number

    def need_room(self) -> None:
        """Raises OutboxFull where no further record fits."""
        if self._count >= RECORDS_MAX:
            raise OutboxFull(f"{RECORDS_MAX} records wait for the ledger: upload before the next tap")

    def save(self, record: TapRecord, state: RecordState) -> None:
        """Make a new record durable; raises OutboxFull."""
        self.need_room()
        if record.sequence != self.next_sequence:
            raise OutboxError(f"record {record.sequence} is not the next one ({self.next_sequence})")
        with self._db:
            self._db.execute("BEGIN IMMEDIATE")
            self._db.execute(
                "INSERT INTO records VALUES (?, ?, ?, ?)",
                (record.sequence, state, record.uid, encode_record(record)),
            )
            self._db.execute("INSERT OR REPLACE INTO state VALUES ('last sequence', ?)", (record.sequence,))
        self._last = record.sequence
        self._count += 1

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
        rows = self._db.execute("SELECT sequence, raw FROM records WHERE state = 'intent'").fetchall()
        old = [
            record for sequence, raw in rows if (record := decode_record(raw, sequence)).occurred_at < moment
        ]
        for record in old:
            self.release(record)
        return len(old)

    def _change(self, record: TapRecord) -> None:
        self._db.execute(
            "UPDATE records SET state = 'ready', raw = ? WHERE sequence = ? AND state = 'intent'",
            (encode_record(record), record.sequence),
        )

    def batch(self, form: Callable[[int, bytes, list[bytes]], bytes]) -> PendingBatch | None:
        """The batch to send: the one that waits for its receipt, else a new one; None where nothing is ready.

        `form` makes the signed bytes from first sequence, previous digest and encoded records. An open intent ends a batch.
        """
        row = self._db.execute("SELECT first, last, body FROM batches ORDER BY first LIMIT 1").fetchone()
        if row:
            return PendingBatch(*row)
        ready: list[tuple[int, bytes]] = []
        rows = self._db.execute(
            "SELECT sequence, state, raw FROM records ORDER BY sequence LIMIT ?", (BATCH_RECORDS,)
        )
        for sequence, state, raw in rows:
            if state != RecordState.READY:
                break
            ready.append((sequence, raw))
        if not ready:
            return None
        first, last = ready[0][0], ready[-1][0]
        body = form(first, self._previous_digest(), [raw for _, raw in ready])
        with self._db:
            self._db.execute("BEGIN IMMEDIATE")
            self._db.execute("INSERT INTO batches VALUES (?, ?, ?)", (first, last, body))
            self._db.execute(
                "UPDATE records SET state = 'batched' WHERE sequence BETWEEN ? AND ?", (first, last)
            )
        return PendingBatch(first, last, body)

    def _previous_digest(self) -> bytes:
        row = self._db.execute("SELECT value FROM state WHERE name = 'previous digest'").fetchone()
        return bytes(row[0]) if row else FIRST_DIGEST

    def settle(self, batch: PendingBatch) -> None:
        """The ledger's receipt proves that it has these records: drop them."""
        with self._db:
            self._db.execute("BEGIN IMMEDIATE")
            self._db.execute(
                "INSERT OR REPLACE INTO state VALUES ('previous digest', ?)", (digest(batch.body),)
            )
            self._db.execute("DELETE FROM batches WHERE first = ?", (batch.first,))
            gone = self._db.execute("DELETE FROM records WHERE sequence <= ?", (batch.last,))
        self._count -= gone.rowcount


def _opened(path: Path) -> sqlite3.Connection:
    db = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
    try:
        db.execute("PRAGMA journal_mode=WAL")
        db.execute("PRAGMA synchronous=FULL")
        db.executescript(_SCHEMA)
    except sqlite3.DatabaseError:
        db.close()
        raise
    return db
