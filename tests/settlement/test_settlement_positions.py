"""Positions and entries against a plain sum over the same transfers, and against what the accounts hold afterwards."""

from __future__ import annotations

from collections import Counter, defaultdict
from fractions import Fraction
from typing import TYPE_CHECKING, NamedTuple

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from keys.clock import Day, UnixMs
from keys.money import Sen
from ledger.chart import AccountId, Code, Partition, account_id, issuer_of, purse, split
from ledger.transfer import Flag, Kind, Transfer
from settlement.entries import entries
from settlement.errors import FeeUnknown, ParticipantUnknown, PositionUnclear
from settlement.fees import FeeTable
from settlement.items import items
from settlement.participants import MerchantClass
from settlement.payments.rails import RailRules
from settlement.positions.model import Purpose, Sums
from settlement.positions.netting import between, nets
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
    sums_of,
)

if TYPE_CHECKING:
    from settlement.participants import Participants

BASIS_POINTS = {MerchantClass.UMI: 30, MerchantClass.UKE: 70}


def found(taps: Taps, city: Participants, chunk: int = 1_000) -> Sums:
    return sums_of(taps.rows(), city, chunk=chunk)


def settling(sums: Sums, city: Participants) -> list[Movement]:
    made = entries(sums.shares, city, DAY, UnixMs(0))
    return [Movement(*one) for one in made[["debit", "credit", "amount", "kind", "flags"]].tolist()]


class Movement(NamedTuple):
    """An entry, or a transfer, as sides and amount."""

    debit: AccountId
    credit: AccountId
    amount: int
    kind: int
    flags: int


def sides(taps: Taps, made: list[Movement]) -> list[tuple[AccountId, AccountId, int]]:
    """Debit, credit and amount of a day's transfers and of the entries that settle them."""
    return [(one.debit, one.credit, one.amount) for one in taps.made] + [one[:3] for one in made]


@st.composite
def days(draw: st.DrawFn) -> Taps:
    """A day of loads, rides, sales and refunds."""
    taps = Taps()
    what = st.tuples(
        st.sampled_from(["load", "fare", "pupil", "sale", "refund", "other"]),
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
        elif kind == "other":
            taps.other(issuer, serial % 64, rupiah, operator)
        else:
            taps.refund(issuer, serial, rupiah, merchant)
    return taps


Key = tuple[int, int, int, int]


def plain_sums(transfers: list[Transfer], city: Participants) -> tuple[dict[Key, list[int]], Counter[int]]:
    """Gross and refunds by (purpose, bank, code, number), and each merchant's whole fee: the oracle."""
    sums: dict[Key, list[int]] = defaultdict(lambda: [0, 0])
    exact: dict[int, Fraction] = defaultdict(Fraction)
    for one in transfers:
        debit, credit = split(one.debit), split(one.credit)
        if debit.code is Code.SUBSIDY_RECEIVABLE:
            sums[Purpose.SUBSIDY, city.city.bank, credit.code, credit.number][0] += one.amount
        elif debit.code is Code.ISSUER_RECEIVABLE:
            sums[Purpose.OTHERS_CARDS, debit.number, credit.code, credit.number][0] += one.amount
        elif debit.code is Code.AGENT_CASH:
            sums[Purpose.CASH, issuer_of(one.credit), debit.code, debit.number][0] += one.amount
        elif debit.code is Code.PURSE:
            sums[Purpose.TAPS, issuer_of(one.debit), credit.code, credit.number][0] += one.amount
            exact[credit.number] += fee_of(credit.code, credit.number, one.amount, city)
        else:
            sums[Purpose.TAPS, issuer_of(one.credit), debit.code, debit.number][1] += one.amount
            exact[debit.number] -= fee_of(debit.code, debit.number, one.amount, city)
    half_up = {
        number: int(abs(fee) + Fraction(1, 2)) * (1 if fee > 0 else -1) for number, fee in exact.items()
    }
    return dict(sums), Counter({number: fee for number, fee in half_up.items() if fee})


def plain_net(transfers: list[Transfer], city: Participants) -> Counter[int]:
    """What each bank gets in the net: the oracle. Each transfer moves its amount from who holds it to who must have it."""
    got: Counter[int] = Counter()
    for one in transfers:
        debit, credit = split(one.debit), split(one.credit)
        payable = {Code.OPERATOR_PAYABLE, Code.MERCHANT_PAYABLE}
        if credit.code in payable:
            holder = {
                Code.PURSE: issuer_of(one.debit), Code.SUBSIDY_RECEIVABLE: city.city.bank,
            }.get(debit.code, debit.number)  # fmt: skip
            needer = city.party(credit.code, credit.number).bank
        elif debit.code in payable:
            holder, needer = city.party(debit.code, debit.number).bank, issuer_of(one.credit)
        else:
            holder, needer = city.party(debit.code, debit.number).bank, issuer_of(one.credit)
        got[holder] -= one.amount
        got[needer] += one.amount
    return got


def fee_of(code: Code, number: int, amount: int, city: Participants) -> Fraction:
    if code is not Code.MERCHANT_PAYABLE:
        return Fraction(0)
    kind = city.merchants[number].merchant_class
    if kind is MerchantClass.UMI and amount <= 500_000_00:
        return Fraction(0)
    return Fraction(amount * BASIS_POINTS[kind], 10_000)


@settings(deadline=None)
@given(taps=days(), chunk=st.integers(1, 50))
def test_positions_are_the_plain_sums_of_the_day_however_its_rows_come(
    taps: Taps, chunk: int, city: Participants
) -> None:
    positions = found(taps, city, chunk).positions()
    sums, fees = plain_sums(taps.made, city)
    assert {
        (one.purpose, one.bank, one.code, one.number): [one.gross, one.refunds] for one in positions
    } == sums
    charged = Counter[int]()
    for one in positions:
        charged[one.number] += one.fee
    assert {number: fee for number, fee in charged.items() if fee} == fees


@given(taps=days())
def test_entries_bring_every_account_that_is_settled_to_zero(taps: Taps, city: Participants) -> None:
    made = settling(found(taps, city), city)
    left: Counter[int] = Counter()
    for debit, credit, amount in sides(taps, made):
        left[debit] -= amount
        left[credit] += amount
    to_settle = {
        Code.OPERATOR_PAYABLE, Code.MERCHANT_PAYABLE, Code.AGENT_CASH, Code.SUBSIDY_RECEIVABLE,
        Code.ISSUER_RECEIVABLE, Code.INTERBANK,
    }  # fmt: skip
    assert {account: net for account, net in left.items() if net and Code(account >> 56) in to_settle} == {}
    assert all(split(one.debit).partition == split(one.credit).partition for one in made)
    assert all(one.amount > 0 for one in made)


@given(taps=days())
def test_all_entries_of_a_window_stand_or_fall_together(taps: Taps, city: Participants) -> None:
    flags = [one.flags for one in settling(found(taps, city), city)]
    assert flags == [Flag.LINKED] * (len(flags) - 1) + [Flag.NONE] * bool(flags)


@given(taps=days())
def test_each_bank_has_one_net_figure_and_they_sum_to_zero(taps: Taps, city: Participants) -> None:
    sums = found(taps, city)
    banks = nets(sums.positions(), city)
    assert {one.bank: one.net for one in banks if one.net} == {
        bank: net for bank, net in plain_net(taps.made, city).items() if net
    }
    assert sum(one.net for one in banks) == 0
    assert sum(one.owed for one in banks) == sum(one.owes for one in banks)
    left = Counter({one.bank: one.net for one in banks})
    transfers = between(banks)
    for one in transfers:
        assert one.amount > 0
        left[one.debtor] += one.amount
        left[one.creditor] -= one.amount
    assert set(left.values()) <= {0}
    assert len(transfers) <= max(0, len(banks) - 1)


@given(taps=days())
def test_the_net_in_the_books_is_the_net_figure_of_each_bank(taps: Taps, city: Participants) -> None:
    moved: Counter[int] = Counter()
    sums = found(taps, city)
    for one in settling(sums, city):
        if one.kind == Kind.INTERBANK:
            for account, sign in ((one.debit, 1), (one.credit, -1)):
                if split(account).code is Code.BANK_SETTLEMENT:
                    moved[split(account).number] += sign * one.amount
    wanted = {one.bank: one.net for one in nets(sums.positions(), city) if one.net}
    assert {bank: net for bank, net in moved.items() if net} == wanted


@given(taps=days())
def test_what_entries_move_at_a_bank_is_what_its_statement_is_expected_to_show(
    taps: Taps, city: Participants
) -> None:
    moved: Counter[int] = Counter()
    sums = found(taps, city)
    for one in settling(sums, city):
        for account, sign in ((one.debit, 1), (one.credit, -1)):
            if split(account).code is Code.BANK_SETTLEMENT:
                moved[split(account).number] += sign * one.amount
    expected: Counter[int] = Counter()
    for item in items(sums.positions(), DAY, city, RailRules()):
        expected[item.bank] += item.amount
    assert {bank: sen for bank, sen in moved.items() if sen} == {b: s for b, s in expected.items() if s}


@given(taps=days())
def test_after_the_net_a_bank_holds_what_its_cards_hold_and_the_discount_of_its_merchants(
    taps: Taps, city: Participants
) -> None:
    """Other issuers' cards pay from outside, and the city does: all else of our money stands where it is owed."""
    sums, held = found(taps, city), Counter[int]()
    for debit, credit, amount in sides(taps, settling(sums, city)):
        for account, sign in ((debit, 1), (credit, -1)):
            code, _, number = split(account)
            if code in {Code.BANK_SETTLEMENT, Code.FEE_INCOME}:
                held[number] += sign * amount
            elif code is Code.PURSE:
                held[issuer_of(account)] += sign * amount
    assert set(held.values()) <= {0}


def test_two_banks_that_owe_each_other_settle_the_difference(city: Participants) -> None:
    taps = Taps()
    taps.fare(BNI, 1, 10_000, operator=BRT)  # at Bank Jateng
    taps.fare(JATENG, 1, 4_000, operator=CITRA)  # at BNI
    banks = nets(found(taps, city).positions(), city)
    assert [(one.bank, one.owed, one.owes, one.net) for one in banks] == [
        (BNI, 400_000, 1_000_000, -600_000),
        (JATENG, 1_000_000, 400_000, 600_000),
    ]
    expected = items(found(taps, city).positions(), DAY, city, RailRules())
    told = [(one.bank, one.kind.value, one.amount, one.name) for one in expected]
    assert told == [
        (BNI, "interbank net", -600_000, "Bank Jateng"),
        (BNI, "payout", -400_000, "PT Citra Armada"),
        (JATENG, "payout", -1_000_000, "BLU Trans Semarang"),
        (JATENG, "interbank net", 600_000, "Bank Negara Indonesia"),
    ]
    assert expected[3].told == expected[0].reference


def test_holds_voids_and_settlement_entries_count_for_nothing(city: Participants) -> None:
    taps = Taps()
    of = purse(card(BNI, 1))
    payable, cash = taps.beside(of, Code.MERCHANT_PAYABLE, SHOP), taps.beside(of, Code.AGENT_CASH, KIOSK)
    bank = taps.beside(of, Code.BANK_SETTLEMENT, BNI)
    taps.add(cash, of, 100, Kind.LOAD, Flag.PENDING)
    taps.add(cash, of, 100, Kind.LOAD, Flag.VOID_PENDING)
    taps.add(payable, bank, 100, Kind.PAYOUT)
    taps.add(bank, cash, 100, Kind.DEPOSIT)
    assert found(taps, city).positions() == ()
    assert found(taps, city).days == ()


def test_money_between_wallets_and_from_a_bank_is_nobodys_position(city: Participants) -> None:
    """What is on its way between two partitions lies on accounts of its own kind, which no window settles."""
    taps = Taps()
    ours, theirs = (account_id(Code.WALLET, Partition(part), card(BNI, part) // 10) for part in (3, 4))
    left, arrived = (account_id(Code.CLEARING, Partition(part), 65) for part in (3, 4))
    taps.add(ours, left, 700, Kind.TRANSFER)
    taps.add(arrived, theirs, 700, Kind.TRANSFER)
    taps.add(account_id(Code.BANK_SETTLEMENT, Partition(3), BNI), ours, 900, Kind.DEPOSIT)
    found = sums_of(taps.rows(), city)
    assert found.positions() == ()
    assert [(one.kind, one.amount) for one in found.days] == [(Kind.DEPOSIT, 900), (Kind.TRANSFER, 1_400)]


def test_a_hold_that_the_card_confirmed_counts_once(city: Participants) -> None:
    taps = Taps()
    of = purse(card(BNI, 1))
    cash = taps.beside(of, Code.AGENT_CASH, KIOSK)
    taps.add(cash, of, 5_000_000, Kind.LOAD, Flag.PENDING)
    taps.add(cash, of, 5_000_000, Kind.LOAD, Flag.POST_PENDING)
    assert [one.net for one in found(taps, city).positions()] == [5_000_000]


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
    assert [(one.bank, one.net) for one in found(taps, city).positions()] == [(MANDIRI, Sen(777))]


def test_a_card_of_a_bank_that_takes_no_part_is_refused(city: Participants) -> None:
    taps = Taps()
    taps.fare(777, 1, 3_500)
    with pytest.raises(ParticipantUnknown, match="0777"):
        found(taps, city)


def test_cash_that_an_agent_takes_for_a_wallet_is_asked_for_like_any_other(city: Participants) -> None:
    taps = Taps()
    wallet = account_id(Code.WALLET, Partition(5), 9360_0009_0000_001)
    taps.add(taps.beside(wallet, Code.AGENT_CASH, KIOSK), wallet, 700, Kind.DEPOSIT)
    assert [(one.purpose, one.bank, one.net) for one in found(taps, city).positions()] == [
        (Purpose.CASH, BNI, 700)
    ]


def test_a_fee_is_rounded_once_a_window_whatever_partition_or_issuer_it_came_from(city: Participants) -> None:
    taps = Taps()
    for serial in range(1, 11):
        taps.sale((BNI, JATENG)[serial % 2], serial, 1, SHOP)  # 0.7 sen each
    sums = found(taps, city)
    assert sum(one.fee for one in sums.positions()) == 7
    assert (len(sums.positions()), len(sums.shares) > 2) == (2, True)


def test_a_window_says_which_service_days_its_taps_belong_to(city: Participants) -> None:
    taps = Taps()
    taps.fare(BNI, 1, 3_500)
    late = Taps(Day(DAY - 1))
    late.fare(BNI, 2, 4_000)
    late.fare(JATENG, 3, 1_000, subsidy=2_500)
    taps.made += late.made
    assert [(one.service_day - DAY, one.kind, one.transfers, one.amount) for one in found(taps, city, 2).days] == [
        (-1, Kind.FARE, 2, 500_000), (-1, Kind.SUBSIDY, 1, 250_000), (0, Kind.FARE, 1, 350_000),
    ]  # fmt: skip


def test_a_merchant_whose_class_has_no_rate_is_named_before_anything_is_settled(city: Participants) -> None:
    taps = Taps()
    taps.sale(BNI, 1, 1, SHOP)
    with pytest.raises(FeeUnknown, match="UKE"):
        sums_of(taps.rows(), city, FeeTable([]))
    taps.sale(BNI, 1, 1, 999)
    with pytest.raises(ParticipantUnknown, match="999"):
        found(taps, city)
