"""Merchant discount: the table's dates, exact fees, one rounding, and no sen lost when it is shared out."""

from __future__ import annotations

from datetime import date
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from keys.clock import Day, day_of
from keys.money import Rupiah, Sen, sen_of
from settlement.errors import FeeTableInvalid, FeeUnknown, SumTooLarge
from settlement.fees import COLUMNS, FeeTable, Rate, qris_rates, read_table
from settlement.participants import MerchantClass
from settlement.positions import rounding

TODAY = day_of(date(2026, 11, 18))
EXACT = st.integers(min_value=-(10**16), max_value=10**16)
HEAD = ",".join(COLUMNS)


def rounded(exact: int) -> Sen:
    return Sen(int(rounding.rounded(np.array([exact]))[0]))


def shared_out(exact: list[int], groups: list[int]) -> list[int]:
    found = rounding.shared_out(np.array(exact, np.int64), np.array(groups, np.int64))
    return [int(share) for share in found]


def fee(merchant_class: MerchantClass, rupiah: int, on: date = date(2026, 11, 18)) -> Sen:
    rate = qris_rates().rate(merchant_class, day_of(on))
    return rounded(int(rate.exact_fees(np.array([sen_of(Rupiah(rupiah))]))[0]))


@pytest.mark.parametrize(
    ("merchant_class", "rupiah", "sen"),
    [
        (MerchantClass.UMI, 500_000, 0),
        (MerchantClass.UMI, 500_001, 150_000),
        (MerchantClass.UKE, 3_500, 2_450),
        (MerchantClass.UME, 3_500, 2_450),
        (MerchantClass.UBE, 3_500, 2_450),
        (MerchantClass.EDU, 10_000, 6_000),
        (MerchantClass.FUEL, 10_000, 4_000),
        (MerchantClass.GOV, 10_000, 0),
    ],
)
def test_each_class_pays_its_rate(merchant_class: MerchantClass, rupiah: int, sen: int) -> None:
    assert fee(merchant_class, rupiah) == sen


def test_a_rate_changes_on_its_day_and_not_before() -> None:
    assert fee(MerchantClass.PSO, 10_000, date(2025, 3, 13)) == 4_000
    assert fee(MerchantClass.PSO, 10_000, date(2025, 3, 14)) == 0


def test_a_day_before_the_table_begins_has_no_rate() -> None:
    with pytest.raises(FeeUnknown, match="UMI"):
        qris_rates().rate(MerchantClass.UMI, day_of(date(2024, 11, 30)))


def test_a_refund_gives_back_exactly_what_its_sale_cost() -> None:
    rate = qris_rates().rate(MerchantClass.UMI, TODAY)
    sold = np.array([60_000_050, -60_000_050, 40_000_000, -40_000_000])
    assert rate.exact_fees(sold).sum() == 0


@given(EXACT)
def test_rounding_is_to_the_nearest_sen_and_halves_go_away_from_zero(exact: int) -> None:
    distance = abs(Fraction(exact, 10_000) - rounded(exact))
    assert distance <= Fraction(1, 2)
    assert distance < Fraction(1, 2) or abs(rounded(exact)) * 10_000 > abs(exact)
    assert rounded(-exact) == -rounded(exact)


@given(st.lists(st.tuples(EXACT, st.integers(0, 3)), max_size=64))
def test_shares_add_up_to_each_groups_rounded_total_and_stay_within_a_sen_of_the_exact_fee(
    places: list[tuple[int, int]],
) -> None:
    exact, groups = [fee for fee, _ in places], [group for _, group in places]
    shares = shared_out(exact, groups)
    for group in set(groups):
        mine = [place for place, one in enumerate(groups) if one == group]
        assert sum(shares[place] for place in mine) == rounded(sum(exact[place] for place in mine))
    assert all(abs(Fraction(fee, 10_000) - share) < 1 for fee, share in zip(exact, shares, strict=True))


def test_the_largest_remainders_get_the_sen_that_are_left() -> None:
    assert shared_out([4_000, 9_000, 9_000], [1, 1, 1]) == [0, 1, 1]
    assert shared_out([5_000, 5_000], [1, 1]) == [1, 0]
    assert shared_out([5_000, 5_000], [1, 2]) == [1, 1]


def test_rounding_a_million_positions_neither_loses_nor_makes_a_sen() -> None:
    dice = np.random.default_rng(7)
    amounts = dice.integers(1, 3_000_000, 1_000_000) * np.where(dice.random(1_000_000) < 0.05, -1, 1)
    merchants = dice.integers(0, 40_000, 1_000_000)
    rate = Rate(MerchantClass.UKE, date(2024, 12, 1), 70, fixed=Sen(33), minimum=Sen(101), maximum=Sen(9_999))
    exact = rate.exact_fees(amounts)
    shares = rounding.shared_out(exact, merchants)
    totals = np.zeros(40_000, np.int64)
    np.add.at(totals, merchants, exact)
    kept = np.zeros(40_000, np.int64)
    np.add.at(kept, merchants, shares)
    assert kept.tolist() == [rounded(total) for total in totals.tolist()]
    assert int((amounts - shares).sum()) + int(shares.sum()) == int(amounts.sum())
    assert int(np.abs(exact - shares * 10_000).max()) < 10_000


def test_fees_that_63_bits_cannot_hold_are_refused() -> None:
    with pytest.raises(SumTooLarge, match="close windows more often"):
        shared_out([1 << 61, 1 << 61], [1, 1])


@pytest.mark.parametrize(
    ("sale", "sen"),
    [(1_000, 1_000), (100_000, 1_200), (500_000, 4_000), (900_000, 6_800), (9_000_000, 10_000)],
    ids=[
        "never more than itself",
        "at least the minimum",
        "percent and fixed",
        "the same",
        "at most the maximum",
    ],
)
def test_a_fee_is_percent_and_fixed_within_minimum_and_maximum(sale: int, sen: int) -> None:
    table = read_table(f"{HEAD}\nUKE,2026-01-01,0.7,5,0,12,100\n")
    rate = table.rate(MerchantClass.UKE, TODAY)
    assert rate.exact_fees(np.array([sale, -sale])).tolist() == [sen * 10_000, -sen * 10_000]


def test_the_table_is_data_and_the_rate_of_the_day_is_taken() -> None:
    table = read_table(f"{HEAD}\nUKE,2026-01-01,0.7,,,,\nUKE,2026-11-19,0.5,,,,\n")
    assert [table.rate(MerchantClass.UKE, Day(TODAY + late)).basis_points for late in (0, 1)] == [70, 50]


@pytest.mark.parametrize(
    ("line", "why"),
    [
        ("UKE,2026-01-01,0.701,0,0,0,0", "no amount"),
        ("UKE,2026-01-01,-1,0,0,0,0", "0 to 100 percent"),
        ("UKE,2026-01-01,101,0,0,0,0", "0 to 100 percent"),
        ("UKE,2026-13-01,1,0,0,0,0", "month"),
        ("WHO,2026-01-01,1,0,0,0,0", "WHO"),
        ("UKE,2026-01-01,1,0,0,20,10", "maximum below its minimum"),
        ("UKE,2026-01-01,1,0,0,1e3,0", "no amount"),
    ],
)
def test_a_wrong_line_of_the_table_is_named(line: str, why: str) -> None:
    with pytest.raises(FeeTableInvalid, match=f"line 2: .*{why}"):
        read_table(f"{HEAD}\n{line}\n")


def test_a_table_says_one_thing_for_a_day() -> None:
    with pytest.raises(FeeTableInvalid, match="two rates of one class"):
        FeeTable(
            [Rate(MerchantClass.UKE, date(2026, 1, 1), 70), Rate(MerchantClass.UKE, date(2026, 1, 1), 60)]
        )
    with pytest.raises(FeeTableInvalid, match="the columns of a fee table"):
        read_table("class,percent\n")
