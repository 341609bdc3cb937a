"""Merchant classes of QRIS, as codes name them; their discount rates are dated data of settlement (`settlement/data/fees.csv`)."""

from __future__ import annotations

from enum import StrEnum
from typing import Final


class MerchantClass(StrEnum):
    """QRIS merchant classes, which decide the discount rate."""

    UMI = "UMI"  # micro
    UKE = "UKE"  # small
    UME = "UME"  # medium
    UBE = "UBE"  # large
    EDU = "EDU"  # education
    FUEL = "FUEL"
    BLU = "BLU"  # public service agency
    PSO = "PSO"  # public service obligation
    GOV = "GOV"  # government


OLDER: Final = {"URE": MerchantClass.UBE}
"""Classes of codes that were printed before there were medium and large ones: "regular"."""


def class_of(code: str) -> MerchantClass | None:
    """The class that a code names, older names too; None for one that is not known."""
    try:
        return OLDER.get(code) or MerchantClass(code)
    except ValueError:
        return None
