"""When business dates end: dated rows, decided before their day, read by a ledger that stays open."""

from __future__ import annotations

from datetime import date, datetime, time, timedelta
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hebat.errors import exit_code_of
from keys.clock import CITY, Day, UnixMs, day_of, moment
from ledger.book import Ledger
from ledger.windows import CUT_OFF, Windows
from settlement import tables
from settlement.calendar.cut_off import CityCutOffs, city_cut_offs, decide
from settlement.errors import RuleRefused
from settlement.rulebook.book import Rulebook
from settlement.rulebook.model import RuleKind
from tests.hebat.settlement_desk import open_shell
from tests.settlement.town import StoppedClock, Taps

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from ledger.store import Database

FIRST = date(2026, 12, 1)
DECIDED = moment(datetime.combine(date(2026, 11, 30), time(23, 59), CITY))


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    made = Ledger.create(f"sqlite:///{tmp_path / 'ledger.db'}", tables.metadata)
    yield made
    made.close()


def at(day: date, hour: int, minute: int = 0) -> UnixMs:
    return moment(datetime.combine(day, time(hour, minute), CITY))


def test_a_row_holds_from_its_day_on_and_the_shipped_time_before(database: Database) -> None:
    decide(Rulebook(database), day_of(FIRST), time(21, 30), author="Ratna", reason="decree", at=DECIDED)
    windows = Windows([], city_cut_offs(database))
    before, after = FIRST - timedelta(days=1), FIRST + timedelta(days=400)
    for day, hour, minute, later in (
        (before, 22, 59, 0), (before, 23, 0, 1), (FIRST, 21, 29, 0), (FIRST, 21, 30, 1), (after, 21, 29, 0), (after, 21, 30, 1),
    ):  # fmt: skip
        assert windows.open_at(at(day, hour, minute)) == day_of(day) + later


def test_an_open_ledger_takes_a_row_up_when_its_day_comes(database: Database) -> None:
    clock = StoppedClock()
    clock.at = at(date(2026, 11, 30), 12)
    with Ledger.open(database, clock, city_cut_offs(database)) as ledger:
        assert ledger.open_window() == day_of(date(2026, 11, 30))
        decide(Rulebook(database), day_of(FIRST), time(20), author="Ratna", reason="decree", at=clock.at)
        clock.at = at(FIRST, 20)
        taps = Taps()
        taps.load(9, 1, 1)
        ledger.post(taps.made)
        assert len(ledger.rows(Day(day_of(FIRST) + 1))) == 1


def test_a_row_is_decided_before_its_day_and_stays_once_the_day_has_come(database: Database) -> None:
    rulebook, first = Rulebook(database), day_of(FIRST)
    who = {"author": "Ratna", "reason": "decree"}
    decide(rulebook, first, time(22), **who, at=DECIDED)
    decide(rulebook, first, time(22, 30), **who, at=DECIDED)  # nobody has lived by it yet
    for moment_ms in (at(FIRST, 0), at(date(2027, 1, 1), 12)):
        with pytest.raises(RuleRefused, match="2026-12-01 has begun") as refused:
            decide(rulebook, first, time(20), **who, at=moment_ms)
        assert exit_code_of(refused.value) == 2
    with pytest.raises(RuleRefused, match="12:00 to 23:59"):
        decide(rulebook, first, time(3), **who, at=DECIDED)
    assert CityCutOffs(rulebook)(first) == timedelta(hours=22, minutes=30)


def test_a_page_that_is_no_cut_off_is_refused_by_name(database: Database) -> None:
    rulebook = Rulebook(database)
    rulebook.add(RuleKind.CUT_OFF, "2026-12-01", {"ends": "noon"}, author="x", reason="x", at=DECIDED)
    with pytest.raises(RuleRefused, match="the cut-off of 2026-12-01"):
        CityCutOffs(rulebook)(day_of(FIRST))


@given(
    st.dictionaries(st.integers(20_000, 20_010), st.integers(12 * 60, 24 * 60 - 1), max_size=5),
    st.lists(st.integers(19_999 * 86_400_000, 20_012 * 86_400_000), min_size=2, max_size=20),
)
def test_business_dates_never_run_backwards_whatever_the_rows(
    rows: dict[int, int], moments: list[int]
) -> None:
    def ends(day: Day) -> timedelta:
        held = [minutes for first, minutes in sorted(rows.items()) if first <= day]
        return timedelta(minutes=held[-1]) if held else CUT_OFF

    windows = Windows([], ends)
    dates = [windows.open_at(UnixMs(one)) for one in sorted(moments)]
    assert dates == sorted(dates)


def test_the_commands_show_rows_and_refuse_a_day_that_has_begun(tmp_path: Path) -> None:
    shell = open_shell(tmp_path / "city")
    who = ("--by", "Ratna", "--reason", "decree")
    assert "business dates end at 22:30 (version 1, by Ratna)" in shell.ran(
        "cut-off", "set", "22:30", "--from", "2099-01-01", *who
    )
    assert shell.told("cut-off", "show") == [
        {"from": "", "ends": "23:00", "by": "", "reason": "as shipped"},
        {"from": "2099-01-01", "ends": "22:30", "by": "Ratna", "reason": "decree"},
    ]
    with pytest.raises(RuleRefused, match="has begun"):
        shell.ran("cut-off", "set", "22:30", "--from", "2020-01-01", *who)
