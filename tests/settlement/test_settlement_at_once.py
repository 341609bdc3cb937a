"""Two who work on the same matches at once: what one computed before the other acted is computed again, and nothing is kept twice."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
import sqlalchemy as sa

from hebat.demo.statements import Movement
from ledger.chart import Code, Partition, account_id
from settlement.breaks.model import Reason
from settlement.errors import BreakRefused
from settlement.matching.days import Weekdays
from settlement.matching.running import Keep, compute
from settlement.people import NIGHT
from tests.settlement.town import BNI, DAY
from tests.settlement.worked import STRAY, Worked

if TYPE_CHECKING:
    from tests.settlement.town import Stage


@pytest.fixture
def worked(stage: Stage) -> Worked:
    return Worked.on(stage)


def kept(worked: Worked, *units: Keep) -> list[bool]:
    return [worked.stage.ledger.writer.submit(one).result() for one in units]


def test_of_two_nights_that_computed_the_same_one_keeps_it(worked: Worked) -> None:
    first, *_ = worked.items(BNI)
    worked.bring([worked.told(first), STRAY])
    both = [Keep(compute(worked.stage.ledger, Weekdays()), DAY, NIGHT) for _ in range(2)]
    assert kept(worked, *both) == [True, False]
    assert [one.items for one in worked.matching.matches()] == [(first.reference,)]
    assert worked.breaks.suspense() == {BNI: (1, STRAY.amount)}
    worked.sums()


def test_a_match_that_a_person_undid_while_a_night_was_computed_is_not_made_by_it(worked: Worked) -> None:
    first, *_ = worked.items(BNI)
    worked.take([worked.told(first), STRAY])
    (match,) = worked.matching.matches()
    late = Keep(compute(worked.stage.ledger, Weekdays()), DAY, NIGHT)
    worked.matching.undo(match.number, "maker", "it was the other shop")
    assert kept(worked, late) == [False]
    assert {one.reason for one in worked.open() if one.reference == first.reference} == {Reason.UNDONE}
    worked.run()
    assert worked.matching.matches() == []
    worked.sums()


def test_a_proposal_whose_break_is_about_another_sum_by_now_is_not_posted(worked: Worked) -> None:
    first, *rest = worked.items(BNI)
    worked.take([worked.told(first, first.amount - 7_00), *(worked.told(one) for one in rest)])
    (found,) = worked.open()
    made = worked.breaks.propose_write_off(found.break_id, "maker", "x")
    with worked.stage.ledger.database.writing() as connection:
        connection.execute(sa.text("UPDATE settlement_breaks SET difference = difference - 1"))
    with pytest.raises(BreakRefused, match="has changed since"):
        worked.breaks.approve(made.number, "checker")


def test_a_line_that_left_suspense_once_does_not_leave_it_again(worked: Worked) -> None:
    first, *_ = worked.items(BNI)
    worked.take([Movement(first.amount, "", "TIDAK DIKENAL", "S1")])
    (stray,) = worked.lines()
    account = account_id(Code.SUSPENSE, Partition(0), BNI)
    held = [worked.stage.ledger.balance(account).net(account)]
    for _ in range(2):
        made = worked.matching.pair([first.reference], [stray.key], "maker", "the voucher says so")
        held.append(worked.stage.ledger.balance(account).net(account))
        worked.matching.undo(made.number, "maker", "another one")
    assert held == [first.amount, 0, 0]


def test_an_entry_that_is_taken_back_puts_no_line_into_suspense_that_another_act_took_out(
    worked: Worked,
) -> None:
    first, *_ = worked.items(BNI)
    worked.take([Movement(first.amount, "", "TIDAK DIKENAL", "S1")])
    (stray,) = worked.lines()
    made = worked.matching.pair([first.reference], [stray.key], "maker", "the voucher says so")
    worked.matching.undo(made.number, "maker", "another one")
    (found,) = [one for one in worked.open(Reason.UNDONE) if one.line == stray.key]
    entry = worked.breaks.propose_write_off(found.break_id, "maker", "x")
    worked.breaks.approve(entry.number, "checker")
    back = worked.breaks.propose_reversal(entry.number, "maker", "its owner came")
    worked.breaks.approve(back.number, "checker")
    assert worked.breaks.suspense() == {}
    assert worked.sums().in_breaks == first.amount
