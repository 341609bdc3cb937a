"""Merchant discount: the table's dates, exact fees, one rounding, and no sen lost when it is shared out."""

from __future__ import annotations

from datetime import date
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from keys.clock import day_of
from keys.money import Rupiah, Sen, sen_of
from settlement.errors import FeeUnknown
from settlement.fees import allocated, qris_rates, rounded
from settlement.participants import MerchantClass

TODAY = day_of(date(2026, 11, 18))
EXACT = st.integers(min_value=-(10**18), max_value=10**18)


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


@given(st.lists(EXACT, max_size=64))
def test_shares_add_up_to_the_rounded_total_and_stay_within_a_sen_of_the_exact_fee(exact: list[int]) -> None:
    shares = allocated(exact)
    assert sum(shares) == rounded(sum(exact))
    assert all(abs(Fraction(fee, 10_000) - share) < 1 for fee, share in zip(exact, shares, strict=True))


def test_the_largest_remainders_get_the_sen_that_are_left() -> None:
    assert allocated([4_000, 9_000, 9_000]) == [0, 1, 1]
    assert allocated([5_000, 5_000]) == [1, 0]
