"""Who posts one by one shares commits with others, and waits for an answer that comes once."""

from __future__ import annotations

import threading
from concurrent.futures import CancelledError
from typing import TYPE_CHECKING, Any

import pytest

from ledger.answer import Answer
from ledger.gathering import STEP_SECONDS, WAIT_SHARE, Gathering

if TYPE_CHECKING:
    from collections.abc import Sequence


class Arrivals:
    """A clock, and a queue that is so long after each step of waiting."""

    def __init__(self, lengths: Sequence[int]) -> None:
        self.lengths = list(lengths)
        self.slept = 0

    def sleep(self, seconds: float) -> None:
        assert seconds == STEP_SECONDS
        self.slept += 1

    def ticks(self) -> float:
        return self.slept * STEP_SECONDS

    def waiting(self) -> int:
        return self.lengths[min(self.slept, len(self.lengths) - 1)]

    def waited(self, around: int, commit_seconds: float, taken: int = 1) -> int:
        """So many steps a commit waited, with so many around at the end of the one before."""
        gathering = Gathering(self.sleep, self.ticks)
        gathering.ended(around, commit_seconds)
        gathering.wait(taken, self.waiting)
        return self.slept


def test_a_commit_waits_for_those_who_were_just_answered() -> None:
    assert Arrivals([10, 30, 50, 63, 70]).waited(64, 1.0) == 3


def test_who_is_alone_waits_for_nobody() -> None:
    assert Arrivals([0, 1]).waited(1, 1.0) == 0
    assert Arrivals([0, 1]).waited(0, 0.0) == 0  # nor does the first one of all


def test_a_commit_goes_once_nobody_comes_any_more() -> None:
    assert Arrivals([3, 5, 5, 63]).waited(64, 1.0) == 2


def test_a_commit_waits_no_longer_than_a_share_of_what_it_takes() -> None:
    steps = 7
    arrivals = Arrivals(range(1000))
    assert arrivals.waited(900, steps * STEP_SECONDS / WAIT_SHARE) == steps


def test_an_answer_reaches_everybody_who_waits_for_it() -> None:
    answer, heard = Answer(), list[Any]()
    threads = [threading.Thread(target=lambda: heard.append(answer.result(60))) for _ in range(3)]
    for thread in threads:
        thread.start()
    answer.add_done_callback(lambda done: heard.append(done.result(0)))
    answer.give(7)
    for thread in threads:
        thread.join()
    answer.add_done_callback(lambda done: heard.append(done.result(0)))
    assert (heard, answer.done(), answer.exception()) == ([7] * 5, True, None)


def test_a_reason_is_raised_where_there_is_no_answer() -> None:
    answer = Answer()
    with pytest.raises(TimeoutError):
        answer.result(0.001)
    answer.fail(KeyError("why"))
    with pytest.raises(KeyError, match="why"):
        answer.result()
    assert isinstance(answer.exception(), KeyError)


def test_a_unit_is_taken_or_taken_back_and_never_both() -> None:
    kept, back = Answer(), Answer()
    assert (kept.take(), kept.cancel(), kept.done()) == (True, False, False)
    assert (back.cancel(), back.cancel(), back.take()) == (True, False, False)
    with pytest.raises(CancelledError):
        back.result(0)


def test_a_fault_of_who_is_told_is_none_of_the_writers() -> None:
    answer, told = Answer(), list[int]()
    answer.add_done_callback(lambda _done: told.append(1))
    answer.add_done_callback(lambda _done: 1 // 0)
    answer.give(1)
    assert told == [1]
