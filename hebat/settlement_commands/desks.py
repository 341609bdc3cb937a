"""The desks of matching and breaks in a city's folder: to look beside a server, or to act while none runs."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, NoReturn

from hebat.errors import InputRefused
from hebat.folder import Folder
from hebat.settlement_commands.place import city_database
from keys.clock import SystemClock

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from ledger.book import Ledger
    from ledger.store import Database
    from settlement.books import Books
    from settlement.breaks.desk import BreaksDesk
    from settlement.matching.desk import MatchingDesk


@dataclass(frozen=True, slots=True)
class Desks:
    """Both desks over one city."""

    matching: MatchingDesk
    breaks: BreaksDesk


@dataclass(frozen=True, slots=True)
class _Reading:
    database: Database

    @property
    def writer(self) -> NoReturn:
        raise InputRefused("this only looks")


@contextmanager
def looking(data: Path) -> Iterator[Desks]:
    """Desks that read only: beside a server or without one."""
    with city_database(data) as database:
        yield _desks(_Reading(database), database)


@contextmanager
def acting(data: Path) -> Iterator[Desks]:
    """Desks that write: they take the ledger for a moment. Raises DatabaseBusy where a server has it: use its console then."""
    with city_database(data) as database, acting_ledger(data) as ledger:
        yield _desks(ledger, database)


@contextmanager
def acting_ledger(data: Path) -> Iterator[Ledger]:
    """The ledger itself for a moment; raises InputRefused where there is no city, DatabaseBusy where a server has it."""
    from ledger.book import Ledger  # noqa: PLC0415  numba and SQLAlchemy load only where they are needed
    from settlement.calendar.cut_off import city_cut_offs  # noqa: PLC0415

    url, clock = Folder(data).database_url, SystemClock()
    with city_database(data) as database, Ledger.open(url, clock, city_cut_offs(database)) as ledger:
        yield ledger


def _desks(books: Books, database: Database) -> Desks:
    from settlement.breaks.desk import BreaksDesk  # noqa: PLC0415  as above
    from settlement.calendar.city import city_calendar  # noqa: PLC0415
    from settlement.matching.desk import MatchingDesk  # noqa: PLC0415
    from settlement.rulebook.book import Rulebook  # noqa: PLC0415

    calendar = city_calendar(Rulebook(database))
    return Desks(MatchingDesk(books, calendar, SystemClock()), BreaksDesk(books, calendar))
