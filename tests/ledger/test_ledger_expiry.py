"""Holds that run out: one winner, a void in the journal, and the same after a replay."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING

import pytest

from keys.clock import UnixMs
from ledger.balance import Balance
from ledger.book import Ledger
from ledger.engine import HOLDS_REMEMBERED, Engine
from ledger.expiry import GIVEN_BACK_MAX, GiveBack
from ledger.journal import rows_of
from ledger.store import Database
from ledger.transfer import Flag, Kind, Result
from ledger.verify import verify
from tests.ledger.entries import CASH, DAY, OPERATOR, PURSE, WALLET, SetClock, transfer
from tests.ledger.units import Plain

if TYPE_CHECKING:
    from ledger.transfer import Transfer
    from ledger.writer import Posted, Transaction

SECOND = 1000


def hold(clock: SetClock, seconds: int, amount: int = 50) -> Transfer:
    return transfer(CASH, PURSE, amount, flags=Flag.PENDING, hold=clock.at + seconds * SECOND)


def capture(position: int, amount: int = 50, flags: Flag = Flag.POST_PENDING) -> Transfer:
    return transfer(CASH, PURSE, amount, flags=flags, hold=position)


def later(clock: SetClock, seconds: int) -> None:
    clock.at = UnixMs(clock.at + seconds * SECOND)


def eventually(ledger: Ledger, held: int) -> None:
    """Wait until this much is held for the purse, as readers see it."""
    for _ in range(2_400):
        if ledger.balance(PURSE).credits_pending == held:
            return
        time.sleep(0.025)
    raise AssertionError(f"{ledger.balance(PURSE)} instead of {held} pending")


def test_a_hold_is_given_back_by_the_ledger_itself_and_the_journal_says_so(
    ledger: Ledger, clock: SetClock
) -> None:
    ledger.post([hold(clock, 60), hold(clock, 120, 7), transfer(CASH, PURSE, 9, flags=Flag.PENDING)])
    later(clock, 60)
    eventually(ledger, 16)
    (row,) = ledger.rows()[3:]
    assert (row["kind"], row["flags"], row["hold"]) == (Kind.EXPIRY, Flag.VOID_PENDING, 1)
    assert row["occurred_at"] == row["received_at"] == clock.at
    later(clock, 3600)
    eventually(ledger, 9)
    assert ledger.is_pending(3)
    assert ledger.balance(PURSE) == Balance(credits_pending=transfer(amount=9).amount)


def test_a_capture_before_the_end_wins_and_the_ledger_gives_nothing_back(
    file_ledger: Ledger, clock: SetClock
) -> None:
    file_ledger.post([hold(clock, 60)])
    later(clock, 59)
    assert file_ledger.post([capture(1)])[0].result is Result.POSTED
    later(clock, 3600)
    assert file_ledger.writer.submit(GiveBack()).result() == 0
    assert len(file_ledger.rows()) == 2


@pytest.mark.parametrize("seconds", [60, 61])
def test_a_capture_at_the_end_or_after_it_is_refused_by_a_result_of_its_own(
    seconds: int, clock: SetClock
) -> None:
    engine = Engine()
    held = rows_of([hold(clock, 60)], clock.at, DAY)
    assert engine.apply(held).results.tolist() == [Result.POSTED]
    later(clock, seconds)
    late = engine.apply(rows_of([capture(1), capture(1, flags=Flag.VOID_PENDING)], clock.at, DAY))
    assert late.results.tolist() == [Result.HOLD_EXPIRED, Result.POSTED]
    proven = Engine()
    proven.apply(held)
    told = proven.apply(rows_of([capture(1, flags=Flag.POST_PENDING | Flag.PROVEN)], clock.at, DAY))
    assert (told.results.tolist(), told.overruled.tolist()) == ([Result.POSTED], [Result.HOLD_EXPIRED])


def test_a_hold_whose_end_is_not_ahead_is_refused(file_ledger: Ledger, clock: SetClock) -> None:
    posted = file_ledger.post([hold(clock, 0), hold(clock, -1), transfer(CASH, PURSE, 9, flags=Flag.PENDING)])
    assert [one.result for one in posted] == [Result.HOLD_EXPIRED, Result.HOLD_EXPIRED, Result.POSTED]


def test_expiry_racing_capture_has_exactly_one_winner(ledger: Ledger, clock: SetClock) -> None:
    """Two threads capture hold after hold while a third one moves the clock past the ends of those that they are at.

    Whoever is favoured by the machine, both sides win some: the clock waits until a second's first holds are captured, and three captures wait for the clock.
    """
    count, a_second = 120, 4
    ledger.post([hold(clock, 2 + number // a_second, 1 + number) for number in range(count)])
    captures: dict[int, list[Posted]] = {position: [] for position in range(1, count + 1)}
    reached, given_back = [0, 0], list[int]()

    def capturing(first: int) -> None:
        for position in range(1 + first, count + 1, 2):
            while position % 40 == 0 and len(given_back) < 2 + (position - 1) // a_second:
                time.sleep(0)
            captures[position] += ledger.post([capture(position, position)])
            reached[first] = position
            captures[position] += ledger.post([capture(position, position)])

    def giving_back() -> None:
        for second in range(2 + count // a_second):
            while max(reached) < min(a_second * second - 1, count - 2):
                time.sleep(0)
            later(clock, 1)
            given_back.append(ledger.writer.submit(GiveBack()).result())

    threads = [threading.Thread(target=capturing, args=(first,)) for first in (0, 1)]
    threads.append(threading.Thread(target=giving_back))
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    rows = ledger.rows()
    for position, answers in captures.items():
        ends = rows[rows["hold"] == position]
        assert len(ends) == 1, f"hold {position} ended {len(ends)} times"
        won = [one.result for one in answers].count(Result.POSTED)
        assert won == int(ends["kind"][0] != Kind.EXPIRY)
        lost = {one.result for one in answers} - {Result.POSTED}
        assert lost <= {Result.HOLD_EXPIRED, Result.HOLD_NOT_PENDING}
    winners = set((rows["kind"][count:] == Kind.EXPIRY).tolist())
    assert winners == {True, False}, "no race: one side won them all"
    assert ledger.balance(PURSE).credits_pending == 0
    assert sum(given_back) <= count


def test_law_08_a_restart_gives_back_what_ran_out_meanwhile_and_replays_the_same_ends(
    url: str, clock: SetClock
) -> None:
    with Ledger.open(url, clock) as ledger:
        ledger.post([hold(clock, 10), hold(clock, 10), hold(clock, 900)])
        ledger.post([capture(2)])
    later(clock, 20)
    with Ledger.open(url, clock) as again:
        eventually(again, 50)
        assert again.is_pending(3)
        assert again.post([capture(1)])[0].result is Result.HOLD_NOT_PENDING
        assert again.rebuild_check() == 5
    database = Database(url)
    assert verify(database).transfers == 5
    database.close()


def test_a_capture_of_less_gives_all_the_rest_back(file_ledger: Ledger) -> None:
    file_ledger.post([transfer(CASH, WALLET, 100), transfer(WALLET, OPERATOR, 80, flags=Flag.PENDING)])
    part = transfer(WALLET, OPERATOR, 30, flags=Flag.POST_PENDING, hold=2)
    (posted,) = file_ledger.post([part])
    assert posted.result is Result.POSTED
    assert (posted.debited.debits_posted, posted.debited.debits_pending) == (30, 0)
    assert file_ledger.post([transfer(WALLET, OPERATOR, 70)])[0].result is Result.POSTED
    assert file_ledger.post([part])[0].result is Result.HOLD_NOT_PENDING


def test_many_holds_go_back_in_units_of_a_bounded_size(file_ledger: Ledger, clock: SetClock) -> None:
    count = GIVEN_BACK_MAX + 5
    rows = rows_of([hold(clock, 5)] * count, clock.at, DAY)
    file_ledger.writer.submit(file_ledger.columns(rows)).result()
    later(clock, 5)
    eventually(file_ledger, 0)
    assert file_ledger.balance(PURSE) == Balance()
    assert len(file_ledger.rows()) == 2 * count


def test_resolved_holds_are_forgotten_in_the_end_and_pending_ones_never() -> None:
    engine, each = Engine(), 8192
    far = 10**14
    holds = rows_of([transfer(CASH, PURSE, 1, flags=Flag.PENDING, hold=far)] * each, UnixMs(1000), DAY)
    voids = rows_of([transfer(CASH, PURSE, 1, flags=Flag.VOID_PENDING)] * each, UnixMs(1000), DAY)
    assert engine.apply(holds[:1]).positions.tolist() == [1]
    oldest = 2
    for _ in range(4 + HOLDS_REMEMBERED // each):
        voids["hold"] = engine.apply(holds).positions
        assert not engine.apply(voids).results.any()
        engine.publish()
    assert len(engine.keep().holds) < HOLDS_REMEMBERED + 3 * each
    assert len(engine._expiries._heap) <= 1 + HOLDS_REMEMBERED
    assert [one.position for one in engine.due(UnixMs(far), 5)] == [1]
    assert engine.pending(1)
    assert engine.committed_hold(engine.next_position - 1 - each) is not None
    voids["hold"][:1] = oldest
    assert engine.apply(voids[:2]).results.tolist() == [Result.HOLD_UNKNOWN, Result.HOLD_NOT_PENDING]


def test_law_04_readers_see_a_hold_and_its_end_once_they_are_committed(ledger: Ledger) -> None:
    seen = []

    def look(tx: Transaction) -> None:
        seen.append([(tx.hold(1) or [0, None])[1], (ledger.hold(1) or [0, None])[1], ledger.is_pending(1)])

    place = transfer(CASH, PURSE, 50, flags=Flag.PENDING)
    for part in (place, capture(1)):
        ledger.writer.submit(Plain([part], settle=look)).result()
        look_now = ledger.hold(1)
        assert look_now is not None
        seen.append([look_now[1], ledger.is_pending(1)])
    assert seen == [[True, None, False], [True, True], [False, True, True], [False, False]]


def test_what_is_over_is_due_until_it_is_given_back_the_oldest_first(clock: SetClock) -> None:
    engine = Engine()
    endless = transfer(CASH, PURSE, 9, flags=Flag.PENDING)
    engine.apply(rows_of([*(hold(clock, seconds) for seconds in (90, 60, 30, 91)), endless], clock.at, DAY))
    now = UnixMs(clock.at + 90 * SECOND)
    for _ in range(2):
        assert [one.position for one in engine.due(now, 10)] == [3, 2, 1]
        assert [one.position for one in engine.due(now, 2)] == [3, 2]
    engine.apply(rows_of([capture(3, flags=Flag.VOID_PENDING)], clock.at, DAY))
    assert [one.position for one in engine.due(now, 10)] == [2, 1]
    assert Engine.of(engine.keep()).due(now, 10) == engine.due(now, 10)


def test_holds_are_given_back_after_a_try_that_failed_whatever_the_fault_was(
    file_ledger: Ledger, clock: SetClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    failed = threading.Event()

    def fail(*_: object) -> int:
        failed.set()
        monkeypatch.undo()
        raise KeyError("a fault of ours")

    monkeypatch.setattr(GiveBack, "settle", fail)
    file_ledger.post([hold(clock, 60)])
    later(clock, 60)
    assert failed.wait(60)
    eventually(file_ledger, 0)
