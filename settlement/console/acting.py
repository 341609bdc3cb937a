"""Doing things at the console: matching's and breaks' own desks, each act logged in the transaction that does it."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from settlement.breaks.desk import BreaksDesk
from settlement.calendar.city import city_calendar
from settlement.console.desk import Logged
from settlement.matching.desk import MatchingDesk
from settlement.rulebook.book import Rulebook
from settlement.staff.log import Said

if TYPE_CHECKING:
    from concurrent.futures import Future
    from typing import Any

    from ledger.book import Ledger
    from ledger.store import Database
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

    def submit(self, unit: Unit) -> Future[Any]:
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
