"""Trips from a file of tap-in/tap-out records, read whole and checked before anything runs.

The columns are those of the Transjakarta teaching set (simulated by its author over the real network): one row a trip,
whole numbers written `1.0`, nulls part of the data. A null tap-out or amount is a fact to keep; an unreadable
value is an error of the file.
"""

from __future__ import annotations

import csv
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, TypeVar

from hebat.errors import TapsRefused
from keys.clock import UnixMs, moment
from keys.errors import MoneyError
from keys.money import Rupiah, parse, rupiah_of

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

_T = TypeVar("_T")

FILE_BYTES_MAX = 256 << 20
FIELD_CHARS_MAX = 200
COLUMNS = (
    "transID", "payCardID", "payCardBank", "corridorID", "corridorName",
    "tapInStops", "tapInStopsName", "tapInStopsLat", "tapInStopsLon", "tapInTime",
    "tapOutStops", "tapOutStopsName", "tapOutStopsLat", "tapOutStopsLon", "tapOutTime", "payAmount",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class StopRef:
    """A stop as the file names it: id and name may be empty; degrees (WGS 84) may be absent."""

    stop_id: str
    name: str
    latitude: float | None
    longitude: float | None


@dataclass(frozen=True, slots=True)
class Trip:
    """One row of the file; `line` counts from 1, the header being line 1."""

    line: int
    trip_id: str
    card: str
    issuer: str
    corridor: str
    tap_in: StopRef
    tap_in_at: UnixMs
    tap_out: StopRef | None
    tap_out_at: UnixMs | None
    amount: Rupiah | None


def read_trips(path: Path) -> list[Trip]:
    """All trips of a file, in the file's order.

    Raises TapsRefused at the first missing column, wrong type, or repeated trip id; nothing has run by then.
    """
    if not path.is_file():
        raise TapsRefused(
            str(path), 0, "-", "there is no such file; give --taps a CSV of tap-in/tap-out trips"
        )
    if path.stat().st_size > FILE_BYTES_MAX:
        raise TapsRefused(str(path), 0, "-", f"the file is over {FILE_BYTES_MAX >> 20} MiB; split it by day")
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            return _trips(path, csv.DictReader(file, strict=True))
    except UnicodeDecodeError:
        raise TapsRefused(str(path), 0, "-", "the file is not UTF-8 text; export it again as UTF-8") from None


def _trips(path: Path, reader: csv.DictReader[str]) -> list[Trip]:
    missing = [column for column in COLUMNS if column not in (reader.fieldnames or ())]
    if missing:
        raise TapsRefused(str(path), 1, ", ".join(missing), "missing from the header line; add the column")
    trips: list[Trip] = []
    seen: dict[str, int] = {}
    try:
        for number, row in enumerate(reader, 2):
            trip = _trip(_Row(str(path), number, row))
            if trip.trip_id in seen:
                raise TapsRefused(str(path), number, "transID", f"repeats line {seen[trip.trip_id]}")
            seen[trip.trip_id] = number
            trips.append(trip)
    except csv.Error as error:
        raise TapsRefused(str(path), reader.line_num, "-", f"no CSV: {error}") from None
    return trips


@dataclass(frozen=True, slots=True)
class _Row:
    """A row with the place to name when a value of it cannot be read."""

    path: str
    line: int
    values: Mapping[str, str | None]

    def refuse(self, column: str, reason: str) -> TapsRefused:
        return TapsRefused(self.path, self.line, column, reason)

    def text(self, column: str) -> str:
        value = self.values.get(column)
        if value is None:
            raise self.refuse(column, "the line has too few values")
        if len(value) > FIELD_CHARS_MAX:
            raise self.refuse(column, f"longer than {FIELD_CHARS_MAX} characters")
        return value.strip()

    def required(self, column: str) -> str:
        return self.text(column) or self._absent(column)

    def _absent(self, column: str) -> str:
        raise self.refuse(column, "must not be empty")

    def read(self, column: str, reader: Callable[[str], _T], wanted: str) -> _T | None:
        text = self.text(column)
        if not text:
            return None
        try:
            return reader(text)
        except (ValueError, MoneyError):
            raise self.refuse(column, f"{text[:40]!r} is not {wanted}") from None


def _trip(row: _Row) -> Trip:
    tap_in_at = row.read("tapInTime", _moment, "a time such as 2023-04-03 05:21:44")
    if tap_in_at is None:
        raise row.refuse("tapInTime", "must not be empty")
    name = row.text("corridorName")
    tap_out_at = row.read("tapOutTime", _moment, "a time such as 2023-04-03 06:00:53")
    if tap_out_at is not None and tap_out_at <= tap_in_at:
        raise row.refuse("tapOutTime", "is not after the tap-in")
    return Trip(
        line=row.line,
        trip_id=row.required("transID"),
        card=row.required("payCardID"),
        issuer=row.required("payCardBank"),
        corridor=row.text("corridorID") or name,
        tap_in=_stop(row, "tapIn"),
        tap_in_at=tap_in_at,
        tap_out=_stop(row, "tapOut") if tap_out_at is not None else None,
        tap_out_at=tap_out_at,
        amount=row.read("payAmount", _rupiah, "an amount in rupiah such as 3500.0"),
    )


def _stop(row: _Row, side: str) -> StopRef:
    return StopRef(
        stop_id=row.text(f"{side}Stops"),
        name=row.text(f"{side}StopsName"),
        latitude=row.read(f"{side}StopsLat", degrees, "a latitude in degrees"),
        longitude=row.read(f"{side}StopsLon", degrees, "a longitude in degrees"),
    )


def _moment(text: str) -> UnixMs:
    return moment(datetime.strptime(text, "%Y-%m-%d %H:%M:%S"))  # noqa: DTZ007  the file's times are the city's wall clock


def _rupiah(text: str) -> Rupiah:
    rupiah = rupiah_of(parse(text))
    if rupiah < 0:
        raise ValueError(text)
    return rupiah


def degrees(text: str) -> float:
    """A latitude or longitude; raises ValueError."""
    found = float(text)
    if not -180 <= found <= 180:  # noqa: PLR2004  degrees of a circle; NaN fails too
        raise ValueError(text)
    return found
