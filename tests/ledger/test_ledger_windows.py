"""Business dates: the cut-off, late entries, and windows that never change once closed."""

from __future__ import annotations

import threading
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from keys.clock import Day, UnixMs, day_of, local, moment
from ledger.book import Ledger
from ledger.chain.store import Window
from ledger.errors import WindowClosed, WindowNotBegun
from ledger.history.book import History
from ledger.store import Database
from ledger.verify import verify
from ledger.windows import CUT_OFF, CloseWindow, Windows
from tests.ledger.entries import SetClock, transfer

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ledger.transfer import Transfer
    from ledger.writer import Posted, Transaction


def at(day: int, hour: int, minute: int = 0) -> UnixMs:
    return moment(datetime(2025, 6, day, hour, minute))  # noqa: DTZ001  the city's wall clock


@pytest.mark.parametrize(
    ("hour", "minute", "days"), [(0, 0, 0), (2, 59, 0), (22, 59, 0), (23, 0, 1), (23, 59, 1)]
)
def test_a_business_date_ends_at_the_cut_off(hour: int, minute: int, days: int) -> None:
    windows = Windows([], CUT_OFF)
    assert windows.open_at(at(2, hour, minute)) == day_of(local(at(2, 0)).date()) + days


@given(st.integers(0, 4_000_000_000_000), st.integers(-5, 30_000))
def test_no_moment_ever_falls_into_a_closed_window(moment_ms: int, last: int) -> None:
    closed = Windows([Window(Day(last), UnixMs(0), 0, bytes(32))], CUT_OFF)
    found = closed.open_at(UnixMs(moment_ms))
    assert found > last
    assert found >= Windows([], CUT_OFF).open_at(UnixMs(moment_ms)) or found == last + 1


def test_law_09_what_comes_after_a_closing_settles_in_the_next_window(ledger: Ledger) -> None:
    ledger.post([transfer(amount=1)])
    today = ledger.open_window()
    head = ledger.head()
    window = ledger.close_window(today)
    ledger.post([transfer(amount=2)])
    assert (window.business_date, window.last_position, window.head) == (today, 1, head.digest)
    assert ledger.open_window() == today + 1
    assert ledger.rows(today)["amount"].tolist() == [1]
    assert ledger.rows(Day(today + 1))["amount"].tolist() == [2]


def test_law_09_closing_again_gives_the_same_window_and_writes_nothing(ledger: Ledger) -> None:
    ledger.post([transfer()])
    today = ledger.open_window()
    first, head = ledger.close_window(today), ledger.head()
    ledger.post([transfer()])
    assert ledger.close_window(today) == first
    assert ledger.windows() == [first]
    assert ledger.head().block == head.block + 1


def test_law_09_closed_windows_survive_a_restart(url: str, clock: SetClock) -> None:
    with Ledger.open(url, clock) as ledger:
        ledger.post([transfer()])
        window = ledger.close_window(ledger.open_window())
    with Ledger.open(url, clock) as again:
        assert again.windows() == [window]
        assert again.open_window() == window.business_date + 1
        again.post([transfer()])
        assert again.rows()["business_date"].tolist() == [window.business_date, window.business_date + 1]
    database = Database(url)
    assert verify(database).windows == 1
    database.close()


def test_units_on_both_sides_of_a_closing_that_wait_together_fall_on_its_two_sides(
    file_ledger: Ledger,
) -> None:
    entered, go_on = threading.Event(), threading.Event()

    class Slow:
        document = b""

        def plan(self, _tx: Transaction) -> Sequence[Transfer]:
            entered.set()
            assert go_on.wait(60)
            return ()

        def settle(self, posted: Sequence[Posted], _tx: Transaction) -> list[Posted]:
            return list(posted)

    class Fare(Slow):
        def plan(self, _tx: Transaction) -> Sequence[Transfer]:
            return [transfer()]

    today = file_ledger.open_window()
    submit = file_ledger.writer.submit
    slow = submit(Slow())
    assert entered.wait(60)
    answers = [submit(Fare()), submit(CloseWindow(today)), submit(Fare())]
    go_on.set()
    window: Window = answers[1].result(60)
    assert [slow.result(60), answers[0].result(10)[0].position, answers[2].result(10)[0].position] == [
        [],
        1,
        2,
    ]
    assert window.last_position == 1
    assert file_ledger.rows()["business_date"].tolist() == [today, today + 1]
    assert file_ledger.block(1).digest == window.head


def test_a_window_that_lies_ahead_cannot_be_closed(file_ledger: Ledger) -> None:
    with pytest.raises(WindowNotBegun, match="lies ahead"):
        file_ledger.close_window(Day(file_ledger.open_window() + 1))
    assert file_ledger.windows() == []


def test_a_date_that_was_passed_over_cannot_be_closed_later(file_ledger: Ledger, clock: SetClock) -> None:
    today = file_ledger.open_window()
    clock.at = at(5, 9)
    file_ledger.close_window(file_ledger.open_window())
    with pytest.raises(WindowClosed, match="was never open"):
        file_ledger.close_window(today)


def test_an_empty_business_date_can_be_closed(file_ledger: Ledger) -> None:
    window = file_ledger.close_window(file_ledger.open_window())
    assert (window.last_position, window.head) == (0, bytes(32))


def test_law_09_business_dates_never_go_back_along_the_journal_whatever_cut_off_it_is_opened_with(
    url: str, clock: SetClock
) -> None:
    clock.at = at(2, 16)
    with Ledger.open(url, clock, timedelta(hours=15)) as early:
        early.post([transfer(amount=1)])
        today = early.open_window()
    clock.at = at(2, 16, 5)
    with Ledger.open(url, clock) as late:
        assert late.open_window() == today == day_of(local(clock.at).date()) + 1
        late.post([transfer(amount=2)])
        clock.at = at(2, 23)
        late.post([transfer(amount=3)])
        assert late.rows()["business_date"].tolist() == [today] * 3
        assert History(late.database).position_of_day(Day(today - 1)) == 0


def test_what_comes_while_nobody_can_say_which_business_date_it_is_is_refused_and_not_kept_waiting(
    sqlite_url: str, clock: SetClock
) -> None:
    said: list[Exception | timedelta] = [ValueError("no time of day"), CUT_OFF]

    def cut_off(_day: Day) -> timedelta:
        found = said[0] if len(said) == 1 else said.pop(0)
        if isinstance(found, Exception):
            raise found
        return found

    with Ledger.open(sqlite_url, clock, cut_off) as ledger:
        with pytest.raises(ValueError, match="no time of day"):
            ledger.writer.submit(Ledger.unit([transfer()])).result(30)
        assert ledger.post([transfer()])[0].position == 1
