"""Batches of the outbox: formed once of the records that are ready, in order, and sent as they are until a receipt proves that the ledger has them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from card.batch import FIRST_DIGEST, digest
from terminals.outbox_file import RecordState

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Callable

BATCH_RECORDS: Final = 500
BATCH_BYTES: Final = 96 * 1024
"""What one batch carries at most: half a minute on a line of 3 kB/s."""


@dataclass(frozen=True, slots=True)
class PendingBatch:
    """A batch as it was signed."""

    first: int
    last: int
    body: bytes


def waiting(db: sqlite3.Connection) -> PendingBatch | None:
    """The batch that waits for its receipt; None where none does."""
    row = db.execute("SELECT first, last, body FROM batches ORDER BY first LIMIT 1").fetchone()
    return PendingBatch(*row) if row else None


def begin(db: sqlite3.Connection, form: Callable[[int, bytes, list[bytes]], bytes]) -> PendingBatch | None:
    """A new batch of what is ready, signed by `form` from first sequence, previous digest and encoded records; None where nothing is."""
    ready = _first_ready(db)
    if not ready:
        return None
    first, last = ready[0][0], ready[-1][0]
    body = form(first, _previous_digest(db), [raw for _, raw in ready])
    db.execute("INSERT INTO batches VALUES (?, ?, ?)", (first, last, body))
    db.execute("UPDATE records SET state = 'batched' WHERE sequence BETWEEN ? AND ?", (first, last))
    return PendingBatch(first, last, body)


def _first_ready(db: sqlite3.Connection) -> list[tuple[int, bytes]]:
    """The records of the next batch: in order, none after an open intent, within what a batch may carry."""
    ready: list[tuple[int, bytes]] = []
    size = 0
    rows = db.execute("SELECT sequence, state, raw FROM records ORDER BY sequence LIMIT ?", (BATCH_RECORDS,))
    for sequence, state, raw in rows:
        size += len(raw)
        if state != RecordState.READY or (ready and size > BATCH_BYTES):
            break
        ready.append((sequence, raw))
    return ready


def _previous_digest(db: sqlite3.Connection) -> bytes:
    row = db.execute("SELECT value FROM state WHERE name = 'previous digest'").fetchone()
    return bytes(row[0]) if row else FIRST_DIGEST


def settle(db: sqlite3.Connection, batch: PendingBatch) -> tuple[int, int]:
    """Drop a batch that the ledger has, and its records; how many they were, and their amounts added up (rupiah)."""
    db.execute("INSERT OR REPLACE INTO state VALUES ('previous digest', ?)", (digest(batch.body),))
    db.execute("DELETE FROM batches WHERE first = ?", (batch.first,))
    query = "SELECT coalesce(sum(amount), 0) FROM records WHERE sequence <= ?"
    paid = db.execute(query, (batch.last,)).fetchone()[0]
    return db.execute("DELETE FROM records WHERE sequence <= ?", (batch.last,)).rowcount, paid
