"""A file of trips and its feed, read whole and sorted out before anything runs; and every row written out again with its fate."""

from __future__ import annotations

import csv
from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from hebat.day.fates import Ruling, fates
from hebat.day.feed import Feed, Stop, read_feed
from hebat.day.pricing import Priced, price, routes_of
from hebat.day.riders import taps_of
from hebat.day.trips import Trip, read_trips
from hebat.errors import InputRefused, TapsRefused
from hebat.fares.tariffs import read_tariff
from keys.clock import day_of, local
from keys.money import sen_of
from terminals.fares.words import words
from terminals.gtfs.importing import Naming

if TYPE_CHECKING:
    from datetime import date
    from pathlib import Path

    from hebat.folder import Folder
    from terminals.fares import Tariff

VERSION: Final = "day-of-feed"


@dataclass(frozen=True, slots=True)
class Input:
    """A file of trips and its feed, read and sorted out."""

    path: Path
    feed: Feed
    by_day: dict[date, list[Trip]]
    places: dict[int, tuple[Stop, Stop | None]]
    rulings: dict[int, Ruling]
    routes: dict[int, int]
    tariff: Tariff
    priced: Priced


def read_input(taps: Path, gtfs: Path, wanted: date | None) -> Input:
    """Read everything before anything runs.

    Raises TapsRefused (line and column, also for a stop that neither the feed nor the row itself places), FeedRefused,
    InputRefused where the file has no trip on the wanted day, or the feed has no fares that can be used.
    """
    feed, trips = read_feed(gtfs), read_trips(taps)
    by_day: dict[date, list[Trip]] = defaultdict(list)
    for trip in trips:
        on = local(trip.tap_in_at).date()
        if wanted in {None, on}:
            by_day[on].append(trip)
    if not by_day:
        raise InputRefused(f"{taps} has no trip on {wanted}: choose a --date within the file")
    chosen = [trip for day in by_day.values() for trip in day]
    places = {trip.line: _located(trip, feed, taps) for trip in chosen}
    rulings = fates(chosen, places)
    tariff = read_tariff(gtfs, Naming(VERSION, day_of(min(by_day))))
    routes = routes_of(chosen, feed, places, tariff)
    priced = price(taps_of(chosen, rulings, places, routes), chosen, rulings, tariff)
    return Input(taps, feed, dict(sorted(by_day.items())), places, rulings, routes, tariff, priced)


def _located(trip: Trip, feed: Feed, path: Path) -> tuple[Stop, Stop | None]:
    tap_in = feed.locate(trip.tap_in)
    if tap_in is None:
        raise TapsRefused(str(path), trip.line, "tapInStops", _nowhere(trip.tap_in.stop_id))
    tap_out = feed.locate(trip.tap_out) if trip.tap_out is not None else None
    if tap_out is None and trip.tap_out is not None:
        raise TapsRefused(str(path), trip.line, "tapOutStops", _nowhere(trip.tap_out.stop_id))
    return tap_in, tap_out


def _nowhere(stop: str) -> str:
    return f"stop {stop!r} is not in the feed and the row gives no position: add the stop to the feed, or its position"


def write_rows(folder: Folder, source: Input) -> None:
    """Every input row with its fate, its fare, and the rules that made it, so that none is unexplained."""
    with (folder.root / "rows.csv").open("w", encoding="utf-8", newline="") as file:
        out = csv.writer(file)
        out.writerow(["line", "transID", "fate", "payAmount sen", "fare sen", "rules", "why", "verdict"])
        for trips in source.by_day.values():
            for trip in trips:
                amount = "" if trip.amount is None else sen_of(trip.amount)
                row = source.priced.rows[trip.line]
                rules = " ".join(f"{step.code}={step.amount:+d}" for step in row.steps)
                why = "; ".join(words(step, "en") for step in row.steps)
                fate = source.rulings[trip.line].fate.value
                out.writerow(
                    [trip.line, trip.trip_id, fate, amount, sen_of(row.price), rules, why, row.verdict.value]
                )
