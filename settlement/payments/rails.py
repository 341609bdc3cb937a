"""How a payment travels: inside a bank, BI-FAST, SKN or RTGS, by amount, cut-off and calendar.

What a rail takes and costs is told by dated rows, from 2015-11-16 on (BI-RTGS, generation II); BI-FAST begins on 2021-12-21.
"""

from __future__ import annotations

import csv
from dataclasses import dataclass, field
from datetime import date
from enum import Enum
from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING

from keys.clock import date_of
from keys.money import Sen, display, parse
from settlement.calendar.hours import shipped_hours
from settlement.calendar.indonesia import indonesian_calendar
from settlement.errors import RailMissing

if TYPE_CHECKING:
    from keys.clock import Day, UnixMs
    from settlement.calendar.days import BankCalendar
    from settlement.calendar.hours import HoursTable

PARTS_MAX = 1_000


class Rail(Enum):
    """A rail, with its proprietary codes for a payment file: service level, local instrument."""

    IN_HOUSE = ("NURG", "OVERBOOKING")
    BI_FAST = ("URGP", "BIFAST")
    SKN = ("NURG", "SKN")
    RTGS = ("URGP", "RTGS")

    def __init__(self, service_level: str, local_instrument: str) -> None:
        self.service_level = service_level
        self.local_instrument = local_instrument


@dataclass(frozen=True, slots=True)
class RailTerms:
    """From a day on (until `valid_to`, where that is told) a rail takes amounts above `over`, up to `at_most`, for `fee`.

    `source` tells where that was read, "" for a row of the city's staff: the rulebook names who keeps it.
    """

    rail: Rail
    valid_from: date
    fee: Sen
    over: Sen = Sen(0)
    at_most: Sen | None = None
    valid_to: date | None = None
    source: str = ""

    def takes(self, amount: Sen) -> bool:
        """Whether one payment of this amount may travel so."""
        return self.over < amount and (self.at_most is None or amount <= self.at_most)


@cache
def shipped_terms() -> tuple[RailTerms, ...]:
    """The rows that hold until a city's rulebook says otherwise (`data/rails.csv`, each with where it was read).

    Fees of SKN and RTGS are the most that Bank Indonesia lets a bank take: what a city's own bank takes is a row of that city.
    """
    text = files("settlement").joinpath("data", "rails.csv").read_text(encoding="utf-8")
    return tuple(_shipped(row) for row in csv.DictReader(text.splitlines(), strict=True))


def _shipped(row: dict[str, str]) -> RailTerms:
    over, fee = parse(row["over"]), parse(row["fee"])
    at_most = parse(row["at_most"]) if row["at_most"] else None
    begins = date.fromisoformat(row["valid_from"])
    return RailTerms(Rail[row["rail"]], begins, fee, over, at_most, source=row["source"])


@dataclass(frozen=True, slots=True)
class RailRules:
    """What rails take, when they are open, and the days on which banks work."""

    terms: tuple[RailTerms, ...] = field(default_factory=shipped_terms)
    hours: HoursTable = field(default_factory=shipped_hours)
    calendar: BankCalendar = field(default_factory=indonesian_calendar)

    def held(self, day: Day) -> dict[Rail, RailTerms]:
        """The terms of each rail on a day: of several rows in force the one that begins last."""
        wanted = date_of(day)
        rows = sorted(self.terms, key=lambda row: row.valid_from)
        held = {
            row.rail: row
            for row in rows
            if row.valid_from <= wanted and (row.valid_to is None or wanted <= row.valid_to)
        }
        return {rail: held[rail] for rail in Rail if rail in held}

    def rail(self, amount: Sen, *, same_bank: bool, day: Day) -> Rail:
        """The cheapest rail that takes an amount; money that stays inside one bank travels none. Raises RailMissing."""
        ((rail, _),) = self.parts(amount, same_bank=same_bank, day=day, parts_max=1)
        return rail

    def parts(
        self, amount: Sen, *, same_bank: bool, day: Day, parts_max: int = PARTS_MAX
    ) -> list[tuple[Rail, Sen]]:
        """How an amount travels: whole where a rail takes it, else in as few parts as the widest rail allows.

        Raises RailMissing where none does.
        """
        held = self.held(day)
        if same_bank:
            return [(Rail.IN_HOUSE, amount)]
        rows = [row for rail, row in held.items() if rail is not Rail.IN_HOUSE]
        found: list[tuple[Rail, Sen]] = []
        rest = amount
        while rest:
            part, cheapest = self._largest(rows, rest)
            if cheapest is None or len(found) == parts_max:
                raise RailMissing(
                    f"no rail takes {display(amount)} on {date_of(day)}: look at the rows of the rails"
                )
            found.append((cheapest.rail, part))
            rest = Sen(rest - part)
        return found

    def _largest(self, rows: list[RailTerms], amount: Sen) -> tuple[Sen, RailTerms | None]:
        """The whole amount and the cheapest rail that takes it; else the widest rail's limit, and that rail."""
        taking = [row for row in rows if row.takes(amount)]
        if taking:
            return amount, min(taking, key=lambda row: (row.fee, row.at_most is None, row.at_most or 0))
        limited = [row for row in rows if row.at_most is not None and row.at_most < amount]
        widest = max(limited, key=lambda row: row.at_most or 0, default=None)
        return (Sen(0), None) if widest is None else (widest.at_most or Sen(0), widest)

    def fee(self, rail: Rail, day: Day) -> Sen:
        """What the bank takes for one payment; raises RailMissing."""
        row = self.held(day).get(rail)
        if row is None:
            raise RailMissing(f"no row tells the fee of {rail.name} on {date_of(day)}")
        return row.fee

    def execution(self, rail: Rail, window: Day) -> Day:
        """When a payment of a window, sent after its cut-off, is executed: the same night, or the next bank day."""
        if not self.hours.on(rail.name, window).bank_days_only:
            return window
        return self.calendar.next_bank_day(window)

    def executed_if_sent(self, rail: Rail, due: Day, at: UnixMs) -> Day:
        """The day on which a payment that was meant for `due` is executed if the bank gets it at a moment."""
        return max(due, self.hours.execution(rail.name, at, self.calendar))
