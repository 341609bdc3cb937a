"""What positions are made of: shares as columns, positions of them, and what each bank pays or gets in the net."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum
from itertools import pairwise
from typing import TYPE_CHECKING, Final, Self

import numpy as np

from keys.money import Sen
from ledger.chart import Code

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from keys.clock import Day
    from ledger.transfer import Kind

    Integers = NDArray[np.int64]


class Purpose(IntEnum):
    """What a position is for."""

    TAPS = 1
    SUBSIDY = 2
    CASH = 3
    OTHERS_CARDS = 4  # cards that an issuer keeps the books of itself: it owes what they paid here


KEYS: Final = ("purpose", "bank", "code", "number", "partition", "source")
"""What tells shares apart, in their order."""
_SUMS: Final = ("gross", "refunds", "exact")
SHARE: Final = np.dtype([(name, "<i8") for name in (*KEYS, *_SUMS, "fee")])
"""A share: what one partition's sub-account holds of a position. Sen; `exact` is the fee before rounding, in ten-thousandths of a sen."""

Shares = np.ndarray[tuple[int], np.dtype[np.void]]
"""An array of SHARE, each key once, in order of the keys."""


def net(shares: Shares) -> Integers:
    """Gross less refunds and fee, of each share."""
    found: Integers = shares["gross"] - shares["refunds"] - shares["fee"]
    return found


@dataclass(frozen=True, slots=True)
class Position:
    """What the cards of one bank's purses, or its accounts, owe to one party for one window; CASH: what the party owes the bank."""

    purpose: Purpose
    bank: int
    code: Code
    number: int
    gross: Sen
    refunds: Sen
    fee: Sen

    @property
    def net(self) -> Sen:
        """Gross less refunds and fee."""
        return Sen(self.gross - self.refunds - self.fee)


@dataclass(frozen=True, slots=True)
class BankNet:
    """One bank in a window's multilateral net: what the others owe it, what it owes them, in sen. The nets of all banks sum to zero."""

    bank: int
    owed: Sen
    owes: Sen

    @property
    def net(self) -> Sen:
        """What it gets; negative where it pays."""
        return Sen(self.owed - self.owes)


@dataclass(frozen=True, slots=True)
class DayLine:
    """Transfers of one kind in a window that belong to one service day; earlier than the window's own they came late."""

    service_day: Day
    kind: Kind
    transfers: int
    amount: Sen


@dataclass(frozen=True, slots=True)
class Sums:
    """All that a window's rows come to: shares, and taps by service day."""

    shares: Shares
    days: tuple[DayLine, ...]

    def positions(self) -> tuple[Position, ...]:
        """The positions, in order of purpose, bank, code and number."""
        return tuple(_positions(self.shares))

    @classmethod
    def nothing(cls) -> Self:
        """A window without rows."""
        return cls(np.zeros(0, SHARE), ())


def starts(shares: Shares, names: tuple[str, ...]) -> list[int]:
    """Where runs of equal values in these columns begin."""
    if not len(shares):
        return []
    change = np.zeros(len(shares), np.bool_)
    change[0] = True
    for name in names:
        change[1:] |= shares[name][1:] != shares[name][:-1]
    return np.flatnonzero(change).tolist()


def _positions(shares: Shares) -> Iterator[Position]:
    begins = starts(shares, KEYS[:4])
    sums = [
        np.add.reduceat(shares[name], begins).tolist() if begins else []
        for name in ("gross", "refunds", "fee")
    ]
    heads = shares[begins]
    names = (heads[name].tolist() for name in KEYS[:4])
    for purpose, bank, code, number, gross, refunds, fee in zip(*names, *sums, strict=True):
        yield Position(Purpose(purpose), bank, Code(code), number, Sen(gross), Sen(refunds), Sen(fee))


def runs(shares: Shares, names: tuple[str, ...]) -> Iterator[slice]:
    """Runs of equal values in these columns, as slices."""
    for first, end in pairwise([*starts(shares, names), len(shares)]):
        yield slice(first, end)
