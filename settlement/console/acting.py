"""Doing things at the console: matching's and breaks' own desks, each act logged in the transaction that does it."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from settlement.breaks.desk import BreaksDesk
from settlement.breaks.explanations.desk import IntakeDesk
from settlement.calendar.city import city_calendar
from settlement.console.desk import Logged
from settlement.matching.desk import MatchingDesk
from settlement.rulebook.book import Rulebook
from settlement.staff import store
from settlement.staff.log import Said

if TYPE_CHECKING:
    from collections.abc import Callable

    from ledger.answer import Answer
    from ledger.book import Ledger
    from ledger.cardholder.disputes import Disputes
    from ledger.store import Connection, Database
    from ledger.transaction import Unit
    from settlement.console.calls import Ask
    from settlement.console.desk import Desk
    from settlement.staff.sessions import Session


class LoggedLedger:
    """A ledger whose writer logs each unit that it takes."""

    def __init__(self, ledger: Ledger, said: Said) -> None:
        self._ledger = ledger
        self._said = said

    @property
    def writer(self) -> LoggedLedger:
        """Where units are handed in."""
        return self

    @property
    def database(self) -> Database:
        """Where it is read."""
        return self._ledger.database

    def submit(self, unit: Unit) -> Answer:
        """Queue a unit with its entry."""
        return self._ledger.writer.submit(Logged(unit, self._said))


def said(session: Session, ask: Ask, action: str, subject: str, detail: str = "") -> Said:
    """An entry of what somebody does now."""
    return Said(session.name, ask.address, action, subject, detail)


def breaks_desk(desk: Desk, entry: Said | None = None) -> BreaksDesk:
    """The desk of breaks; with an entry, what it does is logged."""
    ledger = desk.ledger if entry is None else cast("Ledger", LoggedLedger(desk.ledger, entry))
    return BreaksDesk(ledger, city_calendar(Rulebook(desk.database)))


def matching_desk(desk: Desk, entry: Said | None = None) -> MatchingDesk:
    """The desk of matches; with an entry, what it does is logged."""
    ledger = desk.ledger if entry is None else cast("Ledger", LoggedLedger(desk.ledger, entry))
    return MatchingDesk(ledger, city_calendar(Rulebook(desk.database)), desk.clock)


def intake_desk(desk: Desk, entry: Said) -> IntakeDesk:
    """The desk of what the intake left; what it does is logged."""
    return IntakeDesk(cast("Ledger", LoggedLedger(desk.ledger, entry)))


def disputes(desk: Desk, entry: Said) -> Disputes:
    """The book of cardholders' disputes; what is written into it is logged."""
    return desk.disputes.over(cast("Ledger", LoggedLedger(desk.ledger, entry)))


def writing(desk: Desk, entry: Said) -> Callable[[Connection], object]:
    """What writes an entry into the log within a transaction that somebody else began."""
    return lambda connection: store.append(connection, desk.clock.now(), entry)
