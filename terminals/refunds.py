"""Sales that are given back at this till: the last one of a shift, and what was asked of the ledger, counted once each, in the outbox's file.

A refund is the ledger's record, not this terminal's (`terminals.loading`): what is kept here is what a shift's totals and a second attempt need.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from keys.money import Rupiah
from terminals.errors import InputWrong, ShiftRefused

if TYPE_CHECKING:
    import sqlite3

SCHEMA: Final = """
CREATE TABLE IF NOT EXISTS last_sale (shift INTEGER PRIMARY KEY, sequence INTEGER NOT NULL, amount INTEGER NOT NULL);
CREATE TABLE IF NOT EXISTS refunds (request INTEGER PRIMARY KEY, shift INTEGER NOT NULL, sale INTEGER NOT NULL,
  done INTEGER NOT NULL DEFAULT 0);
"""
REFUND: Final = "refund"
"""The line of a shift for what was given back: its amount stands below zero."""
_REFERENCE: Final = re.compile(r"(?:KSH[- ]?)?([0-9]{1,10})[- /]([0-9]{1,10})", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Sale:
    """A sale by its terminal and record, and what is to be given back of it (rupiah; 0: all)."""

    terminal: int
    sequence: int
    amount: Rupiah = Rupiah(0)


def sale_of(reference: str) -> Sale:
    """From what stands on a receipt, as KSH-2001-17; raises InputWrong."""
    found = _REFERENCE.fullmatch(reference.strip())
    if found is None or not int(found[1]) or not int(found[2]):
        raise InputWrong(
            "enter the receipt's number as it stands there, such as KSH-2001-17", word="receipt-wrong"
        )
    return Sale(int(found[1]), int(found[2]))


def note_sale(db: sqlite3.Connection, shift: int, sequence: int, amount: Rupiah) -> None:
    """A sale was made: it is the shift's last one, inside the caller's transaction."""
    db.execute("INSERT OR REPLACE INTO last_sale VALUES (?, ?, ?)", (shift, sequence, amount))


def last_sale(db: sqlite3.Connection, terminal: int) -> Sale | None:
    """The open shift's last sale; None where there is none, or it was given back."""
    row = db.execute(
        "SELECT sequence, amount FROM last_sale JOIN shifts ON number = shift WHERE closed_at = 0 ORDER BY shift DESC"
    ).fetchone()
    return None if row is None else Sale(terminal, row[0], Rupiah(row[1]))


def begin(db: sqlite3.Connection, request: int, sale: Sale) -> None:
    """A refund is about to be asked for, in the open shift; raises ShiftRefused."""
    shift = db.execute("SELECT number FROM shifts WHERE closed_at = 0").fetchone()
    if shift is None:
        raise ShiftRefused("no shift is open: open one first", word="no-shift")
    db.execute(
        "INSERT INTO refunds (request, shift, sale) VALUES (?, ?, ?)", (request, shift[0], sale.sequence)
    )


def finish(db: sqlite3.Connection, request: int) -> int:
    """The ledger says that it is done: the shift that it counts in; 0 where it was counted, or is not this till's."""
    row = db.execute("SELECT shift, sale FROM refunds WHERE request = ? AND done = 0", (request,)).fetchone()
    if row is None:
        return 0
    db.execute("UPDATE refunds SET done = 1 WHERE request = ?", (request,))
    db.execute("DELETE FROM last_sale WHERE shift = ? AND sequence = ?", row)
    return int(row[0])


def asked_in(db: sqlite3.Connection, shift: int) -> tuple[int, int]:
    """The first and the last request of a shift; (1, 0) where there was none."""
    first, last = db.execute(
        "SELECT min(request), max(request) FROM refunds WHERE shift = ?", (shift,)
    ).fetchone()
    return (1, 0) if first is None else (first, last)
