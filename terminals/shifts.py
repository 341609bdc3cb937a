"""Shifts: what one person took at this terminal from opening to closing, counted in the same transaction as each record.

Sums are kept as counted, so that they outlive the records, which leave the outbox once the ledger has them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from card.batch import RecordStatus
from card.layout import TapKind
from keys.clock import UnixMs
from keys.money import Rupiah
from terminals import refunds
from terminals.errors import ShiftOpen, ShiftRefused

if TYPE_CHECKING:
    import sqlite3

    from card.batch import TapRecord

SCHEMA: Final = (
    """
CREATE TABLE IF NOT EXISTS shifts (number INTEGER PRIMARY KEY, person TEXT NOT NULL, opened_at INTEGER NOT NULL,
  first INTEGER NOT NULL, closed_at INTEGER NOT NULL DEFAULT 0, last INTEGER NOT NULL DEFAULT 0);
CREATE TABLE IF NOT EXISTS shift_sums (shift INTEGER NOT NULL, kind TEXT NOT NULL, count INTEGER NOT NULL,
  amount INTEGER NOT NULL, PRIMARY KEY (shift, kind));
"""
    + refunds.SCHEMA
)
PERSON_CHARS_MAX: Final = 40
OPEN: Final = "open"
"""The line of taps whose card has not told yet whether it paid."""
CASH: Final = "cash"


@dataclass(frozen=True, slots=True)
class Line:
    """How often something was done in a shift, and for how much (whole rupiah, as people paid it)."""

    kind: str
    count: int
    amount: Rupiah


@dataclass(frozen=True, slots=True)
class Shift:
    """A shift with its sums; `closed_at` is 0 while it is open. Records `first` to `last` are its own, and so are the refunds of its `requests` (first, last)."""

    number: int
    person: str
    opened_at: UnixMs
    first: int
    closed_at: UnixMs
    last: int
    lines: tuple[Line, ...]
    requests: tuple[int, int] = (1, 0)

    @property
    def is_open(self) -> bool:
        """True until it is closed."""
        return not self.closed_at

    @property
    def taken(self) -> Rupiah:
        """What cards paid, whole rupiah; cash and open taps stand beside it."""
        return Rupiah(sum(line.amount for line in self.lines if line.kind not in {OPEN, CASH}))

    def line(self, kind: str) -> Line:
        """One line; an empty one where there was nothing."""
        return next((line for line in self.lines if line.kind == kind), Line(kind, 0, Rupiah(0)))


def kind_of(record: TapRecord) -> str:
    """The line that a record counts in; "" for one that only tells what was seen."""
    if record.status is RecordStatus.WITNESS or record.kind in {None, TapKind.LOCK}:
        return ""
    return record.kind.name.lower() if record.status is RecordStatus.CONFIRMED else OPEN


def count(db: sqlite3.Connection, record: TapRecord, times: int = 1) -> None:
    """Count a record in (times 1) or out again (-1), inside the caller's transaction; nothing where no shift is its own."""
    shift, kind = _shift_of(db, record.sequence), kind_of(record)
    if shift and kind:
        _add(db, shift, kind, times, -record.amount * times)
        if record.kind is TapKind.SALE and record.status is RecordStatus.CONFIRMED:
            refunds.note_sale(db, shift, record.sequence, Rupiah(-record.amount))


def count_refund(db: sqlite3.Connection, request: int, amount: Rupiah) -> None:
    """Count a refund that the ledger says is done, once, in the shift that asked for it."""
    shift = refunds.finish(db, request)
    if shift:
        _add(db, shift, refunds.REFUND, 1, -amount)


def add_cash(db: sqlite3.Connection, amount: Rupiah) -> None:
    """Count a fare that was paid in cash (whole rupiah); raises ShiftRefused where no shift is open."""
    _add(db, _need_open(db), CASH, 1, amount)


def begin(db: sqlite3.Connection, person: str, at: UnixMs, first: int) -> int:
    """Open a shift; its number. Raises ShiftOpen where one is open, ShiftRefused for a name that is none."""
    name = " ".join(person.split())
    if not 1 <= len(name) <= PERSON_CHARS_MAX or not name.isprintable():
        raise ShiftRefused(
            f"a name has 1 to {PERSON_CHARS_MAX} letters: enter yours",
            word="name-wrong",
            most=PERSON_CHARS_MAX,
        )
    running = current(db)
    if running is not None and running.is_open:
        raise ShiftOpen(
            f"the shift of {running.person} is open: close it first",
            word="shift-is-open",
            person=running.person,
        )
    number = (running.number if running else 0) + 1
    db.execute(
        "INSERT INTO shifts (number, person, opened_at, first) VALUES (?, ?, ?, ?)", (number, name, at, first)
    )
    return number


def end(db: sqlite3.Connection, at: UnixMs, last: int) -> None:
    """Close the open shift, with its last record; raises ShiftRefused where none is open."""
    db.execute("UPDATE shifts SET closed_at = ?, last = ? WHERE number = ?", (at, last, _need_open(db)))


def current(db: sqlite3.Connection) -> Shift | None:
    """The newest shift, open or closed; None before the first."""
    row = db.execute(
        "SELECT number, person, opened_at, first, closed_at, last FROM shifts ORDER BY number DESC LIMIT 1"
    ).fetchone()
    if row is None:
        return None
    number, person, opened_at, first, closed_at, last = row
    sums = db.execute(
        "SELECT kind, count, amount FROM shift_sums WHERE shift = ? AND count <> 0 ORDER BY kind", (number,)
    )
    lines = tuple(Line(kind, times, Rupiah(amount)) for kind, times, amount in sums)
    asked = refunds.asked_in(db, number)
    return Shift(number, person, UnixMs(opened_at), first, UnixMs(closed_at), last, lines, asked)


def _need_open(db: sqlite3.Connection) -> int:
    found = db.execute("SELECT number FROM shifts WHERE closed_at = 0").fetchone()
    if found is None:
        raise ShiftRefused("no shift is open: open one first", word="no-shift")
    return int(found[0])


def _shift_of(db: sqlite3.Connection, sequence: int) -> int:
    """The shift that a record was made in: also a closed one, whose torn cards come back later."""
    found = db.execute(
        "SELECT number FROM shifts WHERE first <= ? AND (closed_at = 0 OR last >= ?) ORDER BY number DESC LIMIT 1",
        (sequence, sequence),
    ).fetchone()
    return int(found[0]) if found else 0


def _add(db: sqlite3.Connection, shift: int, kind: str, times: int, amount: int) -> None:
    db.execute(
        "INSERT INTO shift_sums VALUES (?, ?, ?, ?) ON CONFLICT (shift, kind) DO UPDATE "
        "SET count = count + excluded.count, amount = amount + excluded.amount",
        (shift, kind, times, amount),
    )
