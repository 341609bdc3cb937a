"""Trans Semarang as a GTFS feed, made from the public list of its corridors and stops; the shipped feed is what this gives, byte for byte.

Facts: routes, stops, their order, names and positions (koridor.json). The fares and their calendar: `terminals.fares.flat` names their source. What the city does not
publish is made so that it says nothing: each direction has one trip, whose times are distances at 20 km/h and are marked as approximate (timepoint 0).
"""

from __future__ import annotations

import json
import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

from hebat.errors import InputRefused
from keys.clock import date_of
from terminals.fares import TRANS_SEMARANG_2022
from terminals.fares.tariff import Category, LegRule, Medium, Tariff
from terminals.gtfs.calendars import CALENDAR
from terminals.gtfs.exporting import fare_files, written

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

FACTS_BYTES_MAX: Final = 4 << 20
SOURCE: Final = "danang44/transsemarang, koridor.json, commit 4f6b502"
SOURCE_URL: Final = "https://github.com/danang44/transsemarang"
AGENCY_URL: Final = "https://transsemarang.semarangkota.go.id/"
NETWORK: Final = "trans-semarang"
SERVICE: Final = "harian"
_END: Final = "20991231"
_METRES_PER_SECOND: Final = 20_000 / 3_600
_METRES_PER_DEGREE: Final = 111_195
_FIRST_TRIP: Final = {False: 5 * 3_600 + 1_800, True: 18 * 3_600}  # the day's routes, and the night's
_NEEDED: Final = ("sh_id", "sh_name", "kor", "origin", "toward", "sh_lat", "sh_lng")
_CATEGORIES: Final = {
    "general": "Umum", "pupil": "Pelajar", "student": "Mahasiswa", "elderly": "Lansia", "veteran": "Veteran",
    "disabled": "Difabel", "child": "Pemegang KIA dan balita",
}  # fmt: skip
_PRODUCTS: Final = {"ride-school": "Sekali jalan", "ride-rest": "Sekali jalan, Minggu dan hari libur"}


@dataclass(frozen=True, slots=True)
class Direction:
    """One direction of a route: its stops' rows in order."""

    route: str
    origin: str
    toward: str
    stops: tuple[dict[str, str], ...]


def read_facts(path: Path) -> list[Direction]:
    """The directions of the list, in its order; raises InputRefused."""
    try:
        data = path.read_bytes() if path.stat().st_size <= FACTS_BYTES_MAX else b""
        rows = [{name: str(row[name]).strip() for name in _NEEDED} for row in json.loads(data)["data"]]
    except (OSError, ValueError, KeyError, TypeError, RecursionError) as error:
        raise InputRefused(
            f"{path} is no list of corridors with {', '.join(_NEEDED)} ({error!r:.200})"
        ) from None
    found: dict[tuple[str, str, str], list[dict[str, str]]] = {}
    for row in rows:
        found.setdefault((row["kor"], row["origin"], row["toward"]), []).append(row)
    return [Direction(*key, tuple(stops)) for key, stops in found.items()]


def feed_of(directions: list[Direction]) -> dict[str, bytes]:
    """The feed's files by name."""
    routes = list(dict.fromkeys(one.route for one in directions))
    stops = {row["sh_id"]: row for one in directions for row in one.stops}
    start = f"{date_of(TRANS_SEMARANG_2022.valid_from):%Y%m%d}"
    files = fare_files(_tariff(routes))
    fare_days = files["calendar.txt"].decode().splitlines()[1:]
    days = [[SERVICE, *"1111111", start, _END], *([*row.split(",")[:8], start, _END] for row in fare_days)]
    return files | {
        "agency.txt": written(
            ("agency_id", "agency_name", "agency_url", "agency_timezone", "agency_lang"),
            [("TS", "Trans Semarang", AGENCY_URL, "Asia/Jakarta", "id")],
        ),
        "attributions.txt": written(
            ("attribution_id", "organization_name", "is_producer", "attribution_url"),
            [("1", f"Corridors, stops and positions: {SOURCE}", "1", SOURCE_URL)],
        ),
        "routes.txt": written(
            ("route_id", "agency_id", "route_short_name", "route_long_name", "route_type"),
            [(route, "TS", route, _long_name(route, directions), "3") for route in routes],
        ),
        "stops.txt": written(
            ("stop_id", "stop_name", "stop_lat", "stop_lon"),
            [(one["sh_id"], one["sh_name"], one["sh_lat"], one["sh_lng"]) for one in stops.values()],
        ),
        "calendar.txt": written(CALENDAR, days),
        "trips.txt": written(
            ("route_id", "service_id", "trip_id", "trip_headsign", "trip_short_name", "direction_id"),
            [(one.route, SERVICE, trip, one.toward, one.origin, trip[-1]) for trip, one in _trips(directions).items()],
        ),
        "stop_times.txt": written(
            ("trip_id", "arrival_time", "departure_time", "stop_id", "stop_sequence", "timepoint"), _stop_times(directions)
        ),
    }  # fmt: skip


def _tariff(routes: list[str]) -> Tariff:
    """The flat fare on one network, with names for people, the card as its medium, and the cash fare beside."""
    flat = TRANS_SEMARANG_2022
    return replace(
        flat,
        products=tuple(
            replace(one, medium=one.medium or "kartu", name=_PRODUCTS[one.product]) for one in flat.products
        ),
        legs=tuple(LegRule(one.product, one.group, NETWORK, from_frame=one.from_frame) for one in flat.legs),
        categories=tuple(Category(one, name, one == "general") for one, name in _CATEGORIES.items()),
        media=(Medium("kartu", "Kartu Semarang Hebat", 2), *flat.media),
        networks=tuple((route, NETWORK) for route in routes),
        policy=replace(flat.policy, medium="kartu"),
    )


def _long_name(route: str, directions: list[Direction]) -> str:
    first = next(one for one in directions if one.route == route)
    return f"{first.origin} - {first.toward}"


def _trips(directions: list[Direction]) -> dict[str, Direction]:
    """A trip for each direction: the route's name and 0 or 1."""
    found: dict[str, Direction] = {}
    for one in directions:
        back = f"{one.route}-0" in found
        found[f"{one.route}-{int(back)}"] = one
    return found


def _stop_times(directions: list[Direction]) -> Iterable[Sequence[str]]:
    for trip, one in _trips(directions).items():
        seconds = float(_FIRST_TRIP["malam" in one.origin.lower()])
        before: dict[str, str] | None = None
        for sequence, row in enumerate(one.stops, 1):
            seconds += max(30, _metres(before, row) / _METRES_PER_SECOND) if before is not None else 0
            at = f"{int(seconds) // 3600:02d}:{int(seconds) // 60 % 60:02d}:{int(seconds) % 60:02d}"
            yield trip, at, at, row["sh_id"], str(sequence), "0"
            before = row


def _metres(one: dict[str, str], other: dict[str, str]) -> float:
    north = float(other["sh_lat"]) - float(one["sh_lat"])
    east = (float(other["sh_lng"]) - float(one["sh_lng"])) * math.cos(math.radians(float(one["sh_lat"])))
    return _METRES_PER_DEGREE * math.hypot(north, east)
