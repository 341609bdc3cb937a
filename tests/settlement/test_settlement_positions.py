"""Positions and entries against a plain sum over the same transfers, and against what the accounts hold afterwards."""

from __future__ import annotations

from collections import Counter, defaultdict
from fractions import Fraction
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from keys.clock import Day, UnixMs
from keys.money import Sen
from ledger.chart import Code, Partition, account_id, issuer_of, purse, split
from ledger.transfer import Flag, Kind, Transfer
from settlement.entries import entries
from settlement.errors import ParticipantUnknown, PositionUnclear
from settlement.fees import qris_rates, rounded
from settlement.participants import MerchantClass
from settlement.positions import Position, Purpose, positions
from tests.settlement.town import (
    BNI,
    BRT,
    CITRA,
    DAY,
    JATENG,
    KIOSK,
    MANDIRI,
    SHOP,
    STALL,
    Taps,
    card,
    rows_of,
)

if TYPE_CHECKING:
    from settlement.participants import Participants

BASIS_POINTS = {MerchantClass.UMI: 30, MerchantClass.UKE: 70}


def found(taps: Taps, city: Participants) -> tuple[Position, ...]:
    return positions(taps.rows(), city, qris_rates(), DAY)


@st.composite
def days(draw: st.DrawFn) -> Taps:
    """A day of loads, rides, sales and refunds."""
    taps = Taps()
    what = st.tuples(
        st.sampled_from(["load", "fare", "pupil", "sale", "refund"]),
        st.sampled_from([BNI, JATENG, MANDIRI]),
        st.integers(1, 30),
        st.integers(1, 2_000_000),
        st.booleans(),
    )
    for kind, issuer, serial, rupiah, first in draw(st.lists(what, max_size=40)):
        operator, merchant = (BRT, STALL) if first else (CITRA, SHOP)
        if kind == "load":
            taps.load(issuer, serial, rupiah)
        elif kind == "fare":
            taps.fare(issuer, serial, rupiah, operator=operator)
        elif kind == "pupil":
            taps.fare(issuer, serial, 1_000, subsidy=rupiah, operator=operator)
        elif kind == "sale":
            taps.sale(issuer, serial, rupiah, merchant)
        else:
            taps.refund(issuer, serial, rupiah, merchant)
    return taps


def plain_sums(
    transfers: list[Transfer], city: Participants
) -> dict[tuple[int, int, int, int], tuple[int, int, int]]:
    """Gross, refunds and fee by (purpose, bank, code, number): the oracle."""
    gross: Counter[tuple[int, int, int, int]] = Counter()
    back: Counter[tuple[int, int, int, int]] = Counter()
    exact: dict[tuple[int, int, int, int], Fraction] = defaultdict(Fraction)
    for one in transfers:
        debit, credit = split(one.debit), split(one.credit)
        if debit.code is Code.SUBSIDY_RECEIVABLE:
            gross[Purpose.SUBSIDY, city.city.bank, credit.code, credit.number] += one.amount
        elif debit.code is Code.AGENT_CASH:
            gross[Purpose.CASH, issuer_of(one.credit), debit.code, debit.number] += one.amount
        elif debit.code is Code.PURSE:
            key = (Purpose.TAPS, issuer_of(one.debit), credit.code, credit.number)
            gross[key] += one.amount
            exact[key] += fee_of(credit.code, credit.number, one.amount, city)
        else:
            key = (Purpose.TAPS, issuer_of(one.credit), debit.code, debit.number)
            back[key] += one.amount
            exact[key] -= fee_of(debit.code, debit.number, one.amount, city)
    return {key: (gross[key], back[key], rounded(int(exact[key] * 10_000))) for key in gross | back}


def fee_of(code: Code, number: int, amount: int, city: Participants) -> Fraction:
    if code is not Code.MERCHANT_PAYABLE:
        return Fraction(0)
    kind = city.merchants[number].merchant_class
    if kind is MerchantClass.UMI and amount <= 500_000_00:
        return Fraction(0)
    return Fraction(amount * BASIS_POINTS[kind], 10_000)


@given(taps=days())
def test_positions_are_the_plain_sums_of_the_day(taps: Taps, city: Participants) -> None:
    sums = {
        (one.purpose, one.bank, one.code, one.number): (one.gross, one.refunds, one.fee)
        for one in found(taps, city)
    }
    assert sums == plain_sums(taps.made, city)


@given(taps=days())
def test_entries_bring_every_account_that_is_settled_to_zero(taps: Taps, city: Participants) -> None:
    settling = entries(found(taps, city), DAY, UnixMs(0))
    nets: Counter[int] = Counter()
    for one in (*taps.made, *settling):
        nets[one.debit] -= one.amount
        nets[one.credit] += one.amount
    to_settle = {Code.OPERATOR_PAYABLE, Code.MERCHANT_PAYABLE, Code.AGENT_CASH, Code.SUBSIDY_RECEIVABLE}
    assert {account: net for account, net in nets.items() if net and split_code(account) in to_settle} == {}
    assert all(split(one.debit).partition == split(one.credit).partition for one in settling)
    assert all(one.amount > 0 for one in settling)


def split_code(account: int) -> Code:
    return Code(account >> 56)


@given(taps=days())
def test_all_entries_of_a_window_stand_or_fall_together(taps: Taps, city: Participants) -> None:
    flags = [one.flags for one in entries(found(taps, city), DAY, UnixMs(0))]
    assert flags == [Flag.LINKED] * (len(flags) - 1) + [Flag.NONE] * bool(flags)


@given(taps=days())
def test_what_the_banks_hold_grows_by_what_was_loaded_less_what_was_paid_out(
    taps: Taps, city: Participants
) -> None:
    movement: Counter[int] = Counter()
    for one in entries(found(taps, city), DAY, UnixMs(0)):
        for account, sign in ((one.debit, 1), (one.credit, -1)):
            if split(account).code is Code.BANK_SETTLEMENT:
                movement[split(account).number] += sign * one.amount
    expected: Counter[int] = Counter()
    for position in found(taps, city):
        sign = {Purpose.CASH: 1, Purpose.TAPS: -1, Purpose.SUBSIDY: 0}[position.purpose]
        expected[position.bank] += sign * position.net
    assert {bank: sen for bank, sen in movement.items() if sen} == {b: s for b, s in expected.items() if s}


def test_holds_voids_settlement_entries_and_other_days_count_for_nothing(city: Participants) -> None:
    taps = Taps()
    of = purse(card(BNI, 1))
    payable, cash = taps.beside(of, Code.MERCHANT_PAYABLE, SHOP), taps.beside(of, Code.AGENT_CASH, KIOSK)
    bank = taps.beside(of, Code.BANK_SETTLEMENT, BNI)
    taps.add(cash, of, 100, Kind.LOAD, Flag.PENDING)
    taps.add(cash, of, 100, Kind.LOAD, Flag.VOID_PENDING)
    taps.add(payable, bank, 100, Kind.PAYOUT)
    taps.add(bank, cash, 100, Kind.DEPOSIT)
    assert found(taps, city) == ()
    other = Taps()
    other.fare(BNI, 1, 3_500)
    assert positions(rows_of(other.made, Day(DAY + 1)), city, qris_rates(), DAY) == ()


def test_a_hold_that_the_card_confirmed_counts_once(city: Participants) -> None:
    taps = Taps()
    of = purse(card(BNI, 1))
    cash = taps.beside(of, Code.AGENT_CASH, KIOSK)
    taps.add(cash, of, 5_000_000, Kind.LOAD, Flag.PENDING)
    taps.add(cash, of, 5_000_000, Kind.LOAD, Flag.POST_PENDING)
    assert [one.net for one in found(taps, city)] == [5_000_000]


def test_a_row_that_no_bank_could_pay_is_named_by_its_position(city: Participants) -> None:
    taps = Taps()
    partition = Partition(3)
    taps.add(
        account_id(Code.MERCHANT_PAYABLE, partition, SHOP), account_id(Code.MERCHANT_PAYABLE, partition, STALL),
        1, Kind.ADJUSTMENT,
    )  # fmt: skip
    with pytest.raises(PositionUnclear, match=r"position 1 \(merchant payable 502/03") as refused:
        found(taps, city)
    assert refused.value.position == 1


def test_an_adjustment_through_suspense_is_paid_by_the_bank_of_the_suspense(city: Participants) -> None:
    taps = Taps()
    partition = Partition(3)
    taps.add(
        account_id(Code.SUSPENSE, partition, MANDIRI), account_id(Code.OPERATOR_PAYABLE, partition, BRT),
        777, Kind.ADJUSTMENT,
    )  # fmt: skip
    assert [(one.bank, one.net) for one in found(taps, city)] == [(MANDIRI, Sen(777))]


def test_a_card_of_a_bank_that_takes_no_part_is_refused(city: Participants) -> None:
    taps = Taps()
    taps.fare(777, 1, 3_500)
    with pytest.raises(ParticipantUnknown, match="0777"):
        found(taps, city)


def test_a_fee_is_rounded_once_over_the_window_and_not_in_each_partition(city: Participants) -> None:
    taps = Taps()
    for serial in range(1, 11):
        taps.sale(BNI, serial, 1, SHOP)  # 0.7 sen each
    (position,) = found(taps, city)
    assert (position.fee, len(position.shares) > 1) == (7, True)
