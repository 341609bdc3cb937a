"""Payment files: valid, the same bytes every time, sums that add up, rails by amount."""

from __future__ import annotations

from datetime import date, datetime, time
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st
from lxml import etree

from keys.clock import CITY, Day, day_of, moment
from keys.money import Rupiah, Sen, parse, sen_of
from ledger.chart import Code
from settlement.calendar.days import DayOverride
from settlement.calendar.indonesia import indonesian_calendar
from settlement.errors import ParticipantInvalid, PaymentsTooMany
from settlement.items import Item, ItemKind, items, reference
from settlement.participants import Bank, Operator, Participants
from settlement.payments.pain001 import NAMESPACE, payment_file
from settlement.payments.rails import Rail, RailRules
from settlement.positions.model import Position, Purpose
from tests.settlement.town import BNI, BRT, CITRA, DATE, DAY, JATENG, KIOSK, MANDIRI, Taps, sums_of

if TYPE_CHECKING:
    from pathlib import Path

NS = {"p": NAMESPACE}
RULES = RailRules()
CLOSED = moment(datetime.combine(DATE, time(23), CITY))


def net(rupiah: int, bank: int = BNI, number: int = BRT, purpose: Purpose = Purpose.TAPS) -> Position:
    code = Code.AGENT_CASH if purpose is Purpose.CASH else Code.OPERATOR_PAYABLE
    return Position(purpose, bank, code, number, sen_of(Rupiah(rupiah)), Sen(0), Sen(0))


def expected(place: int, amount: Sen) -> Item:
    """What a statement should show: negative where we pay."""
    rail = RULES.rail(Sen(-amount), same_bank=bool(place % 2), day=DAY) if amount < 0 else None
    return Item(
        DAY, reference(DAY, BNI, place + 1), BNI, ItemKind.PAYOUT, Code.OPERATOR_PAYABLE, (BRT, CITRA)[place % 2], "", amount,
        RULES.execution(rail, DAY) if rail else DAY, rail,
    )  # fmt: skip


def ordinary_items(city: Participants) -> tuple[Item, ...]:
    taps = Taps()
    taps.ordinary_day()
    return items(sums_of(taps.rows(), city).positions(), DAY, city, RULES)


def file_of(bank: int, expected: tuple[Item, ...], city: Participants) -> bytes:
    return payment_file(DAY, city.bank(bank), expected, city, CLOSED)


@pytest.mark.parametrize("bank", [BNI, JATENG, MANDIRI])
def test_a_payment_file_is_valid_against_the_schema(bank: int, city: Participants, data: Path) -> None:
    schema = etree.XMLSchema(etree.parse(data / "xsd" / "pain.001.001.09.xsd"))
    schema.assertValid(etree.fromstring(file_of(bank, ordinary_items(city), city)))


def test_the_same_window_gives_the_same_bytes(city: Participants) -> None:
    expected = ordinary_items(city)
    assert file_of(BNI, expected, city) == file_of(BNI, tuple(reversed(expected)), city)
    document = etree.fromstring(file_of(BNI, expected, city))
    assert document.findtext(".//p:MsgId", namespaces=NS) == "KSH-20261118-0009"
    assert document.findtext(".//p:CreDtTm", namespaces=NS) == "2026-11-18T23:00:00+07:00"


@given(rupiah=st.lists(st.integers(-(10**10), 10**10).filter(bool), min_size=1, max_size=12))
def test_control_sums_are_the_sums_of_the_payments_to_the_sen(rupiah: list[int], city: Participants) -> None:
    made = [expected(place, sen_of(Rupiah(-amount))) for place, amount in enumerate(rupiah)]
    content = file_of(BNI, tuple(made), city)
    wanted = [sen_of(Rupiah(amount)) for amount in rupiah if amount > 0]
    assert bool(content) == bool(wanted)
    if not content:
        return
    document = etree.fromstring(content)
    amounts = [parse(one.text or "") for one in document.iterfind(".//p:InstdAmt", NS)]
    assert sorted(amounts) == sorted(wanted)
    for group in (document.find(".//p:GrpHdr", NS), *document.iterfind(".//p:PmtInf", NS)):
        assert group is not None
        own = (
            amounts
            if group.find("p:CdtTrfTxInf", NS) is None
            else [parse(one.text or "") for one in group.iterfind(".//p:InstdAmt", NS)]
        )
        assert group.findtext("p:NbOfTxs", namespaces=NS) == str(len(own))
        assert parse(group.findtext("p:CtrlSum", namespaces=NS) or "") == sum(own)


def test_references_number_payments_first_and_are_unique(city: Participants) -> None:
    expected = ordinary_items(city)
    of_bni = [item for item in expected if item.bank == BNI]
    assert [item.reference for item in of_bni] == [
        f"KSH-20261118-0009-{number:04d}" for number in range(1, len(of_bni) + 1)
    ]
    signs = [item.amount > 0 for item in of_bni]
    assert signs == sorted(signs)
    assert len({item.reference for item in expected}) == len(expected)


def test_the_city_pays_in_what_the_operators_get_as_subsidy(city: Participants) -> None:
    expected = ordinary_items(city)
    shares = sum(item.amount for item in expected if item.kind is ItemKind.SUBSIDY_SHARE)
    (subsidy,) = [item for item in expected if item.kind is ItemKind.SUBSIDY]
    assert (subsidy.bank, subsidy.amount, subsidy.rail) == (JATENG, -shares, None)


@pytest.mark.parametrize(
    ("bank", "rupiah", "rail", "due"),
    [
        (BNI, 250_000_000, Rail.BI_FAST, date(2026, 11, 20)),
        (BNI, 250_000_001, Rail.SKN, date(2026, 11, 23)),
        (BNI, 1_000_000_000, Rail.SKN, date(2026, 11, 23)),
        (BNI, 1_000_000_001, Rail.RTGS, date(2026, 11, 23)),
        (JATENG, 9_000_000_000, Rail.IN_HOUSE, date(2026, 11, 20)),
    ],
)
def test_the_rail_follows_the_amount_and_bank_days(
    bank: int, rupiah: int, rail: Rail, due: date, city: Participants
) -> None:
    friday = day_of(date(2026, 11, 20))
    item = next(one for one in items([net(rupiah, bank)], friday, city, RULES) if one.bank == bank)
    assert (item.rail, item.due) == (rail, day_of(due))


def test_bank_holidays_put_a_payment_off() -> None:
    decided = DayOverride(day_of(date(2026, 12, 28)), is_open=False, reason="flood", author="maker")
    rules = RailRules(calendar=indonesian_calendar().with_overrides([decided]))
    assert rules.execution(Rail.SKN, day_of(date(2026, 12, 23))) == day_of(date(2026, 12, 29))


def test_what_comes_in_is_never_an_instruction(city: Participants) -> None:
    cash = net(5, JATENG, KIOSK, Purpose.CASH)
    (item,) = items([cash], DAY, city, RULES)
    assert (item.bank, item.amount) == (JATENG, Sen(500))
    assert file_of(JATENG, (item,), city) == b""


def test_more_items_than_references_can_number_are_refused(city: Participants) -> None:
    many = [Operator(number, "Operator", BNI, "1") for number in range(1, 10_001)]
    crowd = Participants(banks=city.banks.values(), operators=many, merchants=[], agents=[], city=city.city)
    with pytest.raises(PaymentsTooMany, match="0009"):
        items([net(1, number=one.number) for one in many], DAY, crowd, RULES)


@pytest.mark.parametrize("name", ["", " Toko", "Toko\x00Oen", "x" * 71])
def test_a_name_that_no_payment_file_could_carry_is_no_participant(name: str) -> None:
    with pytest.raises(ParticipantInvalid, match="name"):
        Operator(1, name, BNI, "1")


@pytest.mark.parametrize(("code", "bic"), [(0, "BNINIDJA"), (10_000, "BNINIDJA"), (9, "BNI")])
def test_a_bank_needs_a_code_and_a_bic(code: int, bic: str) -> None:
    with pytest.raises(ParticipantInvalid):
        Bank(code, "Bank", bic, "1")


def test_days_in_references_are_the_windows(city: Participants) -> None:
    item = items([net(1)], Day(DAY + 1), city, RULES)[0]
    assert item.reference == "KSH-20261119-0009-0001"
