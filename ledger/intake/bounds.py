"""What a terminal's certificate bounds: kinds, routes, rupiah a service day, and time. Decision 0012 says what becomes of what lies outside.

A card that has paid is believed (law 5): its debit is posted, and what the terminal did wrong is an exception beside it. Value that a terminal
put onto a card out of its bounds is kept in quarantine, unless the ledger itself had authorised it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from card.layout import TapKind
from keys.clock import UnixMs, local
from keys.money import sen_of
from keys.rights import Right
from ledger.enrolment import store as terminals
from ledger.errors import TerminalUnknown
from ledger.intake.columnar import store as lookups
from ledger.intake.reasons import ExceptionKind, Reason

if TYPE_CHECKING:
    from collections.abc import Iterable

    from card.batch import TapRecord
    from card.evidence import CardTransaction
    from keys.clock import Day
    from keys.identity import TerminalCertificate
    from ledger.intake.memory import Memory
    from ledger.intake.posting import Tap
    from ledger.writer import Transaction

LATE_DAYS: Final = 14
"""How long after the end of its certificate a batch may still come in, if it was signed before."""
CLOCK_SECONDS_MAX: Final = 300
"""How far a terminal's clock may be wrong before somebody is asked to look."""
_DAY_MS: Final = 86_400_000
RIGHTS: Final = {
    TapKind.FARE: Right.FARE,
    TapKind.TAP_IN: Right.FARE,
    TapKind.TAP_OUT: Right.FARE,
    TapKind.SALE: Right.SALE,
    TapKind.LOAD: Right.LOAD,
    TapKind.REFUND: Right.REFUND,
}
"""The right that each kind needs; a lock needs none: every terminal may tell that it saw a blocked card."""


@dataclass(frozen=True, slots=True)
class Doubt:
    """Something about a record that its terminal must explain."""

    kind: ExceptionKind
    detail: str


@dataclass(frozen=True, slots=True)
class Sender:
    """Who signed a batch, under which certificate, and since when the ledger knows the terminal."""

    certificate: TerminalCertificate
    since: UnixMs


def check_dates(certificate: TerminalCertificate, sent_at: UnixMs, now: UnixMs) -> None:
    """Raises TerminalUnknown where a batch cannot have been signed while its certificate held, or comes too late to tell.

    What arrives while the certificate holds was signed before it ended, whatever the terminal's clock says. What arrives later is believed by
    the time that it was signed at, for 14 days.
    """
    number, until = certificate.terminal, local(certificate.not_after)
    if certificate.not_before <= now < certificate.not_after:
        return
    if not certificate.not_before <= sent_at < certificate.not_after:
        raise TerminalUnknown(
            f"terminal {number}: the certificate is out of date since {until:%Y-%m-%d %H:%M}, or the clock is wrong: renew it"
        )
    if not certificate.not_before <= now < certificate.not_after + LATE_DAYS * _DAY_MS:
        raise TerminalUnknown(
            f"terminal {number}: the certificate ended on {until:%Y-%m-%d}, more than {LATE_DAYS} days ago: kept, ask for help"
        )


def outside_rights(transaction: CardTransaction, certificate: TerminalCertificate) -> Doubt | None:
    """A kind of transaction that the terminal may not post."""
    kind = transaction.record.kind
    if kind not in RIGHTS or RIGHTS[kind] in certificate.rights.kinds:
        return None
    detail = f"a {certificate.role} may not post a {kind.name.lower()}"
    return Doubt(ExceptionKind.RIGHT_MISSING, detail)


def outside_area(transaction: CardTransaction, certificate: TerminalCertificate) -> Doubt | None:
    """A fare on a route that is not the terminal's, by the log record that the card signed."""
    routes, record = certificate.rights.routes, transaction.record
    route = record.reference >> 32
    if not routes or route in routes or RIGHTS.get(record.kind) is not Right.FARE:
        return None
    return Doubt(ExceptionKind.OUTSIDE_AREA, f"a fare on route {route}; the terminal's are {sorted(routes)}")


class Bounds:
    """The bounds of one batch while it is planned: the terminal's clock from record to record, and sums by day."""

    def __init__(self, sender: Sender, memory: Memory) -> None:
        self._sender = sender
        self._memory = memory
        self._sums: dict[tuple[int, Day], int] = {}
        self._before: dict[tuple[int, Day], int] = {}
        self.last_occurred_at = UnixMs(0)

    def moved(self, terminal: int, day: Day, tx: Transaction) -> int:
        """What a terminal moved in a service day, this batch's records so far included, in sen."""
        name = (terminal, day)
        if name not in self._sums:
            known = self._memory.sum_of(terminal, day)
            found = terminals.moved_in(tx.reading, terminal, day) if known is None else known
            self._sums[name] = self._before[name] = found
        return self._sums[name]

    def count(self, terminal: int, day: Day, amount: int, tx: Transaction) -> int:
        """Count an amount in a terminal's service day; what it moved with it."""
        total = self._sums[terminal, day] = self.moved(terminal, day, tx) + amount
        return total

    def time_doubts(self, record: TapRecord, tx: Transaction) -> list[Doubt]:
        """What is wrong with a record's time; to be asked once a record, in order."""
        at, before, allowed = record.occurred_at, self.last_occurred_at, 1000 * CLOCK_SECONDS_MAX
        self.last_occurred_at = at
        found = []
        if at > tx.received_at + allowed:
            found.append(Doubt(ExceptionKind.CLOCK_WRONG, f"the terminal says {_said(at)}, which lies ahead"))
        elif at < before - allowed:
            detail = f"the terminal's clock went back from {_said(before)} to {_said(at)}"
            found.append(Doubt(ExceptionKind.CLOCK_WRONG, detail))
        if not self._sender.since <= at < self._sender.certificate.not_after:
            detail = f"{_said(at)} is not within the terminal's certificates"
            found.append(Doubt(ExceptionKind.OUTSIDE_VALIDITY, detail))
        return found

    def limit_doubt(self, tap: Tap, certificate: TerminalCertificate, tx: Transaction) -> Doubt | None:
        """Count a transaction in its terminal's service day; a doubt where that goes beyond the limit."""
        amount, limit = sen_of(tap.transaction.record.amount), sen_of(certificate.rights.daily_limit)
        total = self.count(tap.terminal, tap.service_day, amount, tx)
        if not amount or total <= limit:
            return None
        detail = f"{total // 100} rupiah in a service day; the terminal's limit is {limit // 100}"
        return Doubt(ExceptionKind.OVER_DAILY_LIMIT, detail)

    def take_back(self, tap: Tap) -> None:
        """Do not count a transaction after all."""
        self._sums[tap.terminal, tap.service_day] -= sen_of(tap.transaction.record.amount)

    def settle(self, tx: Transaction) -> None:
        """Write what this batch moved, and remember the sums."""
        for (terminal, day), amount in self._sums.items():
            self._memory.keep_sum(terminal, day, amount)
            moved = amount - self._before[terminal, day]
            if moved:
                lookups.add_move(tx, terminal, day, moved)


_REASONS: Final = {
    ExceptionKind.RIGHT_MISSING: Reason.ROLE_FORBIDDEN,
    ExceptionKind.OUTSIDE_VALIDITY: Reason.OUTSIDE_VALIDITY,
    ExceptionKind.OVER_DAILY_LIMIT: Reason.OVER_DAILY_LIMIT,
}


def refused_credit(doubts: Iterable[Doubt]) -> tuple[Reason, str] | None:
    """Why value that a terminal put onto a card by itself is not posted."""
    for doubt in doubts:
        if doubt.kind in _REASONS:
            return _REASONS[doubt.kind], doubt.detail
    return None


def _said(at: UnixMs) -> str:
    return f"{local(at):%Y-%m-%d %H:%M}"
