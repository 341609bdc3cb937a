"""What becomes of each row of a taps file: posted, or a named exception. Pure; decided before anything runs.

A row that lacks something is kept and shown, never dropped, and never guessed into money.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from hebat.day.feed import Stop
    from hebat.day.trips import Trip


class Fate(StrEnum):
    """How a row of the file ends."""

    POSTED = "posted"
    MISSING_TAP_OUT = "missing tap-out"
    MISSING_AMOUNT = "missing amount"
    SAME_STOP = "same stop"
    OVERLAPPING = "overlapping trips"


@dataclass(frozen=True, slots=True)
class Ruling:
    """A row's fate, and whether its taps can be made: not while the same card is on another trip."""

    fate: Fate
    runs: bool


def fates(trips: Iterable[Trip], places: Mapping[int, tuple[Stop, Stop | None]]) -> dict[int, Ruling]:
    """The ruling on each row by its line.

    `places` holds the stops of tap-in and tap-out by line. Where a row has several faults, the first of the
    order missing tap-out, missing amount, same stop, overlapping trips names it.
    """
    by_card: dict[str, list[Trip]] = defaultdict(list)
    for trip in trips:
        by_card[trip.card].append(trip)
    return {
        line: ruling
        for journeys in by_card.values()
        for line, ruling in _fates_of_card(
            sorted(journeys, key=lambda trip: (trip.tap_in_at, trip.line)), places
        )
    }


def _fates_of_card(
    journeys: list[Trip], places: Mapping[int, tuple[Stop, Stop | None]]
) -> list[tuple[int, Ruling]]:
    travelling_until = 0
    found = []
    for trip in journeys:
        overlaps = trip.tap_in_at < travelling_until
        fate = _fate(trip, *places[trip.line], overlaps=overlaps)
        found.append((trip.line, Ruling(fate, runs=not overlaps)))
        if trip.tap_out_at is not None and not overlaps:
            travelling_until = trip.tap_out_at
    return found


def _fate(trip: Trip, tap_in: Stop, tap_out: Stop | None, *, overlaps: bool) -> Fate:
    if trip.tap_out_at is None or tap_out is None:
        return Fate.MISSING_TAP_OUT
    if trip.amount is None:
        return Fate.MISSING_AMOUNT
    if tap_in.number == tap_out.number:
        return Fate.SAME_STOP
    return Fate.OVERLAPPING if overlaps else Fate.POSTED
