"""Statements without a database: lines from rows, and cursors that go on where a page ended."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from keys.clock import UnixMs
from keys.money import Sen
from ledger.balance import NOTHING, Balance
from ledger.errors import CursorInvalid
from ledger.history.asked import Asked
from ledger.history.pages import moved
from ledger.history.statement import Line, lines_of, state_of
from ledger.journal import rows_of
from ledger.transfer import Flag, Transfer
from tests.ledger.entries import CASH, DAY, OPERATOR, WALLET, transfer


def lines(*moves: Transfer, held: list[int], before: Balance = NOTHING) -> list[Line]:
    rows = rows_of(moves, UnixMs(1000), DAY)
    rows["position"] = np.arange(1, len(rows) + 1)
    return lines_of(WALLET, rows, moved(rows, np.array(held)), before, {2: 1})


def four(line: Line) -> tuple[int, int, int, int]:
    one = line.balance
    return one.debits_posted, one.credits_posted, one.debits_pending, one.credits_pending


def test_each_line_has_the_other_account_and_the_balance_right_after_it() -> None:
    before = Balance(credits_posted=Sen(100))
    found = lines(transfer(CASH, WALLET, 50), transfer(WALLET, OPERATOR, 30), held=[0, 0], before=before)
    assert [(one.position, one.counterparty, one.is_debit, one.amount) for one in found] == [
        (1, CASH, False, 50),
        (2, OPERATOR, True, 30),
    ]
    assert [four(one) for one in found] == [(0, 150, 0, 0), (30, 150, 0, 0)]
    assert [one.refund_of for one in found] == [0, 1]


def test_a_hold_waits_until_it_is_captured_in_part_or_given_back() -> None:
    hold = transfer(WALLET, OPERATOR, 40, flags=Flag.PENDING)
    capture = transfer(WALLET, OPERATOR, 25, flags=Flag.POST_PENDING, hold=1)
    void = transfer(WALLET, OPERATOR, 40, flags=Flag.VOID_PENDING, hold=3)
    found = lines(hold, capture, hold, void, held=[0, 40, 0, 40])
    assert [four(one) for one in found] == [(0, 0, 40, 0), (25, 0, 0, 0), (25, 0, 40, 0), (25, 0, 0, 0)]
    assert [state_of(one.flags) for one in found] == ["held", "posted", "held", "given back"]


@st.composite
def asked(draw: st.DrawFn) -> Asked:
    after, behind, until = sorted(draw(st.lists(st.integers(0, 10**12), min_size=3, max_size=3)))
    return Asked(after, until, behind, draw(st.booleans()))


@given(asked(), st.integers(0, 10**12))
def test_a_cursor_asks_for_the_same_period_and_direction_behind_another_line(
    page: Asked, behind: int
) -> None:
    behind = min(max(behind, page.after), page.until)
    again = Asked.read(page.cursor(behind), page.until)
    assert again == Asked(page.after, page.until, behind, page.newest_first)
    first, last = again.span
    assert (first, last) == ((page.after + 1, behind - 1) if page.newest_first else (behind + 1, page.until))


@pytest.mark.parametrize(
    "cursor",
    ["", "a", "a-1-9", "a-1-9-5-5", "c-1-9-5", "a-1-9-x", "a-1-9-٣", "a-5-9-4", "a-1-9-10", "a-1-99-5", "a-1-9-" + "0" * 60 + "5"],
)  # fmt: skip
def test_what_no_page_gave_is_no_cursor(cursor: str) -> None:
    with pytest.raises(CursorInvalid, match="begin again without one"):
        Asked.read(cursor, 90)
