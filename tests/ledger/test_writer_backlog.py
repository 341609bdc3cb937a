"""What waits for the writer: collected in order, taken back, refused, and let in again."""

from __future__ import annotations

import threading
from concurrent.futures import CancelledError

import pytest

from ledger import group
from ledger.backlog import Backlog
from ledger.errors import DatabaseAway, LedgerStopped
from tests.ledger.units import Plain


def units_in(backlog: Backlog) -> list[bytes]:
    return [waiting.unit.document for waiting in backlog.collected]


def test_units_are_collected_in_the_order_in_which_they_came_and_no_more_than_a_commit_takes(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(group, "GROUP_MAX", 3)
    backlog = Backlog()
    for at in range(4):
        backlog.put(Plain(document=b"%d" % at))
    assert backlog.collect()
    assert (units_in(backlog), backlog.coming()) == ([b"0", b"1", b"2"], 1)


def test_what_its_sender_took_back_is_not_collected_and_what_is_collected_cannot_be_taken_back() -> None:
    backlog = Backlog()
    first, second = backlog.put(Plain(document=b"1")), backlog.put(Plain(document=b"2"))
    assert first.cancel()
    backlog.collect()
    assert units_in(backlog) == [b"2"]
    assert not second.cancel()
    with pytest.raises(CancelledError):
        first.result(0)


def test_a_call_ends_the_wait_for_a_first_unit() -> None:
    backlog, came = Backlog(), []
    waiting = threading.Thread(target=lambda: came.append(backlog.collect()))
    waiting.start()
    backlog.look()
    waiting.join(60)
    assert came == [False]
    assert not backlog.is_over


def test_a_closed_one_lets_nobody_in_and_is_over_once_all_of_it_is_done() -> None:
    backlog = Backlog()
    backlog.put(Plain())
    backlog.close()
    backlog.close()
    with pytest.raises(LedgerStopped, match="shutting down"):
        backlog.put(Plain())
    assert not backlog.collect()
    assert (len(backlog.collected), backlog.is_over, backlog.is_stopped) == (1, False, False)
    backlog.collected.clear()
    assert backlog.is_over
    assert not backlog.collect()


def test_a_stopped_one_says_why_and_closing_it_says_nothing_else() -> None:
    backlog, why = Backlog(), LedgerStopped("a commit failed")
    why.__cause__ = OSError("gone")
    backlog.stop(why)
    backlog.close()
    with pytest.raises(LedgerStopped, match="a commit failed"):
        backlog.put(Plain())
    assert backlog.is_stopped


def test_all_that_waits_is_refused_and_a_closing_behind_it_is_heard() -> None:
    backlog = Backlog()
    collected = backlog.put(Plain())
    backlog.collect()
    queued = backlog.put(Plain())
    backlog.look()
    backlog.close()
    backlog.refuse(DatabaseAway("away"))
    for answer in (collected, queued):
        assert isinstance(answer.exception(0), DatabaseAway)
    assert backlog.is_over


def test_who_was_kept_out_is_let_in_again() -> None:
    backlog = Backlog()
    backlog.keep_out(DatabaseAway("away"))
    with pytest.raises(DatabaseAway):
        backlog.put(Plain())
    backlog.keep_out(None)
    backlog.put(Plain(document=b"again"))
    backlog.collect()
    assert units_in(backlog) == [b"again"]
