"""When business dates end: 23:00, or what the city's staff decided for a day and all after it, before that day came.

A window that is open never changes under anybody's hands: a row begins after the day on which it is decided, and once its day has come
it stays. Whoever opens the ledger asks the rows once for each day, so that a server needs no restart.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import time, timedelta
from typing import TYPE_CHECKING, Final

from keys.clock import Day, date_of, day_of, local
from ledger.windows import CUT_OFF
from settlement.errors import RuleRefused
from settlement.rulebook.book import Rulebook
from settlement.rulebook.model import RuleKind
from settlement.rulebook.reading import Reader

if TYPE_CHECKING:
    from keys.clock import UnixMs
    from ledger.store import Database
    from settlement.rulebook.model import Page

EARLIEST: Final = time(12)
"""A business date that ended before noon would be another city's."""


@dataclass(frozen=True, slots=True)
class CutOffRow:
    """From a day on business dates end at a time of day, city time."""

    valid_from: Day
    ends: time
    author: str
    reason: str


class CityCutOffs:
    """The cut-off of each day; a later row replaces the earlier from its first day on. For `Ledger.open`."""

    def __init__(self, rulebook: Rulebook) -> None:
        self._rulebook = rulebook
        self._day: Day | None = None
        self._ends = CUT_OFF

    def __call__(self, day: Day) -> timedelta:
        """When a day's business date ends; raises RuleRefused for a page that is none, StorageError."""
        if day != self._day:
            held = [row for row in rows(self._rulebook) if row.valid_from <= day]
            ends = timedelta(hours=held[-1].ends.hour, minutes=held[-1].ends.minute) if held else CUT_OFF
            self._day, self._ends = day, ends
        return self._ends


def city_cut_offs(database: Database) -> CityCutOffs:
    """Those of a city's database; for `Ledger.open`."""
    return CityCutOffs(Rulebook(database))


def rows(rulebook: Rulebook) -> list[CutOffRow]:
    """The rows that hold now, by first day."""
    return sorted((_row(page) for page in rulebook.current(RuleKind.CUT_OFF)), key=lambda row: row.valid_from)


def decide(rulebook: Rulebook, first: Day, ends: time, *, author: str, reason: str, at: UnixMs) -> Page:
    """Keep a row. Raises RuleRefused where its day has begun already, or where it ends before noon."""
    if first <= day_of(local(at).date()):
        raise RuleRefused(
            f"{date_of(first)} has begun, and its window with it: a cut-off is decided the day before at the latest"
        )
    if ends < EARLIEST:
        raise RuleRefused(f"a business date that ends at {ends:%H:%M}: {EARLIEST:%H:%M} to 23:59 are meant")
    content = {"ends": f"{ends:%H:%M}"}
    return rulebook.add(
        RuleKind.CUT_OFF, date_of(first).isoformat(), content, author=author, reason=reason, at=at
    )


def _row(page: Page) -> CutOffRow:
    told = page.told
    try:
        ends = time.fromisoformat(told["ends"])
    except (TypeError, KeyError, ValueError):
        raise RuleRefused(
            f"the cut-off of {page.name} is {str(told)[:40]}: a time such as 22:30 is meant"
        ) from None
    return CutOffRow(day_of(Reader(page).day_of_name()), ends, page.author, page.reason)
