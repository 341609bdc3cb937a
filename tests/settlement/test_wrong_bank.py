"""Money that came in at another bank than the books have it: no match and no entry across banks, and what sets it right."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from hebat.demo.statements import Movement
from keys.money import Sen
from ledger.chart import Code, split
from settlement.breaks.model import Reason
from settlement.breaks.proposals.accounts import target
from settlement.errors import BreakRefused, MatchRefused
from tests.settlement.town import BNI, JATENG, MANDIRI, SHOP
from tests.settlement.worked import Worked

if TYPE_CHECKING:
    from settlement.breaks.kept import KeptBreak
    from tests.settlement.town import Stage


@pytest.fixture
def worked(stage: Stage) -> Worked:
    return Worked.on(stage)


def astray(worked: Worked, off: int = 0) -> KeptBreak:
    """What was to come in at Bank Jateng is told by Bank Mandiri."""
    (deposit,) = [one for one in worked.items(JATENG) if one.name == "Kios Simpang Lima"]
    worked.take([worked.told(deposit, deposit.amount + off)], MANDIRI)
    (found,) = worked.open(Reason.WRONG_BANK)
    return found


def in_books(worked: Worked, bank: int) -> int:
    """What we hold at a bank, in the books."""
    return sum(
        balance.net(account)
        for account, balance in worked.stage.ledger.balances().items()
        if split(account).code is Code.BANK_SETTLEMENT and split(account).number == bank
    )


def test_an_item_and_a_line_of_two_banks_are_matched_by_nobody(worked: Worked) -> None:
    found = astray(worked)
    before = worked.stage.ledger.head()
    with pytest.raises(MatchRefused, match="of banks 0008 and 0113"):
        worked.matching.pair([found.reference], [found.line], "maker", "it is that one")
    assert worked.stage.ledger.head() == before


def test_lines_of_two_banks_take_nothing_back_from_each_other(worked: Worked) -> None:
    worked.take([Movement(Sen(70_000_00), "", "SETORAN", "A1")])
    worked.take([Movement(Sen(-70_000_00), "", "TARIKAN", "B1")], MANDIRI)
    lines = [one.key for one in worked.lines()]
    with pytest.raises(MatchRefused, match="of banks 0008 and 0009"):
        worked.matching.pair([], lines, "maker", "moved by the treasurer")


@pytest.mark.parametrize("off", [0, 500_00])
def test_a_break_of_two_banks_takes_no_entry(worked: Worked, off: int) -> None:
    found = astray(worked, off)
    against = target("merchant-payable", SHOP, worked.stage.participants)
    with pytest.raises(BreakRefused, match="another bank"):
        worked.breaks.propose_adjustment(found.break_id, against, "maker", "x")
    with pytest.raises(BreakRefused, match="another bank"):
        worked.breaks.propose_write_off(found.break_id, "maker", "x")


def test_once_the_money_was_moved_both_accounts_are_in_the_books_what_the_banks_say(worked: Worked) -> None:
    found = astray(worked)
    booked = {bank: in_books(worked, bank) for bank in (JATENG, MANDIRI, BNI)}
    amount = found.shown
    worked.take([Movement(Sen(-amount), "", "PINDAH BUKU", "M2")], MANDIRI, amount, days=1)
    worked.take([Movement(amount, "", "PINDAH BUKU", "J2")], JATENG)
    arrived = next(one.key for one in worked.lines() if one.bank == JATENG)
    away = [one.key for one in worked.lines() if one.bank == MANDIRI]
    worked.matching.pair([found.reference], [arrived], "maker", "moved to us")
    worked.matching.pair([], away, "maker", "moved away")
    assert {bank: in_books(worked, bank) for bank in booked} == booked
    assert [
        one for one in worked.open() if one.reference == found.reference or one.line in {arrived, *away}
    ] == []
    assert worked.breaks.suspense() == {}
    worked.run()
    assert worked.sums().in_suspense == 0
