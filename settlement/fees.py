"""Merchant discount: a dated table of rates by class, and the exact fee of each transaction.

A fee is a whole number of ten-thousandths of a sen until it is rounded (`settlement.positions.rounding`): sen times basis points. The
table is data (CSV). The one that is shipped has QRIS's rates as Bank Indonesia set them: UMI free to Rp500,000 from 2024-12-01, else 0.3
percent; 0.7 for UKE, UME and UBE; 0.6 for education; 0.4 for fuel, BLU and PSO. That BLU and PSO pay nothing from 2025-03-14 is from memory:
an operator should check it.
"""

from __future__ import annotations

import csv
import io
from dataclasses import dataclass
from datetime import date
from importlib.resources import files
from typing import TYPE_CHECKING, Final

import numpy as np

from keys.clock import Day, day_of
from keys.errors import MoneyError
from keys.money import Sen, parse
from settlement.errors import FeeTableInvalid, FeeUnknown
from settlement.participants import MerchantClass

if TYPE_CHECKING:
    from collections.abc import Iterable

    from numpy.typing import NDArray

    Integers = NDArray[np.int64]

BASIS_POINTS: Final = 10_000
"""Basis points in one: 0.3 percent is 30."""
COLUMNS: Final = ("class", "valid_from", "percent", "fixed", "free_up_to", "minimum", "maximum")
ROWS_MAX: Final = 10_000
AMOUNT_MAX: Final = Sen(1_000_000_000_00)
"""No fixed fee, minimum or maximum is over this."""
_NOTHING = Sen(0)


@dataclass(frozen=True, slots=True)
class Rate:
    """From a day on, what a class pays for each transaction above `free_up_to`: a share and a fixed sum, within minimum and maximum (0: none).

    Amounts are sen.
    """

    merchant_class: MerchantClass
    valid_from: date
    basis_points: int
    free_up_to: Sen = _NOTHING
    fixed: Sen = _NOTHING
    minimum: Sen = _NOTHING
    maximum: Sen = _NOTHING

    def __post_init__(self) -> None:
        """Raises FeeTableInvalid."""
        sums = (self.fixed, self.minimum, self.maximum)
        if not 0 <= self.basis_points <= BASIS_POINTS or not all(0 <= one <= AMOUNT_MAX for one in sums):
            raise FeeTableInvalid(
                f"the rate of {self.merchant_class} from {self.valid_from}: 0 to 100 percent, sums up to Rp1.000.000.000"
            )
        if 0 < self.maximum < self.minimum:
            raise FeeTableInvalid(
                f"the rate of {self.merchant_class} from {self.valid_from} has a maximum below its minimum"
            )

    @property
    def terms(self) -> tuple[int, int, int, int, int]:
        """As `exact_fees` takes them."""
        return self.basis_points, self.free_up_to, self.fixed, self.minimum, self.maximum

    def exact_fees(self, amounts: Integers) -> Integers:
        """Fees of transactions in ten-thousandths of a sen; a refund (negative amount) gives back what its sale cost."""
        return exact_fees(amounts, np.array([self.terms], np.int64).repeat(len(amounts), axis=0))


def exact_fees(amounts: Integers, terms: Integers) -> Integers:
    """The same for transactions of many rates: `terms` (n, 5) says each one's `Rate.terms`."""
    points, free, fixed, least, most = terms.T
    size = np.abs(amounts)
    fees = np.maximum(size * points + fixed * BASIS_POINTS, least * BASIS_POINTS)
    fees = np.where(most > 0, np.minimum(fees, most * BASIS_POINTS), fees)
    fees = np.where(size > free, np.minimum(fees, size * BASIS_POINTS), 0)  # nothing costs more than itself
    return np.where(amounts < 0, -fees, fees)


class FeeTable:
    """Rates by class and day; a later entry of a class replaces the earlier from its first day on."""

    def __init__(self, rates: Iterable[Rate]) -> None:
        self.rates = tuple(sorted(rates, key=lambda rate: rate.valid_from, reverse=True))
        seen = {(rate.merchant_class, rate.valid_from) for rate in self.rates}
        if len(seen) < len(self.rates):
            raise FeeTableInvalid(
                "the fee table has two rates of one class from one day: leave one of them out"
            )

    def rate(self, merchant_class: MerchantClass, day: Day) -> Rate:
        """The rate of a class on a day; raises FeeUnknown before the class's first entry."""
        for rate in self.rates:
            if rate.merchant_class is merchant_class and day_of(rate.valid_from) <= day:
                return rate
        raise FeeUnknown(
            f"the fee table has no rate for {merchant_class} on day {day}: add the one in force then"
        )


def qris_rates() -> FeeTable:
    """The table that is shipped: rates as read for 2024-12-01, and the changes since."""
    return read_table(files("settlement").joinpath("data", "fees.csv").read_text(encoding="utf-8"))


def read_table(text: str) -> FeeTable:
    """A fee table from CSV with the columns COLUMNS: percent, and rupiah with up to two decimals; empty is 0.

    Raises FeeTableInvalid, naming the line.
    """
    lines = csv.DictReader(io.StringIO(text), strict=True)
    try:
        rates = [_rate(line) for line in _headed(lines)]
    except (ValueError, KeyError, csv.Error, MoneyError, FeeTableInvalid) as error:
        raise FeeTableInvalid(f"line {lines.line_num}: {str(error)[:200]}") from None
    if len(rates) > ROWS_MAX:
        raise FeeTableInvalid(f"a fee table of {len(rates)} rates: {ROWS_MAX} are allowed")
    return FeeTable(rates)


def _headed(lines: csv.DictReader[str]) -> csv.DictReader[str]:
    if tuple(lines.fieldnames or ()) != COLUMNS:
        raise FeeTableInvalid(f"the columns of a fee table are {','.join(COLUMNS)}")
    return lines


def _rate(line: dict[str, str | None]) -> Rate:
    points, *sums = (
        parse(line[name] or "0") for name in ("percent", "free_up_to", "fixed", "minimum", "maximum")
    )
    return Rate(
        MerchantClass(line["class"] or ""), date.fromisoformat(line["valid_from"] or ""), int(points), *sums
    )  # fmt: skip
