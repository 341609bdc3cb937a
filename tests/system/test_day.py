"""A day of real trips: every row ends as posted or as a named exception, and the rupiah agree with an independent count."""

from __future__ import annotations

import csv
import json
import os
from collections import Counter, defaultdict
from datetime import date
from typing import TYPE_CHECKING

import pytest

from hebat.day.fates import Fate
from hebat.day.source import read_input
from tests.system.conftest import hebat

if TYPE_CHECKING:
    from pathlib import Path

    from hebat.day.source import Input
    from tests.system.conftest import Ran

DAY = "2023-04-08"
FEED = "gtfs-transjakarta-2023"
LONG = os.environ.get("HEBAT_LONG") == "1"
TAPS = "transjakarta/taps-2023-04-first.csv"


def count_independently(path: Path, day: str) -> tuple[Counter[str], int]:
    """Rows by fate and rupiah of the posted ones, with nothing but the csv module and string comparison."""
    with path.open(encoding="utf-8-sig", newline="") as file:
        rows = [row for row in csv.DictReader(file) if row["tapInTime"].startswith(day)]
    by_card = defaultdict(list)
    for row in rows:
        by_card[row["payCardID"]].append(row)
    fates: Counter[str] = Counter()
    rupiah = 0
    for journeys in by_card.values():
        until = ""
        for row in sorted(journeys, key=lambda row: row["tapInTime"]):
            overlaps = row["tapInTime"] < until
            if not row["tapOutTime"]:
                fates["missing tap-out"] += 1
                continue
            if not overlaps:
                until = row["tapOutTime"]
            same = (row["tapInStopsLat"], row["tapInStopsLon"]) == (
                row["tapOutStopsLat"],
                row["tapOutStopsLon"],
            )
            if not row["payAmount"]:
                fates["missing amount"] += 1
            elif same:
                fates["same stop"] += 1
            elif overlaps:
                fates["overlapping trips"] += 1
            else:
                fates["posted"] += 1
                rupiah += int(row["payAmount"].removesuffix(".0"))
    return fates, rupiah


def fares_independently(source: Input, gtfs: Path) -> tuple[dict[int, int], int]:
    """Rupiah by line and what open rides come to: by fare_rules.txt and fare_attributes.txt alone, over whole histories, no card in sight."""
    with (gtfs / "fare_rules.txt").open(encoding="utf-8-sig", newline="") as file:
        fare_of_route = {row["route_id"]: row["fare_id"] for row in csv.DictReader(file)}
    with (gtfs / "fare_attributes.txt").open(encoding="utf-8-sig", newline="") as file:
        fares = {row["fare_id"]: row for row in csv.DictReader(file)}
    with (gtfs / "routes.txt").open(encoding="utf-8-sig", newline="") as file:
        names = ["", *(row["route_id"] for row in csv.DictReader(file))]
    trips = sorted((trip for day in source.by_day.values() for trip in day), key=lambda trip: trip.tap_in_at)
    due, window, still_open = dict[int, int](), dict[str, tuple[int, str, int]](), 0
    last = {trip.card: trip.line for trip in trips if source.rulings[trip.line].runs}
    for trip in trips:
        fare = fare_of_route.get(names[source.routes[trip.line]], "")
        begins, ends = trip.tap_in_at // 1000, (trip.tap_out_at or 0) // 1000
        if not source.rulings[trip.line].runs:
            due[trip.line] = 0
        elif not ends:
            due[trip.line] = (
                int(fares[fare]["price"]) if fare else max(int(one["price"]) for one in fares.values())
            )
            still_open += due[trip.line] if last[trip.card] == trip.line else 0
        elif source.places[trip.line][0] == source.places[trip.line][1] and ends - begins < 15 * 60:
            due[trip.line] = 0
        else:
            started, group, count = window.get(trip.card, (0, "", 0))
            fare = fare or "GR"  # an unknown route costs as little as it can
            most = int(fares[fare]["transfers"] or 99)
            if group == fare and begins - started < int(fares[fare]["transfer_duration"]) and count < most:
                due[trip.line], window[trip.card] = 0, (started, group, count + 1)
            else:
                due[trip.line], window[trip.card] = int(fares[fare]["price"]), (begins, fare, 0)
    return due, still_open


def test_a_day_of_the_shared_file_balances_to_the_rupiah_and_verifies(data: Path, tmp_path: Path) -> None:
    folder = tmp_path / "city"
    ran = hebat(
        "day", "--taps", data / TAPS, "--gtfs", data / FEED, "--date", DAY, "--keep", folder, "--json"
    )
    assert ran.code == 0, ran.err
    report = json.loads(ran.out)
    fates, rupiah = count_independently(data / TAPS, DAY)
    (line,) = report["days"]
    assert line["fates"] == dict(fates)
    assert line["rows"] == fates.total() == 341
    assert line["filed"] == rupiah * 100
    assert line["posted"] == line["expected"]
    assert sum(issuer["fares"] for issuer in report["issuers"]) == line["expected"]
    assert (report["breaks"], report["sound"]) == (0, True)

    with (folder / "rows.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    source = read_input(data / TAPS, data / FEED, date.fromisoformat(DAY))
    due, still_open = fares_independently(source, data / FEED)
    assert {int(row["line"]): int(row["fare sen"]) for row in rows} == {
        line: 100 * one for line, one in due.items()
    }
    assert line["expected"] == 100 * (sum(due.values()) - still_open)
    assert report["provisional"] == report["provisional_expected"] == 100 * still_open > 0
    assert sum(line["verdicts"].values()) == len(rows) == 341
    for row in rows:
        steps = [int(step.rpartition("=")[2]) for step in row["rules"].split()]
        assert sum(steps) * 100 == int(row["fare sen"])
        assert bool(row["why"]) is (row["fate"] != "overlapping trips")
    assert hebat("ledger", "verify", "--data", folder).code == 0


def test_every_row_is_sorted_out_and_priced_as_an_independent_count_does(data: Path) -> None:
    """One day of the twenty; all of them with HEBAT_LONG=1, over which windows and missing tap-outs reach from day to day."""
    source = read_input(data / TAPS, data / FEED, None if LONG else date.fromisoformat(DAY))
    assert sum(len(trips) for trips in source.by_day.values()) == (26_804 if LONG else 341)
    for day, trips in source.by_day.items():
        fates, rupiah = count_independently(data / TAPS, day.isoformat())
        ours = Counter(source.rulings[trip.line].fate.value for trip in trips)
        posted = [trip for trip in trips if source.rulings[trip.line].fate is Fate.POSTED]
        assert (ours, sum(trip.amount or 0 for trip in posted)) == (fates, rupiah), day
    due, still_open = fares_independently(source, data / FEED)
    assert {line: row.price for line, row in source.priced.rows.items()} == due
    assert sum(source.priced.charged.values()) == sum(due.values()) - still_open
    assert source.priced.provisional == still_open
    unexplained = [
        line for line, row in source.priced.rows.items() if not row.steps and source.rulings[line].runs
    ]
    assert unexplained == []


HEADER = (
    "transID,payCardID,payCardBank,corridorID,corridorName,tapInStops,tapInStopsName,tapInStopsLat,tapInStopsLon,tapInTime,"
    "tapOutStops,tapOutStopsName,tapOutStopsLat,tapOutStopsLon,tapOutTime,payAmount"
)
GOOD = "T1,C1,bni,1,Satu,S1,Simpang Lima,,,2023-04-03 05:21:44,S2,Tugu Muda,,,2023-04-03 06:00:53,3500.0"


def run_file(folder: Path, *lines: str) -> Ran:
    gtfs = folder / "gtfs"
    gtfs.mkdir()
    stops = "stop_id,stop_name,stop_lat,stop_lon\nS1,Simpang Lima,-6.9903,110.4229\nS2,Tugu Muda,-6.9840,110.4093\n"
    (gtfs / "stops.txt").write_text(stops, encoding="utf-8")
    (gtfs / "routes.txt").write_text("route_id\n1\n", encoding="utf-8")
    fare = "fare_id,price,currency_type,payment_method,transfers\nF,3500,IDR,0,0\n"
    (gtfs / "fare_attributes.txt").write_text(fare, encoding="utf-8")
    taps = folder / "taps.csv"
    taps.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return hebat("day", "--taps", taps, "--gtfs", gtfs, "--keep", folder / "city", "--json")


def test_a_small_file_runs_too(tmp_path: Path) -> None:
    ran = run_file(tmp_path, HEADER, GOOD, GOOD.replace("T1", "T2").replace("3500.0", "").replace(" 0", " 1"))
    report = json.loads(ran.out)
    assert ran.code == 0, ran.err
    assert report["days"][0]["fates"] == {"posted": 1, "missing amount": 1}
    assert (report["filed"], report["posted"]) == (350_000, 700_000)
    assert report["days"][0]["verdicts"] == {"agrees": 1, "no amount in the file": 1}


@pytest.mark.parametrize(
    ("line", "names"),
    [
        (GOOD.replace("3500.0", "free"), "line 2, column payAmount"),
        (GOOD.replace("2023-04-03 05:21:44", "yesterday"), "line 2, column tapInTime"),
        (GOOD.replace(",S1,Simpang Lima,", ",S9,Nowhere,"), "line 2, column tapInStops"),
        (GOOD.replace(",bni,", ",nobank,"), "line 2, column payCardBank"),
    ],
)
def test_a_wrong_value_or_unknown_stop_is_one_sentence_with_its_place_and_nothing_has_run(
    tmp_path: Path, line: str, names: str
) -> None:
    ran = run_file(tmp_path, HEADER, line)
    assert ran.code == 2
    assert names in ran.err
    assert "Traceback" not in ran.err
    assert not (tmp_path / "city" / "rows.csv").exists()


def test_a_missing_column_is_named(tmp_path: Path) -> None:
    ran = run_file(tmp_path, HEADER.replace(",payAmount", ""), GOOD)
    assert (ran.code, "payAmount" in ran.err) == (2, True)
