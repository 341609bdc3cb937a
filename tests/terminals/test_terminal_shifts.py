"""Shifts: what a person took is counted with the record itself, whatever tears, crashes or uploads come between."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from keys.clock import UnixMs
from keys.money import Rupiah
from terminals.cashing import compare
from terminals.errors import ShiftOpen, ShiftRefused, UploadRefused
from terminals.outbox import Outbox
from terminals.outbox_file import RecordState
from terminals.refunds import Sale
from tests.terminals.depot import START
from tests.terminals.test_terminal_outbox import record

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture
def outbox(tmp_path: Path) -> Iterator[Outbox]:
    made = Outbox(tmp_path / "outbox.db")
    yield made
    made.close()


def sums(outbox: Outbox) -> dict[str, tuple[int, int]]:
    shift = outbox.shift()
    assert shift is not None
    return {line.kind: (line.count, line.amount) for line in shift.lines}


def test_a_shift_counts_what_was_paid_what_is_open_and_cash(outbox: Outbox) -> None:
    assert outbox.shift() is None
    assert outbox.open_shift("  Kasir   1 ", START) == 1
    for sequence in (1, 2, 3):
        outbox.save(record(sequence, uid=bytes([sequence] * 7)), RecordState.INTENT)
    assert sums(outbox) == {"open": (3, 10_500)}
    outbox.confirm(record(1), bytes(8))
    outbox.void(record(2), 1, bytes(8))
    outbox.add_cash(Rupiah(4_000))
    assert sums(outbox) == {"open": (1, 3_500), "sale": (1, 3_500), "cash": (1, 4_000)}
    closed = outbox.close_shift(UnixMs(START + 1))
    assert (closed.person, closed.taken, closed.first, closed.last, closed.is_open) == (
        "Kasir 1",
        3_500,
        1,
        3,
        False,
    )


def test_a_torn_card_that_comes_back_after_closing_counts_in_the_shift_that_tapped_it(outbox: Outbox) -> None:
    outbox.open_shift("Kasir 1", START)
    outbox.save(record(1), RecordState.INTENT)
    outbox.close_shift(START)
    outbox.confirm(record(1), bytes(8))
    assert sums(outbox) == {"sale": (1, 3_500)}
    outbox.open_shift("Kasir 2", START)
    outbox.save(record(2), RecordState.READY)
    assert sums(outbox) == {"open": (1, 3_500)}


@pytest.mark.parametrize("figure", [float("inf"), float("nan"), 3500.0, "3500", True, None])
@pytest.mark.parametrize("field", ["count", "amount", "kept", "missing"])
def test_books_figures_that_are_no_whole_numbers_are_no_answer(
    outbox: Outbox, field: str, figure: object
) -> None:
    outbox.open_shift("Bu Sri", START)
    shift = outbox.close_shift(START)
    line = {"kind": "fare", "count": 1, "amount": 3_500} | (
        {field: figure} if field in {"count", "amount"} else {}
    )
    told = {"lines": [line], "kept": 0, "missing": 0} | (
        {field: figure} if field in {"kept", "missing"} else {}
    )
    with pytest.raises(UploadRefused, match="holds no figures"):
        compare(shift, told)


def test_a_refund_counts_once_however_often_the_ledger_says_that_it_is_done(outbox: Outbox) -> None:
    outbox.open_shift("Bu Sri", START)
    request = outbox.begin_refund(Sale(1001, 1))
    for _ in range(2):
        outbox.finish_refund(request, Rupiah(3_500))
    outbox.finish_refund(request + 1, Rupiah(9_000))  # no refund of this till
    assert sums(outbox) == {"refund": (1, -3_500)}


def test_a_card_that_did_not_pay_is_nothing_that_the_terminal_owes(tmp_path: Path) -> None:
    first = Outbox(tmp_path / "outbox.db")
    for number, uid in enumerate((b"A" * 7, b"B" * 7), start=1):
        first.save(record(number, uid), RecordState.INTENT)
    owed = [first.standing(START).owed]
    first.void(record(1, b"A" * 7), 0, b"")
    first.confirm(record(2, b"B" * 7), bytes(8))
    owed.append(first.standing(START).owed)
    first.close()
    again = Outbox(tmp_path / "outbox.db")
    owed.append(again.standing(START).owed)
    again.close()
    assert owed == [7_000, 3_500, 3_500]


def test_one_shift_at_a_time_and_none_without_a_name(outbox: Outbox) -> None:
    with pytest.raises(ShiftRefused, match="no shift is open"):
        outbox.close_shift(START)
    with pytest.raises(ShiftRefused, match="no shift is open"):
        outbox.add_cash(Rupiah(4_000))
    for bad in ("", "   ", "x" * 41, "a\x07b"):
        with pytest.raises(ShiftRefused, match="1 to 40 letters"):
            outbox.open_shift(bad, START)
    outbox.open_shift("Kasir 1", START)
    with pytest.raises(ShiftOpen, match="Kasir 1"):
        outbox.open_shift("Kasir 2", START)


@given(
    st.lists(st.sampled_from(["tap", "paid", "void", "reopen", "shift", "send"]), max_size=25),
)
@settings(
    max_examples=20,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
def test_shift_sums_are_the_records_however_the_day_goes(
    tmp_path_factory: pytest.TempPathFactory, steps: list[str]
) -> None:
    path = tmp_path_factory.mktemp("shift") / "outbox.db"
    outbox, fate, shift_of, now = Outbox(path), dict[int, str](), dict[int, int](), 1
    outbox.open_shift("Kasir 1", START)
    for step in steps:
        pending = next((number for number, state in fate.items() if state == "open"), None)
        if step == "tap":
            number = outbox.next_sequence
            outbox.save(record(number, uid=number.to_bytes(7, "big")), RecordState.INTENT)
            fate[number], shift_of[number] = "open", now
        elif step == "paid" and pending:
            outbox.confirm(record(pending, uid=pending.to_bytes(7, "big")), bytes(8))
            fate[pending] = "sale"
        elif step == "void" and pending:
            outbox.void(record(pending, uid=pending.to_bytes(7, "big")), 0, b"")
            fate[pending] = ""
        elif step == "reopen":
            outbox.close()
            outbox = Outbox(path)
        elif step == "shift":
            outbox.close_shift(START)
            now = outbox.open_shift("Kasir 2", START)
        elif step == "send":
            batch = outbox.batch(lambda first, _previous, records: b"%d:%d" % (first, len(records)))
            if batch is not None:
                outbox.settle(batch)
    mine = [fate[number] for number, shift in shift_of.items() if shift == now and fate[number]]
    assert sums(outbox) == {kind: (mine.count(kind), 3_500 * mine.count(kind)) for kind in set(mine)}
    outbox.close()
