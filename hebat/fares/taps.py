"""Recorded taps from a CSV file: one row a tap, or one row a trip as `hebat day` reads them.

A row a tap: card, time (2026-11-25 07:30:00), kind (fare, in, out or companion), route and stop by their ids in the feed (empty where unknown), and as
you like class (pupil, ...) and vehicle.
"""

from __future__ import annotations

import csv
from collections import defaultdict
from dataclasses import dataclass, replace
from datetime import datetime
from typing import TYPE_CHECKING, Final

from card.layout import NEVER, Concession, Identity, Journey, card_number
from hebat.day.trips import COLUMNS, FILE_BYTES_MAX, read_trips
from hebat.errors import TapsRefused
from keys.clock import UnixMs, moment
from terminals.fares import FareDecision, FareRefused, Place, Step, decide, tap_in, tap_out

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from terminals.fares import Tariff

NEEDED: Final = ("card", "time", "kind", "route", "stop")
KINDS: Final = ("fare", "in", "out", "companion")
ROWS_MAX: Final = 1_000_000
_CLASSES: Final = {one.name.lower(): one for one in Concession}


@dataclass(frozen=True, slots=True)
class RecordedTap:
    """A tap of a file; `line` counts from 1, the header being line 1."""

    line: int
    card: str
    at: UnixMs
    kind: str
    route: str
    stop: str
    vehicle: int
    concession: Concession


@dataclass(frozen=True, slots=True)
class Answered:
    """A tap, and what the rules made of it; `refused` is why they did not."""

    tap: RecordedTap
    decision: FareDecision
    refused: str = ""


def read_taps(path: Path) -> list[RecordedTap]:
    """The taps of a file in order of time; raises TapsRefused with line and column."""
    try:
        if path.stat().st_size > FILE_BYTES_MAX:
            raise TapsRefused(
                str(path), 0, "-", f"the file is over {FILE_BYTES_MAX >> 20} MiB: split it by day"
            )
        with path.open(encoding="utf-8-sig", newline="") as file:
            header = next(csv.reader(file), [])
            file.seek(0)
            found = (
                _of_trips(path) if COLUMNS[0] in header else _of_taps(path, csv.DictReader(file, strict=True))
            )
            return sorted(found, key=lambda tap: (tap.at, tap.kind != "out", tap.line))
    except OSError as error:
        raise TapsRefused(str(path), 0, "-", f"it cannot be read ({error.strerror})") from None
    except (csv.Error, UnicodeDecodeError) as error:
        raise TapsRefused(str(path), 0, "-", f"no CSV in UTF-8: {error}") from None


def _of_trips(path: Path) -> Iterator[RecordedTap]:
    for trip in read_trips(path):
        yield RecordedTap(trip.line, trip.card, trip.tap_in_at, "in", trip.corridor, trip.tap_in.stop_id, 0, Concession.GENERAL)  # fmt: skip
        if trip.tap_out_at is not None and trip.tap_out is not None:
            yield RecordedTap(trip.line, trip.card, trip.tap_out_at, "out", trip.corridor, trip.tap_out.stop_id, 0, Concession.GENERAL)  # fmt: skip


def _of_taps(path: Path, reader: csv.DictReader[str]) -> Iterator[RecordedTap]:
    missing = [column for column in NEEDED if column not in (reader.fieldnames or ())]
    if missing:
        raise TapsRefused(str(path), 1, ", ".join(missing), "missing from the header line; add the column")
    for line, row in enumerate(reader, 2):
        if line > ROWS_MAX:
            raise TapsRefused(str(path), line, "-", f"a file has at most {ROWS_MAX} taps")
        if None in row or None in row.values():
            raise TapsRefused(str(path), line, "-", "the line has more or fewer values than the header")
        yield _tap(str(path), line, {name: value.strip() for name, value in row.items()})


def _tap(path: str, line: int, row: dict[str, str]) -> RecordedTap:
    try:
        at = moment(datetime.strptime(row["time"], "%Y-%m-%d %H:%M:%S"))  # noqa: DTZ007  the city's wall clock
    except ValueError:
        raise TapsRefused(
            path, line, "time", f"{row['time'][:40]!r} is not a time such as 2026-11-25 07:30:00"
        ) from None
    vehicle = row.get("vehicle") or "0"
    if not row["card"]:
        raise TapsRefused(path, line, "card", "must not be empty")
    if row["kind"] not in KINDS:
        raise TapsRefused(path, line, "kind", f"{row['kind'][:40]!r} is not {', '.join(KINDS)}")
    if not (vehicle.isascii() and vehicle.isdigit() and len(vehicle) < 10):  # noqa: PLR2004  terminals' numbers have at most ten digits
        raise TapsRefused(path, line, "vehicle", f"{vehicle[:40]!r} is no terminal's number")
    concession = _CLASSES.get(row.get("class") or "general")
    if concession is None:
        raise TapsRefused(path, line, "class", f"{row['class'][:40]!r} is not {', '.join(_CLASSES)}")
    return RecordedTap(
        line, row["card"], at, row["kind"], row["route"], row["stop"], int(vehicle), concession
    )


class Numbers:
    """Numbers of routes and stops: the tariff's own, or as they come where it lists none; 0 where it lists others."""

    def __init__(self, tariff: Tariff) -> None:
        self._routes = _Numbering([route for route, _ in tariff.networks])
        self._stops = _Numbering([stop for stop, _ in tariff.areas])

    def place(self, tap: RecordedTap) -> Place:
        """Where a tap was made. A file that names no vehicles has one a stop, so that passback is asked there."""
        route, stop = self._routes.number(tap.route), self._stops.number(tap.stop)
        return Place(tap.route[:64], tap.stop[:64], route, stop, tap.vehicle or 1_000_000 + stop)


class _Numbering:
    def __init__(self, names: list[str]) -> None:
        self._closed = bool(names)
        self._numbers = {name: number for number, name in enumerate(names, 1)}

    def number(self, name: str) -> int:
        if not name or self._closed:
            return self._numbers.get(name, 0)
        return self._numbers.setdefault(name, len(self._numbers) + 1)


def answered(taps: list[RecordedTap], tariff: Tariff) -> Iterator[Answered]:
    """What the rules make of taps, each card from an empty journey file on; a refused tap leaves the card as it is."""
    journeys: dict[str, Journey] = defaultdict(Journey)
    numbers = Numbers(tariff)
    for tap in taps:
        identity = replace(_IDENTITY, concession=tap.concession)
        arguments = (tariff, identity, journeys[tap.card], tap.at, numbers.place(tap))
        try:
            if tap.kind == "in":
                done = tap_in(*arguments)
            elif tap.kind == "out":
                done = tap_out(*arguments)
            else:
                done = decide(*arguments, companion=tap.kind == "companion")
        except FareRefused as refusal:
            yield Answered(tap, FareDecision(journeys[tap.card], ()), str(refusal))
            continue
        journeys[tap.card] = done.journey
        yield Answered(tap, done)


_IDENTITY: Final = Identity(
    card_number(0, 0), 0, 1, registered=True, concession=Concession.GENERAL, concession_until=NEVER, valid_until=NEVER
)  # fmt: skip
"""Nobody's card: the rules ask for its class and dates only."""

__all__ = ["Answered", "RecordedTap", "Step", "answered", "read_taps"]
