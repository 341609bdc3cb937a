"""Merchant discount: a dated table of rates, exact fees, one rounding, and its sharing out over partitions.

A fee is a whole number of ten-thousandths of a sen until it is rounded: sen times basis points. Rates are QRIS's (FACTS).
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING

import numpy as np

from keys.clock import Day, day_of
from keys.money import Rupiah, Sen, sen_of
from settlement.errors import FeeUnknown
from settlement.participants import MerchantClass

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from numpy.typing import NDArray

BASIS_POINTS = 10_000
"""Basis points in one: 0.3 percent is 30."""
_NOTHING = Sen(0)


@dataclass(frozen=True, slots=True)
class Rate:
    """From a day on, a class pays `basis_points` of each transaction above `free_up_to`, and nothing up to it."""

    merchant_class: MerchantClass
    valid_from: date
    basis_points: int
    free_up_to: Sen = _NOTHING

    def exact_fees(self, amounts: NDArray[np.int64]) -> NDArray[np.int64]:
        """Fees of transactions in ten-thousandths of a sen; a refund (negative amount) gives back what its sale cost."""
        return np.where(np.abs(amounts) > self.free_up_to, amounts * self.basis_points, 0)


class FeeTable:
    """Rates by class and day; a later entry of a class replaces the earlier from its first day on."""

    def __init__(self, rates: Iterable[Rate]) -> None:
        self._rates = sorted(rates, key=lambda rate: rate.valid_from, reverse=True)

    def rate(self, merchant_class: MerchantClass, day: Day) -> Rate:
        """The rate of a class on a day; raises FeeUnknown before the class's first entry."""
        for rate in self._rates:
            if rate.merchant_class is merchant_class and day_of(rate.valid_from) <= day:
                return rate
        raise FeeUnknown(
            f"the fee table has no rate for {merchant_class} on day {day}: add the one in force then"
        )


def qris_rates() -> FeeTable:
    """The table of FACTS: rates as read for 2024-12-01, and the changes since."""
    start, waived = date(2024, 12, 1), date(2025, 3, 14)
    flat = {
        MerchantClass.UKE: 70,
        MerchantClass.UME: 70,
        MerchantClass.UBE: 70,
        MerchantClass.EDU: 60,
        MerchantClass.FUEL: 40,
        MerchantClass.BLU: 40,
        MerchantClass.PSO: 40,
        MerchantClass.GOV: 0,
    }
    return FeeTable(
        [
            Rate(MerchantClass.UMI, start, 30, free_up_to=sen_of(Rupiah(500_000))),
            *(Rate(merchant_class, start, points) for merchant_class, points in flat.items()),
            Rate(MerchantClass.BLU, waived, 0),
            Rate(MerchantClass.PSO, waived, 0),
        ]
    )


def rounded(exact: int) -> Sen:
    """Ten-thousandths of a sen as whole sen, half up; half down below zero, so that a refund mirrors its sale."""
    sen = (2 * abs(exact) + BASIS_POINTS) // (2 * BASIS_POINTS)
    return Sen(sen if exact >= 0 else -sen)


def allocated(exact: Sequence[int]) -> list[Sen]:
    """Share the rounded total of exact fees out over their places, by largest remainder: no sen is lost or made.

    Each place gets its exact fee rounded down or up; of equal remainders the first place is served first.
    """
    shares = [fee // BASIS_POINTS for fee in exact]
    left = rounded(sum(exact)) - sum(shares)
    by_remainder = sorted(range(len(exact)), key=lambda place: -(exact[place] % BASIS_POINTS))
    for place in by_remainder[:left]:
        shares[place] += 1
    return [Sen(share) for share in shares]
