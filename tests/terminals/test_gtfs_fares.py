"""Tariffs from GTFS: both versions of fares, what each rule means at a tap, back out and in again, and every error with its place."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, datetime
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from card.layout import NEVER, Concession, Identity, Journey, card_number
from keys.clock import UnixMs, day_of, moment
from keys.money import Rupiah
from terminals.errors import FeedWrong, TariffWrong
from terminals.fares import TRANS_SEMARANG_2022, FareRefused, Place, Tariff, codec, decide, tap_in, tap_out
from terminals.fares.tariff import (
    Category,
    Cost,
    Days,
    Follows,
    LegRule,
    Limit,
    Medium,
    Policy,
    Product,
    Timeframe,
    TransferRule,
)
from terminals.gtfs.exporting import export
from terminals.gtfs.importing import Naming, import_tariff
from terminals.gtfs.validity import check_feed
from terminals.places import feed_path, semarang_tariff
from tests.terminals.feeds import V1, V2, folder, packed

if TYPE_CHECKING:
    from pathlib import Path

PERSON = Identity(card_number(9, 1), 9, 1, registered=True, concession=Concession.GENERAL, concession_until=NEVER, valid_until=NEVER)  # fmt: skip
PUPIL = replace(PERSON, concession=Concession.PUPIL)
A, B = 1, 3
"""Stops A1 and B1 (B1 has the area of its station) by their place in stops.txt."""


def at(hour: int, day: date = date(2026, 11, 18), minute: int = 0) -> UnixMs:
    return moment(datetime(day.year, day.month, day.day, hour, minute))  # noqa: DTZ001  the city's wall clock


def ride(tariff: Tariff, origin: int, destination: int, *, begin: UnixMs, route: int = 1, who: Identity = PERSON, journey: Journey | None = None) -> tuple[int, Journey]:  # fmt: skip
    into = tap_in(tariff, who, journey or Journey(), begin, Place("", "", route, origin, 50 + origin))
    out = tap_out(
        tariff,
        who,
        into.journey,
        UnixMs(begin + 1_800_000),
        Place("", "", route, destination, 60 + destination),
    )
    return into.amount + out.amount, out.journey


def test_fares_v2_price_by_area_category_day_and_network(tmp_path: Path) -> None:
    tariff = import_tariff(folder(tmp_path, V2))
    sunday, christmas, last = date(2026, 11, 22), date(2026, 12, 25), date(2026, 12, 31)
    assert (tariff.version, tariff.valid_from) == ("kota-1", day_of(date(2026, 1, 1)))
    assert [ride(tariff, A, end, begin=at(8))[0] for end in (A, B)] == [3_000, 5_000]
    assert ride(tariff, B, B, begin=at(8))[0] == 3_000
    assert [ride(tariff, A, A, begin=at(8, day))[0] for day in (date(2026, 11, 18), sunday, christmas, last)] == [
        3_000, 5_000, 5_000, 3_000,
    ]  # fmt: skip  # the year's last day is a school day and one of the other service: the cheapest rule
    assert ride(tariff, A, A, begin=at(8), who=PUPIL)[0] == 1_000
    assert ride(tariff, A, B, begin=at(8), route=3)[0] == 15_000  # 20,000 under the daily cap
    assert tariff.is_gated(1)
    assert not tariff.is_gated(3)


def test_without_priorities_an_empty_area_stands_for_those_that_no_rule_lists(tmp_path: Path) -> None:
    rules = V2["fare_leg_rules.txt"].replace(",rule_priority", "").replace(",\n", "\n")
    tariff = import_tariff(folder(tmp_path, V2, fare_leg_rules=rules))
    assert ride(tariff, A, B, begin=at(8))[0] == 5_000
    with pytest.raises(FareRefused) as refused:
        ride(tariff, A, B, begin=at(8), route=3)
    assert refused.value.rule == "no-fare"


def test_transfers_of_v2_cost_what_their_type_says(tmp_path: Path) -> None:
    tariff = import_tariff(folder(tmp_path, V2))
    first, journey = ride(tariff, A, B, begin=at(8))
    second, journey = ride(tariff, B, A, begin=at(8, minute=40), journey=journey)
    third, journey = ride(tariff, A, B, begin=at(9, minute=15), journey=journey)
    assert (first, second, third) == (5_000, 500, 500)
    fourth, _ = ride(
        tariff, B, A, begin=at(9, minute=29), journey=replace(journey, tap_out_at=journey.tap_in_at + 1)
    )
    assert fourth == 5_000  # no third transfer
    express, _ = ride(tariff, A, B, begin=at(9), route=3, journey=ride(tariff, A, B, begin=at(8))[1])
    assert express == 20_000 - 10_000  # A + AB + B, then the daily cap of 15,000


def test_fares_v1_say_the_same_in_v2s_terms(tmp_path: Path) -> None:
    tariff = import_tariff(folder(tmp_path, V1))
    assert [ride(tariff, 1, 2, begin=at(8), route=route)[0] for route in (1, 2, 3)] == [3_500, 20_000, 9_000]
    _, journey = ride(tariff, 1, 2, begin=at(8))
    assert ride(tariff, 2, 1, begin=at(10, minute=59), journey=journey)[0] == 0
    assert ride(tariff, 2, 1, begin=at(11), journey=journey)[0] == 3_500
    with_zip = import_tariff(packed(tmp_path / "feed.zip", V1))
    assert with_zip == tariff


def test_a_feed_with_both_is_read_as_v2(tmp_path: Path) -> None:
    both = folder(tmp_path, V2 | {"fare_attributes.txt": V1["fare_attributes.txt"]})
    assert {one.product for one in import_tariff(both).products} == {"dekat", "jauh", "ekspres", "pindah"}


@pytest.mark.parametrize("files", [V1, V2], ids=["v1", "v2"])
def test_import_export_import_gives_the_same_tariff(files: dict[str, str], tmp_path: Path) -> None:
    tariff = import_tariff(folder(tmp_path / "in", files))
    export(tariff, tmp_path / "out")
    assert import_tariff(tmp_path / "out") == tariff
    with pytest.raises(FileExistsError):
        export(tariff, tmp_path / "out")


names = st.sampled_from(["a", "b", "c,d", 'e"f', "ü"])
rupiah = st.integers(0, 100_000).map(Rupiah)


@st.composite
def tariffs(draw: st.DrawFn) -> Tariff:
    """Any tariff whose parts fit together."""
    products = draw(st.lists(names, min_size=1, max_size=4, unique=True))
    networks, areas = (
        draw(st.lists(names, max_size=3, unique=True)),
        draw(st.lists(names, max_size=3, unique=True)),
    )
    days = tuple(
        Days(name, draw(st.integers(0, 127)), day_of(date(2026, 1, 1)), day_of(date(2027, 1, 1)), draw(st.sampled_from(Follows)))
        for name in draw(st.lists(names, min_size=1, max_size=2, unique=True))
    )  # fmt: skip
    frames = tuple(
        Timeframe(f"t{place}", one.service, 3_600 * place, 80_000) for place, one in enumerate(days)
    )
    prioritised = draw(st.booleans())
    legs = [
        LegRule(
            draw(st.sampled_from(products)), draw(st.sampled_from(["", "g1", "g2"])), draw(st.sampled_from(["", *networks])),
            draw(st.sampled_from(["", *areas])), draw(st.sampled_from(["", *areas])),
            draw(st.sampled_from(["", *(one.group for one in frames)])), "", draw(st.integers(0, 9)) if prioritised else 0,
        )
        for _ in range(draw(st.integers(1, 5)))
    ]  # fmt: skip
    legs = list({replace(one, group="", priority=0): one for one in legs}.values())
    needs_network = any(one.network for one in legs)
    needs_area = any(one.from_area or one.to_area for one in legs)
    groups = sorted({one.group for one in legs if one.group})
    transfers = tuple(
        TransferRule(one, other, draw(st.sampled_from(Cost)), draw(st.sampled_from(["", *products])), -1 if one == other else 0,
                     seconds, draw(st.sampled_from(Limit)) if seconds else Limit.DEPARTURE_TO_DEPARTURE)
        for one in groups for other in groups for seconds in [draw(st.sampled_from([0, 7_200]))]
    )  # fmt: skip
    holidays = draw(
        st.frozensets(
            st.integers(20_454, 20_800).map(lambda day: day_of(date(2026, 1, 1)).__class__(day)), max_size=4
        )
    )
    return Tariff(
        "any", day_of(date(2026, 1, 1)),
        products=tuple(Product(one, "", draw(st.sampled_from(["", "m"])), draw(rupiah)) for one in products),
        legs=tuple(legs), transfers=transfers, frames=frames,
        services=days, prioritised=prioritised, holidays=holidays,
        media=(Medium("m", "M", 2),),
        categories=(Category("umum", "Umum", default=True), Category("tua", "Tua")),
        networks=tuple((f"r{place}", one) for place, one in enumerate(["", *networks])) if needs_network else (),
        areas=tuple((f"s{place}", (one,)) for place, one in enumerate(areas)) if needs_area else (),
        policy=Policy(
            medium="m", classes=((Concession.ELDERLY, "tua"),), calendar_days=draw(st.booleans()),
            daily_caps=(("tua", draw(rupiah)),), degraded=(("", draw(rupiah)),), continuation_minutes=draw(st.integers(0, 60)),
        ),
    )  # fmt: skip


@settings(max_examples=40, deadline=None)
@given(tariffs())
def test_any_tariff_comes_back_from_gtfs_and_from_its_bytes(
    tmp_path_factory: pytest.TempPathFactory, tariff: Tariff
) -> None:
    out = tmp_path_factory.mktemp("any")
    export(tariff, out)
    assert import_tariff(out) == tariff
    body = codec.encode(tariff)
    assert codec.decode(body) == tariff
    assert codec.encode(codec.decode(body)) == body


def edited(file: str, old: str, new: str) -> dict[str, str]:
    assert old in V2[file]
    return V2 | {file: V2[file].replace(old, new, 1)}


WRONG: dict[str, tuple[dict[str, str], str]] = {
    "a price that is none": (edited("fare_products.txt", "5000.00", "free"), "fare_products.txt, row 5, column amount"),
    "broken rupiah": (edited("fare_products.txt", "5000.00", "5000.50"), "fare_products.txt, row 5, column amount"),
    "another currency": (edited("fare_products.txt", "4000.00,IDR", "4000.00,USD"), "row 4, column currency"),
    "a product twice": (edited("fare_products.txt", "dekat,pelajar", "dekat,umum"), "row 3, column fare_product_id"),
    "an unknown category": (edited("fare_products.txt", "pelajar", "mahasiswa"), "row 3, column rider_category_id"),
    "an unknown product": (edited("fare_leg_rules.txt", "ekspres,\n", "kilat,\n"), "fare_leg_rules.txt, row 7, column fare_product_id"),
    "an unknown area": (edited("fare_leg_rules.txt", "kota,city,B,B", "kota,city,B,C"), "row 6, column to_area_id"),
    "an unknown network": (edited("fare_leg_rules.txt", "express", "expres"), "row 7, column network_id"),
    "an unknown timeframe": (edited("fare_leg_rules.txt", "A,A,libur", "A,A,minggu"), "row 3, column from_timeframe_group_id"),
    "a rule twice": (edited("fare_leg_rules.txt", "A,A,libur,jauh", "A,A,sekolah,dekat"), "fare_leg_rules.txt, row 3"),
    "an unknown field": (edited("fare_leg_rules.txt", "leg_group_id", "leg_group"), "fare_leg_rules.txt, row 1, column leg_group"),
    "a transfer of an unknown group": (edited("fare_transfer_rules.txt", "kota,ekspres", "kota,kereta"), "row 3, column to_leg_group_id"),
    "a transfer without its count": (edited("fare_transfer_rules.txt", "kota,kota,2", "kota,kota,"), "row 2, column transfer_count"),
    "a count where none may be": (edited("fare_transfer_rules.txt", "ekspres,,", "ekspres,1,"), "row 3, column transfer_count"),
    "a limit without its type": (edited("fare_transfer_rules.txt", "5400,1", "5400,"), "row 2, column duration_limit_type"),
    "a time that is none": (edited("timeframes.txt", "06:00:00", "6 o'clock"), "timeframes.txt, row 3, column start_time"),
    "a time after midnight": (edited("timeframes.txt", "22:00:00", "25:00:00"), "timeframes.txt, row 3, column end_time"),
    "one end of a time": (edited("timeframes.txt", "22:00:00", ""), "timeframes.txt, row 3, column end_time"),
    "an unknown service": (edited("timeframes.txt", "libur\n", "natal\n"), "timeframes.txt, row 3, column service_id"),
    "a date that is none": (edited("calendar_dates.txt", "20261231", "20261331"), "calendar_dates.txt, row 4, column date"),
    "a date twice": (edited("calendar_dates.txt", "20261231", "20261225"), "calendar_dates.txt, row 4, column date"),
    "a calendar that ends before it begins": (edited("calendar.txt", "20271231", "20251231"), "calendar.txt, row 2, column end_date"),
    "a route in two networks": (edited("route_networks.txt", "express,X1", "express,R1"), "route_networks.txt, row 4, column route_id"),
    "a stop in no feed": (edited("stop_areas.txt", "A,A1", "A,A9"), "stop_areas.txt, row 2, column stop_id"),
    "two default categories": (edited("rider_categories.txt", "Pelajar,0", "Pelajar,1"), "rider_categories.txt, row 3"),
    "an unknown policy": (edited("ksh_fare_policy.txt", "degraded_fare", "degraded"), "ksh_fare_policy.txt, row 6, column policy"),
    "a policy twice": (edited("ksh_fare_policy.txt", "weekly_cap,pelajar", "daily_cap,"), "ksh_fare_policy.txt, row 5, column policy"),
    "a cap for nobody": (edited("ksh_fare_policy.txt", "weekly_cap,pelajar", "weekly_cap,turis"), "ksh_fare_policy.txt: the rider category 'turis'"),
    "an unknown class": (edited("ksh_fare_policy.txt", "card_class,pupil", "card_class,tourist"), "ksh_fare_policy.txt, row 2, column applies_to"),
    "too few values": (edited("areas.txt", "B,Timur", "B"), "areas.txt, row 3"),
    "no CSV": (edited("areas.txt", "B,Timur", 'B,"Timur'), "areas.txt"),
    "joined legs": (V2 | {"fare_leg_join_rules.txt": "from_network_id,to_network_id\ncity,city\n"}, "fare_leg_join_rules.txt, row 2"),
    "no fares": ({"feed_info.txt": V2["feed_info.txt"]}, "fare_products.txt: the feed has no fares"),
    "no version": (V2 | {"feed_info.txt": "feed_publisher_name\nX\n"}, "give --as and --from"),
    "contains_id": (V1 | {"fare_rules.txt": "fare_id,contains_id\nF,a\n"}, "fare_rules.txt, row 2, column contains_id"),
    "a rule of no fare": (V1 | {"fare_rules.txt": "fare_id,route_id\nQ,R1\n"}, "fare_rules.txt, row 2, column fare_id"),
    "too many transfers": (V1 | {"fare_attributes.txt": V1["fare_attributes.txt"].replace("IDR,0,1,", "IDR,0,3,")}, "fare_attributes.txt, row 4, column transfers"),
}  # fmt: skip


@pytest.mark.parametrize("name", WRONG)
def test_what_is_wrong_in_a_feed_is_named_by_file_row_and_column(name: str, tmp_path: Path) -> None:
    files, place = WRONG[name]
    with pytest.raises(FeedWrong) as refused:
        import_tariff(folder(tmp_path, files))
    assert place in str(refused.value)


def test_a_file_that_is_no_feed_and_one_that_is_too_large_are_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "noise").write_bytes(b"noise")
    with pytest.raises(FeedWrong, match="no folder and no zip"):
        import_tariff(tmp_path / "noise")
    made = folder(tmp_path / "feed", V2)
    monkeypatch.setattr("terminals.gtfs.feed.FILE_BYTES_MAX", 100)
    with pytest.raises(FeedWrong, match="it is over"):
        import_tariff(made)


def test_the_shipped_feed_is_whole_and_prices_as_the_city_says() -> None:
    figures, tariff = check_feed(feed_path()), semarang_tariff()
    assert (figures.routes, figures.stops, figures.trips, figures.stop_times) == (17, 752, 34, 1_109)
    for concession in Concession:
        for day in (date(2026, 11, 18), date(2026, 11, 22)):
            who = replace(PERSON, concession=concession)
            by_feed = decide(tariff, who, Journey(), at(8, day), Place("", "", 17, 700, 9))
            by_hand = decide(TRANS_SEMARANG_2022, who, Journey(), at(8, day), Place("", "", 17, 700, 9))
            assert by_feed == by_hand


def test_a_tariff_of_bytes_that_do_not_fit_together_is_refused() -> None:
    body, refused = codec.encode(TRANS_SEMARANG_2022), 0
    places = range(0, len(body), 3)
    for place in places:
        changed = bytearray(body)
        changed[place] ^= 0x15
        try:
            assert codec.encode(codec.decode(bytes(changed))) == bytes(changed)
        except TariffWrong:
            refused += 1
    assert refused > len(places) // 2


def test_a_name_from_the_command_line_wins_over_the_feeds(tmp_path: Path) -> None:
    tariff = import_tariff(folder(tmp_path, V2), Naming("kota-2", day_of(date(2027, 1, 1))))
    assert (tariff.version, tariff.valid_from) == ("kota-2", day_of(date(2027, 1, 1)))
