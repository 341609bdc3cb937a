"""Rails by amount, cut-off and calendar: the cheapest that takes an amount, parts where none does, dated rows of staff."""

from __future__ import annotations

from datetime import date, datetime, time
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from keys.clock import CITY, UnixMs, day_of, moment
from keys.money import Rupiah, Sen, sen_of
from ledger.book import Ledger
from ledger.chart import Code
from settlement import tables
from settlement.errors import RailMissing, RuleRefused
from settlement.items import ItemKind, items
from settlement.payments.city import city_rails, rail_rows
from settlement.payments.rails import Rail, RailRules, RailTerms, shipped_terms
from settlement.positions.model import Position, Purpose
from settlement.rulebook.book import Rulebook
from settlement.rulebook.model import RuleKind
from tests.settlement.conftest import participants
from tests.settlement.town import BNI, JATENG, KIOSK

if TYPE_CHECKING:
    from pathlib import Path

DAY = day_of(date(2026, 11, 18))
NEXT_YEAR = day_of(date(2027, 1, 4))
AMOUNTS = st.integers(1, 10**16).map(Sen)


def rp(rupiah: int) -> Sen:
    return sen_of(Rupiah(rupiah))


@given(amount=AMOUNTS)
def test_the_rail_is_the_cheapest_of_those_that_take_the_amount(amount: Sen) -> None:
    rules = RailRules()
    rail = rules.rail(amount, same_bank=False, day=DAY)
    taking = [row for row in rules.held(DAY).values() if row.takes(amount) and row.rail is not Rail.IN_HOUSE]
    assert rules.fee(rail, DAY) == min(row.fee for row in taking)
    assert rules.rail(amount, same_bank=True, day=DAY) is Rail.IN_HOUSE


def test_a_rail_takes_amounts_above_its_least_and_up_to_its_most() -> None:
    row = RailTerms(Rail.RTGS, date(2015, 1, 1), rp(35_000), over=rp(100), at_most=rp(200))
    taken = [sen for sen in (rp(100), Sen(rp(100) + 1), rp(200), Sen(rp(200) + 1)) if row.takes(sen)]
    assert taken == [rp(100) + 1, rp(200)]


def test_what_goes_between_banks_by_a_rail_of_bank_days_is_due_at_both_on_the_day_it_is_executed() -> None:
    """A Friday's net of half a billion: SKN is open again on Monday, where both banks' lines are looked for."""
    friday = day_of(date(2026, 11, 20))
    city = participants()
    net = Position(Purpose.CASH, BNI, Code.AGENT_CASH, KIOSK, rp(500_000_000), Sen(0), Sen(0))
    made = items([net], friday, city, RailRules())
    between = {one.bank: one for one in made if one.kind is ItemKind.INTERBANK}
    assert (between[JATENG].amount, between[JATENG].rail) == (-rp(500_000_000), Rail.SKN)
    assert (between[BNI].amount, between[BNI].rail) == (rp(500_000_000), None)
    assert {one.due for one in between.values()} == {friday + 3}
    assert between[BNI].told == between[JATENG].reference
    (cash,) = [one for one in made if one.kind is ItemKind.CASH]
    assert cash.due == friday


LIMITED = RailRules(
    terms=(
        *(one for one in shipped_terms() if one.rail in {Rail.IN_HOUSE, Rail.BI_FAST}),
        RailTerms(Rail.RTGS, date(2015, 1, 1), rp(35_000), over=rp(100_000_000), at_most=rp(2_000_000_000)),
    )
)


@given(amount=st.integers(1, 3 * 10**13).map(Sen))
def test_an_amount_above_every_limit_is_split_into_parts_that_rails_take_and_no_sen_is_lost(
    amount: Sen,
) -> None:
    parts = LIMITED.parts(amount, same_bank=False, day=DAY)
    held = LIMITED.held(DAY)
    assert sum(part for _, part in parts) == amount
    assert all(held[rail].takes(part) for rail, part in parts)
    assert len(parts) == max(1, -(-amount // rp(2_000_000_000)))


@pytest.mark.parametrize(
    ("day", "rupiah", "rail", "fee"),
    [
        (date(2016, 6, 30), 2_000_000_000, Rail.SKN, 5_000),  # no upper limit yet
        (date(2016, 7, 1), 500_000_000, Rail.SKN, 5_000),
        (date(2016, 7, 1), 500_000_001, Rail.RTGS, 35_000),
        (date(2019, 8, 31), 600_000_000, Rail.RTGS, 35_000),
        (date(2019, 9, 1), 600_000_000, Rail.SKN, 3_500),
        (date(2020, 4, 1), 1_000_000_000, Rail.SKN, 2_900),
        (date(2021, 12, 20), 1_000_000, Rail.SKN, 2_900),
        (date(2021, 12, 21), 1_000_000, Rail.BI_FAST, 2_500),
    ],
)
def test_an_older_window_travels_by_the_limits_and_fees_of_its_day(
    day: date, rupiah: int, rail: Rail, fee: int
) -> None:
    rules = RailRules()
    found = rules.rail(rp(rupiah), same_bank=False, day=day_of(day))
    assert (found, rules.fee(found, day_of(day))) == (rail, rp(fee))


def test_every_shipped_row_says_where_it_was_read() -> None:
    assert all(row.source for row in shipped_terms())
    with pytest.raises(RailMissing):
        RailRules().rail(rp(1), same_bank=False, day=day_of(date(2015, 11, 15)))


def test_an_amount_that_no_rail_takes_is_refused() -> None:
    none = RailRules(terms=(RailTerms(Rail.RTGS, date(2015, 1, 1), Sen(0), over=rp(100_000_000)),))
    with pytest.raises(RailMissing, match=r"no rail takes Rp5 on 2026-11-18"):
        none.parts(rp(5), same_bank=False, day=DAY)
    with pytest.raises(RailMissing, match="no row tells the fee of SKN"):
        none.fee(Rail.SKN, DAY)


def test_a_payment_released_after_the_cut_off_is_executed_later_than_meant() -> None:
    rules, friday = RailRules(), date(2026, 11, 20)
    due = day_of(friday)
    for hour, executed in ((10, friday), (17, date(2026, 11, 23))):
        at = moment(datetime.combine(friday, time(hour), CITY))
        assert rules.executed_if_sent(Rail.SKN, due, at) == day_of(executed)
        assert rules.executed_if_sent(Rail.BI_FAST, due, at) == due


SKN = {
    "rail": "SKN", "from": "2027-01-01", "until": None, "over": "0", "at_most": "500000000.00", "fee": "2000.00",
    "opens": "06:30", "closes": "15:00", "bank_days_only": True,
}  # fmt: skip


def test_a_dated_row_of_staff_holds_from_its_day_on(tmp_path: Path) -> None:
    database = Ledger.create(f"sqlite:///{tmp_path / 'ledger.db'}", tables.metadata)
    rulebook = Rulebook(database)
    rulebook.add(RuleKind.RAIL, "SKN 2027-01-01", SKN, author="maker", reason="BI circular", at=UnixMs(0))
    rules = city_rails(rulebook)
    database.close()
    assert (rules.fee(Rail.SKN, DAY), rules.fee(Rail.SKN, NEXT_YEAR)) == (rp(2_900), rp(2_000))
    assert rules.rail(rp(300_000_000), same_bank=False, day=NEXT_YEAR) is Rail.SKN
    assert rules.rail(rp(600_000_000), same_bank=False, day=NEXT_YEAR) is Rail.RTGS
    assert rules.hours.on("SKN", NEXT_YEAR).closes == time(15)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"rail": "CARRIER PIGEON"}, "IN_HOUSE, BI_FAST, SKN, RTGS"),
        ({"from": "next year"}, "from is 'next year'"),
        ({"fee": 2900}, "an amount as text"),
        ({"fee": "-1"}, "fee is '-1'"),
        ({"at_most": "0"}, "at_most lies below over"),
        ({"closes": "noon"}, "closes is 'noon'"),
        ({"bank_days_only": "yes"}, "bank_days_only is 'yes'"),
        ({"colour": "red"}, "has the fields"),
    ],
)
def test_a_row_that_is_not_as_it_must_be_is_refused_by_its_field(changes: dict[str, Any], words: str) -> None:
    with pytest.raises(RuleRefused, match=words):
        rail_rows(SKN | changes)
