"""How much may be written off at once: what staff decided holds for what is proposed and for what waits, and for no other entry."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from keys.clock import UnixMs
from keys.money import Sen
from settlement.breaks.model import Reason
from settlement.breaks.proposals.accounts import target
from settlement.breaks.proposals.kept import ProposalState
from settlement.breaks.proposals.limits import NAME, decide, limit_now, limit_of
from settlement.errors import BreakRefused, RuleRefused
from settlement.rulebook.book import Rulebook
from tests.settlement.town import SHOP
from tests.settlement.worked import STRAY, Worked

if TYPE_CHECKING:
    from settlement.breaks.kept import KeptBreak
    from tests.settlement.town import Stage


@pytest.fixture
def worked(stage: Stage) -> Worked:
    return Worked.on(stage)


def stray(worked: Worked) -> KeptBreak:
    worked.take([STRAY])
    (found,) = worked.open(Reason.UNEXPECTED_ON_STATEMENT)
    return found


def limit(worked: Worked, most: int | None) -> None:
    book = Rulebook(worked.stage.ledger.database)
    decide(
        book, None if most is None else Sen(most), author="checker", reason="the mayor's letter", at=UnixMs(1)
    )


def test_a_write_off_over_the_limit_is_not_proposed_and_one_up_to_it_is(worked: Worked) -> None:
    found = stray(worked)
    limit(worked, STRAY.amount - 1)
    with pytest.raises(
        BreakRefused, match=r"Rp125\.000 is over the Rp124\.999,99 that may be written off at once"
    ):
        worked.breaks.propose_write_off(found.break_id, "maker", "x")
    assert worked.breaks.proposals() == []
    limit(worked, STRAY.amount)
    assert worked.breaks.propose_write_off(found.break_id, "maker", "x").amount == STRAY.amount


def test_a_limit_that_is_lowered_holds_for_what_waits(worked: Worked) -> None:
    made = worked.breaks.propose_write_off(stray(worked).break_id, "maker", "x")
    limit(worked, 0)
    before = worked.stage.ledger.head()
    with pytest.raises(BreakRefused, match="is over the Rp0"):
        worked.breaks.approve(made.number, "checker")
    assert worked.stage.ledger.head() == before
    limit(worked, None)
    assert worked.breaks.approve(made.number, "checker").state is ProposalState.APPROVED


def test_no_other_entry_is_limited(worked: Worked) -> None:
    found = stray(worked)
    entry = worked.breaks.propose_write_off(found.break_id, "maker", "x")
    worked.breaks.approve(entry.number, "checker")
    limit(worked, 0)
    back = worked.breaks.propose_reversal(entry.number, "maker", "its owner came")
    assert worked.breaks.approve(back.number, "checker").state is ProposalState.APPROVED

    worked.run()
    (again,) = worked.open(Reason.UNEXPECTED_ON_STATEMENT)
    against = target("merchant-payable", SHOP, worked.stage.participants)
    made = worked.breaks.propose_adjustment(again.break_id, against, "maker", "rent")
    assert worked.breaks.approve(made.number, "checker").state is ProposalState.APPROVED


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("least", {"at_most": "1"}), (NAME, None), (NAME, {}), (NAME, {"at_most": 50_000}), (NAME, {"at_most": "-1"}),
        (NAME, {"at_most": "1e9"}), (NAME, {"at_most": "1", "from": "2027-01-01"}),
    ],
)  # fmt: skip
def test_a_page_that_is_no_limit_is_refused(name: str, told: Any) -> None:
    with pytest.raises(RuleRefused):
        limit_of(name, told)


def test_there_is_no_limit_before_somebody_decides_on_one(worked: Worked) -> None:
    def now() -> Sen | None:
        with worked.stage.ledger.database.transaction() as connection:
            return limit_now(connection)

    assert now() is None
    limit(worked, 50_000_00)
    assert now() == Sen(50_000_00)
