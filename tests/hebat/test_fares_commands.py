"""`hebat fares`: a feed becomes a tariff that terminals take, and back; taps are explained in words; two versions are compared."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
from typer.testing import CliRunner

from hebat.bundles.drafts import read_tariff as read_draft
from hebat.cli import app
from hebat.errors import HebatError
from hebat.fares.semarang import feed_of, read_facts
from terminals.fares import codec
from terminals.places import feed_path
from tests.terminals.feeds import V2, folder

if TYPE_CHECKING:
    from pathlib import Path

TAPS = """card,time,kind,route,stop,class
K1,2026-11-18 08:00:00,in,R1,A1,
K1,2026-11-18 08:40:00,out,R1,B1,
K1,2026-11-18 09:00:00,in,R1,B1,
K2,2026-11-18 08:00:00,in,R1,A1,pupil
K2,2026-11-18 08:40:00,out,R1,A1,pupil
K2,2026-11-18 08:41:00,out,R1,A1,pupil
K3,2026-11-18 08:00:00,fare,X1,A1,
"""


def ran(*words: object) -> str:
    result = CliRunner().invoke(app, [str(word) for word in words], catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return result.stdout


@pytest.fixture
def feed(tmp_path: Path) -> Path:
    return folder(tmp_path / "feed", V2)


@pytest.fixture
def taps(tmp_path: Path) -> Path:
    path = tmp_path / "taps.csv"
    path.write_text(TAPS, encoding="utf-8")
    return path


def test_a_feed_becomes_a_tariff_file_that_a_bundle_can_be_issued_from(feed: Path, tmp_path: Path) -> None:
    file = tmp_path / "kota.tariff"
    told = json.loads(
        ran("fares", "import", feed, "--as", "kota-2027", "--from", "2027-01-01", "--to", file, "--json")
    )
    assert (told["version"], told["valid_from"], told["legs"], told["stops"]) == (
        "kota-2027",
        "2027-01-01",
        6,
        3,
    )
    assert read_draft(file) == codec.decode(file.read_bytes())
    with pytest.raises(HebatError, match="a tariff never changes"):
        ran("fares", "import", feed, "--to", file)


def test_a_tariff_goes_out_to_gtfs_and_comes_back_the_same(feed: Path, tmp_path: Path) -> None:
    once, again = tmp_path / "1.tariff", tmp_path / "2.tariff"
    ran("fares", "import", feed, "--to", once)
    assert "fare_leg_rules.txt" in ran("fares", "export", once, "--to", tmp_path / "out")
    ran("fares", "import", tmp_path / "out", "--to", again)
    assert once.read_bytes() == again.read_bytes()
    with pytest.raises(HebatError, match="choose an empty folder"):
        ran("fares", "export", once, "--to", tmp_path / "out")


def test_every_tap_is_explained_in_words_and_the_words_sum_to_its_fare(feed: Path, taps: Path) -> None:
    told = json.loads(ran("fares", "explain", feed, "--taps", taps, "--language", "en", "--json"))
    assert all(one["amount"] == sum(step["amount"] for step in one["steps"]) for one in told)
    by_line = {one["line"]: one for one in told}
    assert [by_line[line]["amount"] for line in (2, 3, 4, 5, 6, 8)] == [0, 5_000, 0, 0, 1_000, 15_000]
    assert [step["words"] for step in by_line[6]["steps"]] == [
        "Tapped out",
        "Concession fare, pupil: Rp1.000",
    ]
    assert [step["words"] for step in by_line[8]["steps"]] == [
        "Full fare: Rp20.000",
        "Daily cap reached: -Rp5.000",
    ]
    assert "a moment ago" in by_line[7]["refused"]
    indonesian = ran("fares", "explain", feed, "--taps", taps)
    assert "Tarif konsesi pelajar: Rp1.000" in indonesian


def test_two_versions_are_compared_and_so_is_a_recorded_day(feed: Path, taps: Path, tmp_path: Path) -> None:
    dearer = folder(
        tmp_path / "dearer", V2, fare_products=V2["fare_products.txt"].replace("5000.00", "6000.00")
    )
    told = json.loads(ran("fares", "diff", feed, dearer, "--taps", taps, "--json"))
    assert told["differences"] == ["price of jauh umum kartu: Rp5.000 > Rp6.000"]
    over = told["over_taps"]
    assert (over["before"], over["after"], over["dearer_taps"], over["cheaper_taps"]) == (
        21_000,
        22_000,
        1,
        0,
    )
    assert "the same prices and rules" in ran("fares", "diff", feed, feed)


@pytest.mark.parametrize(
    ("old", "new", "place"),
    [
        ("08:40:00", "8 o'clock", "line 3, column time"),
        (",in,R1,B1", ",through,R1,B1", "line 4, column kind"),
        ("A1,pupil", "A1,tourist", "line 5, column class"),
        ("card,time", "kad,time", "line 1, column card"),
    ],
)
def test_a_wrong_tap_is_named_by_line_and_column(
    feed: Path, taps: Path, old: str, new: str, place: str
) -> None:
    taps.write_text(TAPS.replace(old, new, 1), encoding="utf-8")
    with pytest.raises(HebatError, match=place):
        ran("fares", "explain", feed, "--taps", taps)


def test_a_wrong_feed_is_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(
        HebatError, match=r"stops\.txt: the feed lacks this file|agency\.txt: the feed lacks this file"
    ):
        ran("fares", "check", folder(tmp_path / "bare", V2))
    (tmp_path / "x.tariff").write_bytes(b"noise")
    with pytest.raises(HebatError, match="neither a GTFS feed nor a tariff file"):
        ran("fares", "export", tmp_path / "x.tariff", "--to", tmp_path / "out")


def test_the_shipped_feed_is_what_the_facts_say_byte_for_byte(data: Path) -> None:
    facts = data / "trans-semarang" / "koridor.json"
    made = feed_of(read_facts(facts))
    shipped = {path.name: path.read_bytes() for path in feed_path().iterdir()}
    assert made == shipped
    rows = json.loads(facts.read_bytes())["data"]
    lines = shipped["stops.txt"].decode().splitlines()[1:]
    assert len(lines) == len({row["sh_id"] for row in rows}) == 752
    assert all(any(line.startswith(f"{row['sh_id']},") and line.endswith(f"{row['sh_lat']},{row['sh_lng']}") for line in lines) for row in rows[::97])  # fmt: skip


def test_the_whole_shipped_feed_is_valid() -> None:
    told = json.loads(ran("fares", "check", feed_path(), "--json"))
    assert (told["routes"], told["stops"], told["trips"], told["prices"]) == (17, 752, 34, 28)


def test_the_whole_shared_feed_is_valid(data: Path) -> None:
    jakarta = json.loads(ran("fares", "check", data / "gtfs-transjakarta-2023", "--json"))
    assert (jakarta["routes"], jakarta["stops"]) == (244, 8_028)
