"""Fees to whole sen: rounded once for each merchant and window, and shared out by largest remainder, so that no sen is lost or made."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from settlement.errors import SumTooLarge
from settlement.fees import BASIS_POINTS

if TYPE_CHECKING:
    from settlement.positions.model import Integers

_HALF = 1 << 62


def rounded(exact: Integers) -> Integers:
    """Ten-thousandths of a sen as whole sen, half up; half down below zero, so that a refund mirrors its sale."""
    whole, rest = np.divmod(np.abs(exact), BASIS_POINTS)
    sen: Integers = whole + (2 * rest >= BASIS_POINTS)
    return np.where(exact < 0, -sen, sen)


def shared_out(exact: Integers, groups: Integers) -> Integers:
    """Fees in whole sen for exact ones: each group's add up to its rounded total.

    Each place gets its exact fee rounded down or up; of equal remainders the first place is served first. Raises SumTooLarge where a
    group's sum would not fit 63 bits.
    """
    if not len(exact):
        return np.zeros(0, np.int64)
    if int(np.abs(exact).max()) * len(exact) >= _HALF:
        raise SumTooLarge("fees of one window come to more than the books can hold: close windows more often")
    shares, rest = np.divmod(exact, BASIS_POINTS)
    order = np.lexsort((np.arange(len(exact)), -rest, groups))
    begins = np.flatnonzero(np.concatenate([[True], np.diff(groups[order]) != 0]))
    lengths = np.diff(np.append(begins, len(exact)))
    totals = rounded(np.add.reduceat(exact[order], begins))
    left = totals - np.add.reduceat(shares[order], begins)
    rank = np.arange(len(exact)) - np.repeat(begins, lengths)
    shares[order] += rank < np.repeat(left, lengths)
    return shares
