"""Where a row's stops are, and what becomes of the row."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

import pytest

from hebat.day.fates import Fate, fates
from hebat.day.feed import metres, read_feed
from hebat.day.trips import StopRef, Trip, read_trips
from hebat.errors import FeedRefused
from keys.clock import UnixMs
from keys.money import Rupiah

if TYPE_CHECKING:
    from pathlib import Path

HOUR = 3_600_000


def trip(line: int, start: int, end: int | None, *, amount: int | None = 3500, to: str = "S2") -> Trip:
    stop_in = StopRef("S1", "Simpang Lima", None, None)
    stop_out = StopRef(to, "", None, None) if end is not None else None
    ended = None if end is None else UnixMs(end * HOUR)
    price = None if amount is None else Rupiah(amount)
    return Trip(line, f"T{line}", "card", "bni", "1", stop_in, UnixMs(start * HOUR), stop_out, ended, price)


def fates_of(folder: Path, *trips: Trip) -> list[Fate]:
    feed = read_feed(folder)
    places = {}
    for row in trips:
        tap_in = feed.locate(row.tap_in)
        assert tap_in is not None
        places[row.line] = (tap_in, feed.locate(row.tap_out) if row.tap_out else None)
    found = fates(trips, places)
    return [found[row.line].fate for row in trips]


def test_each_fault_of_a_row_has_a_name(feed_folder: Path) -> None:
    rows = [trip(2, 1, 2), trip(3, 3, None), trip(4, 5, 6, amount=None), trip(5, 7, 8, to="S1")]
    assert fates_of(feed_folder, *rows) == [
        Fate.POSTED, Fate.MISSING_TAP_OUT, Fate.MISSING_AMOUNT, Fate.SAME_STOP,
    ]  # fmt: skip


def test_a_trip_begun_before_the_last_one_ended_overlaps_whatever_the_order_of_lines(
    feed_folder: Path,
) -> None:
    assert fates_of(feed_folder, trip(2, 2, 4), trip(3, 1, 3)) == [Fate.OVERLAPPING, Fate.POSTED]


def test_an_incomplete_trip_within_another_keeps_its_name_and_makes_no_taps(feed_folder: Path) -> None:
    feed = read_feed(feed_folder)
    rows = [trip(2, 1, 4), trip(3, 2, None)]
    stop = feed.locate(rows[0].tap_in)
    assert stop is not None
    found = fates(rows, {2: (stop, feed.locate(StopRef("S2", "", None, None))), 3: (stop, None)})
    assert (found[3].fate, found[3].runs) == (Fate.MISSING_TAP_OUT, False)
    assert found[2].runs


def test_a_trip_that_begins_when_the_last_one_ends_does_not_overlap(feed_folder: Path) -> None:
    assert fates_of(feed_folder, trip(2, 1, 2), trip(3, 2, 3)) == [Fate.POSTED, Fate.POSTED]


def test_a_stop_is_found_by_id_then_by_position_then_taken_as_it_is(feed_folder: Path) -> None:
    feed = read_feed(feed_folder)
    by_id = feed.locate(StopRef("S2", "", None, None))
    near = feed.locate(StopRef("halte-9", "Tugu", -6.9841, 110.4094))
    far = feed.locate(StopRef("halte-10", "Mangkang", -6.9689, 110.2892))
    assert by_id is not None
    assert near is not None
    assert far is not None
    assert (by_id.name, near.name, far.name) == ("Tugu Muda", "Tugu Muda", "Mangkang")
    assert feed.added == 1
    assert feed.locate(StopRef("halte-11", "nowhere", None, None)) is None


def test_metres_agree_with_a_known_distance() -> None:
    assert metres(-6.9903, 110.4229, -6.9840, 110.4093) == pytest.approx(1657, abs=5)


@pytest.mark.parametrize(("name", "text"), [("stops.txt", "stop_id\nS1\n"), ("routes.txt", "id\n1\n")])
def test_a_feed_without_its_columns_is_refused_by_name(feed_folder: Path, name: str, text: str) -> None:
    (feed_folder / name).write_text(text, encoding="utf-8")
    with pytest.raises(FeedRefused, match=name):
        read_feed(feed_folder)


def test_a_folder_that_is_no_feed_is_refused(tmp_path: Path) -> None:
    with pytest.raises(FeedRefused, match=r"stops\.txt is missing"):
        read_feed(tmp_path)


def test_every_row_of_the_shared_file_has_stops_and_a_fate(data: Path) -> None:
    trips = read_trips(data / "transjakarta" / "taps-2023-04-first.csv")
    feed = read_feed(data / "gtfs-transjakarta-2023")
    places = {}
    for row in trips:
        tap_in = feed.locate(row.tap_in)
        assert tap_in is not None, row
        places[row.line] = (tap_in, feed.locate(row.tap_out) if row.tap_out else None)
    counted = Counter(ruling.fate for ruling in fates(trips, places).values())
    assert counted[Fate.MISSING_TAP_OUT] == 944
    assert counted[Fate.OVERLAPPING] == 3
    assert counted.total() == 26_804
