"""`hebat settlement calendar`: what banks do on which day, and decisions about single days."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from hebat.errors import InputRefused
from hebat.settlement_commands.place import city_database
from tests.hebat.settlement_desk import Shell, open_shell

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def shell(tmp_path: Path) -> Shell:
    return open_shell(tmp_path / "city")


def test_the_weekdays_of_a_year_on_which_banks_rest_are_shown_with_their_source(shell: Shell) -> None:
    said = shell.ran("calendar", "show", "--year", 2026)
    assert "2026-12-24  Thu  Christmas Joint Holiday" in said
    assert "Indonesia, categories public and government" in said
    told = shell.told("calendar", "show", "--year", 2027)
    assert {"day": "2027-03-10", "because": "Eid al-Fitr", "estimated": True} in told["closed"]


def test_a_decision_is_kept_with_its_author_shown_and_taken_back(shell: Shell) -> None:
    who = ("--by", "maker", "--reason", "banjir rob")
    assert "banks are closed (version 1, by maker)" in shell.ran(
        "calendar", "decide", "2026-11-20", "--closed", *who
    )
    shown = shell.ran("calendar", "show", "--year", 2026)
    assert "2026-11-20  Fri  banjir rob" in shown
    assert "2026-11-20: banks are closed by decision of maker (banjir rob)" in shown
    shell.ran("calendar", "decide", "2026-11-20", "--back", "--by", "maker", "--reason", "surut")
    assert "2026-11-20  Fri" not in shell.ran("calendar", "show", "--year", 2026)


@pytest.mark.parametrize("words", [(), ("--closed", "--back")])
def test_a_decision_that_says_nothing_or_two_things_is_refused(shell: Shell, words: tuple[str, ...]) -> None:
    with pytest.raises(InputRefused, match="one of --closed, --open or --back"):
        shell.ran("calendar", "decide", "2026-11-20", *words, "--by", "maker", "--reason", "x")


def test_a_year_that_the_calendar_does_not_reach_is_refused(shell: Shell) -> None:
    with pytest.raises(InputRefused, match="2015 to 2045"):
        shell.ran("calendar", "show", "--year", 2050)


def test_a_folder_without_a_city_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputRefused, match="holds no city"), city_database(tmp_path / "nowhere"):
        pass
