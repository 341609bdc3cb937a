"""What an approved adjustment comes to in the night after it: paid, or taken, to the sen, and no account stands in a night's way."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from hebat.demo.statements import Movement
from keys.clock import Day, UnixMs
from keys.money import Sen
from ledger.chart import split
from settlement.breaks.model import Reason
from settlement.breaks.proposals.accounts import target
from settlement.errors import ParticipantUnknown
from settlement.items import ItemKind
from settlement.view import view
from tests.settlement.town import CITY_HALL, DAY, KIOSK, SHOP
from tests.settlement.worked import Worked

if TYPE_CHECKING:
    from settlement.items import Item
    from settlement.participants import Participants
    from tests.settlement.town import Stage

RENT = Movement(Sen(125_000_00), "", "SEWA KIOS", "STRAY1")


@pytest.fixture
def worked(stage: Stage) -> Worked:
    return Worked.on(stage)


def adjusted(worked: Worked, code: str, number: int) -> list[Item]:
    """What is expected on statements of a window in which nothing happened but a stray line's adjustment."""
    worked.take([RENT])
    (found,) = worked.open(Reason.UNEXPECTED_ON_STATEMENT)
    made = worked.breaks.propose_adjustment(
        found.break_id, target(code, number, worked.stage.participants), "maker", "it is theirs"
    )
    worked.breaks.approve(made.number, "checker")
    stage = worked.stage
    stage.clock.at = UnixMs(stage.clock.at + timedelta(days=1) // timedelta(milliseconds=1))
    stage.night.run(Day(DAY + 1))
    night = view(stage.ledger.database, Day(DAY + 1))
    assert night is not None
    return list(night.items)


def test_money_that_is_a_merchants_is_paid_to_it_without_merchant_discount(worked: Worked) -> None:
    items = adjusted(worked, "merchant-payable", SHOP)
    assert [one.amount for one in items if one.kind is ItemKind.PAYOUT] == [-RENT.amount]


@pytest.mark.parametrize(
    ("code", "number"),
    [("merchant-payable", SHOP), ("agent-cash", KIOSK), ("subsidy-receivable", CITY_HALL)],
)
def test_whoever_an_adjustment_goes_against_the_next_window_is_settled(
    worked: Worked, code: str, number: int
) -> None:
    items = adjusted(worked, code, number)
    paid = [one for one in items if one.kind is not ItemKind.INTERBANK]
    assert [(one.party, one.amount) for one in paid] == [(number, -RENT.amount)]
    settled = target(code, number, worked.stage.participants)
    left = {
        account: balance.net(account)
        for account, balance in worked.stage.ledger.balances().items()
        if split(account).code is split(settled).code
    }
    assert set(left.values()) == {Sen(0)}


@pytest.mark.parametrize(
    ("code", "number"),
    [
        ("merchant-payable", 599),
        ("subsidy-receivable", 2),
        ("fee-income", 77),
        ("suspense", 77),
        ("bank-settlement", 77),
    ],
)
def test_no_adjustment_goes_against_somebody_who_takes_no_part(
    city: Participants, code: str, number: int
) -> None:
    with pytest.raises(ParticipantUnknown, match=str(number)):
        target(code, number, city)
