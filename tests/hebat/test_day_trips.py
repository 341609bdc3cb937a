"""A file of taps is read whole or refused with line and column; nothing runs before."""

from __future__ import annotations

import csv
import io
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hebat.day.trips import COLUMNS, read_trips
from hebat.errors import TapsRefused

if TYPE_CHECKING:
    from pathlib import Path

ROW = {
    "transID": "EIIW227B8L34VB", "payCardID": "180062659848800", "payCardBank": "emoney", "corridorID": "5",
    "corridorName": "Matraman Baru - Ancol", "tapInStops": "P00142", "tapInStopsName": "Pal Putih",
    "tapInStopsLat": "-6.184631", "tapInStopsLon": "106.84402", "tapInTime": "2023-04-03 05:21:44",
    "tapOutStops": "P00253", "tapOutStopsName": "Tegalan", "tapOutStopsLat": "-6.203101",
    "tapOutStopsLon": "106.85715", "tapOutTime": "2023-04-03 06:00:53", "payAmount": "3500.0",
}  # fmt: skip


def write(folder: Path, *changes: dict[str, str], columns: tuple[str, ...] = COLUMNS) -> Path:
    text = io.StringIO()
    writer = csv.DictWriter(text, columns, extrasaction="ignore")
    writer.writeheader()
    for number, change in enumerate(changes):
        writer.writerow(ROW | {"transID": f"T{number}"} | change)
    path = folder / "taps.csv"
    path.write_text(text.getvalue(), encoding="utf-8")
    return path


def test_a_row_becomes_a_trip_with_times_of_the_city_and_whole_rupiah(tmp_path: Path) -> None:
    (trip,) = read_trips(write(tmp_path, {}))
    assert trip.line == 2
    assert trip.amount == 3500
    assert trip.tap_in_at == 1680474104000  # 2023-04-02T22:21:44Z
    assert trip.tap_out_at == 1680476453000
    assert trip.tap_in.stop_id == "P00142"


def test_nulls_are_kept_as_facts(tmp_path: Path) -> None:
    (trip,) = read_trips(
        write(tmp_path, {"tapOutTime": "", "payAmount": "", "tapInStops": "", "corridorID": ""})
    )
    assert (trip.tap_out, trip.tap_out_at, trip.amount) == (None, None, None)
    assert trip.tap_in.name == "Pal Putih"
    assert trip.corridor == "Matraman Baru - Ancol"


@pytest.mark.parametrize(
    ("change", "column"),
    [
        ({"payAmount": "free"}, "payAmount"),
        ({"payAmount": "10.5"}, "payAmount"),
        ({"payAmount": "-1.0"}, "payAmount"),
        ({"tapInTime": "yesterday"}, "tapInTime"),
        ({"tapInTime": ""}, "tapInTime"),
        ({"tapOutTime": "2023-04-03 05:00:00"}, "tapOutTime"),
        ({"tapInStopsLat": "north"}, "tapInStopsLat"),
        ({"tapInStopsLat": "nan"}, "tapInStopsLat"),
        ({"tapOutStopsLon": "361"}, "tapOutStopsLon"),
        ({"payCardID": ""}, "payCardID"),
        ({"corridorName": "x" * 201}, "corridorName"),
        ({"transID": "T0"}, "transID"),
    ],
)
def test_a_wrong_value_is_refused_with_its_line_and_column(
    tmp_path: Path, change: dict[str, str], column: str
) -> None:
    with pytest.raises(TapsRefused) as refused:
        read_trips(write(tmp_path, {}, change))
    assert (refused.value.line, refused.value.column) == (3, column)


def test_a_missing_column_is_named(tmp_path: Path) -> None:
    with pytest.raises(TapsRefused, match="payAmount"):
        read_trips(write(tmp_path, {}, columns=COLUMNS[:-1]))


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(TapsRefused, match=r"none\.csv"):
        read_trips(tmp_path / "none.csv")


def test_a_file_that_is_no_text_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "taps.csv"
    path.write_bytes(b"\xff\xfe\x00binary")
    with pytest.raises(TapsRefused, match="UTF-8"):
        read_trips(path)


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(st.sampled_from(COLUMNS), st.text(max_size=30))
def test_whatever_stands_in_a_column_is_read_or_refused(tmp_path: Path, column: str, value: str) -> None:
    try:
        trips = read_trips(write(tmp_path, {column: value.replace("\r", "").replace("\n", "")}))
    except TapsRefused as refused:
        assert refused.column in {column, "-"}
    else:
        assert len(trips) == 1


def test_all_rows_of_the_shared_file_are_read(data: Path) -> None:
    trips = read_trips(data / "transjakarta" / "taps-2023-04-first.csv")
    assert len(trips) == 26_804
    assert sum(trip.tap_out_at is None for trip in trips) == 944
    assert sum(trip.amount is None for trip in trips) == 720
