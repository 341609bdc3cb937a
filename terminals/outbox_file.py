"""The outbox's file: SQLite (WAL, synchronous=FULL) under a lock, brought to the present schema when it is opened."""

from __future__ import annotations

import fcntl
import os
import sqlite3
from enum import StrEnum
from typing import TYPE_CHECKING, Final

from card.batch import decode_record
from card.errors import BatchInvalid
from keys.quoting import cut
from terminals import shifts
from terminals.errors import OutboxBusy, OutboxError

if TYPE_CHECKING:
    from pathlib import Path

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


class OutboxFile:
    """The file and its lock; raises OutboxBusy where another process has it, OutboxError where it is no outbox."""

    def __init__(self, path: Path) -> None:
        self._lock = os.open(path.with_suffix(".lock"), os.O_RDWR | os.O_CREAT, 0o600)
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(self._lock)
            raise OutboxBusy(f"another process uses {path.name}: stop it first") from None
        try:
            self.db = _opened(path)
        except (sqlite3.DatabaseError, BatchInvalid, ValueError, TypeError, OverflowError) as error:
            os.close(self._lock)
            raise OutboxError(
                f"{path.name} is no outbox ({cut(error)}): keep the file, and ask for help"
            ) from None

    def close(self) -> None:
        """Give the file back."""
        self.db.close()
        os.close(self._lock)


def _opened(path: Path) -> sqlite3.Connection:
    db = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
    try:
        db.execute("PRAGMA journal_mode=WAL")
        db.execute("PRAGMA synchronous=FULL")
        db.executescript(_SCHEMA + shifts.SCHEMA)
        _add_amounts(db)
    except BaseException:
        db.close()
        raise
    return db


def _add_amounts(db: sqlite3.Connection) -> None:
    """Outboxes of earlier releases hold amounts in their records only: write them beside, whole or not at all."""
    if any(column[1] == "amount" for column in db.execute("PRAGMA table_info(records)")):
        return
    with db:
        db.execute("BEGIN IMMEDIATE")
        db.execute("ALTER TABLE records ADD COLUMN amount INTEGER NOT NULL DEFAULT 0")
        for sequence, raw in db.execute("SELECT sequence, raw FROM records").fetchall():
            amount = int(decode_record(raw, sequence).amount)
            db.execute("UPDATE records SET amount = ? WHERE sequence = ?", (amount, sequence))
