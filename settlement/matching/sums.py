"""Which of some amounts add up to a wanted one: a bounded search that gives up rather than explode, and never guesses.

A sum is only believed where it is the only one, and where chance would hardly have made it: with many small amounts some sum is
always near, and then a sum proves nothing.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum, auto
from math import comb
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Sequence

STEPS_MAX: Final = 200_000
"""Partial sums that one search looks at; about a tenth of a second."""
OF_ALL: Final = 10
OF_A_RUN: Final = 100
OF_ANY: Final = 1_000
"""A sum is believed where fewer than one in so many would come out by chance: of all amounts, of some that follow each other, of any."""


class Outcome(Enum):
    """What a search ended in."""

    NONE = auto()
    ONE = auto()
    SEVERAL = auto()
    BY_CHANCE = auto()
    TOO_MANY = auto()


@dataclass(frozen=True, slots=True)
class Sum:
    """Positions of the amounts whose sum is the wanted one, and which of the wanted ones it was; empty unless `outcome` is ONE."""

    outcome: Outcome
    chosen: tuple[int, ...] = ()
    wanted: int = 0


def find_sum(amounts: Sequence[int], wanted: Sequence[int], members_max: int, searches: int = 1) -> Sum:
    """The only subset of 2 to `members_max` amounts (all of one sign, in the order of their days) that adds up to one of `wanted`.

    The first of `wanted` is the plain one, the others are it with a fee. Ever more is asked of a sum of all amounts, of some that follow
    each other, and of any others: there are ever more of them that could hit by chance. So are there where one whole is searched for
    in several ways (`searches`).
    SEVERAL where two do, BY_CHANCE where the only one proves nothing, TOO_MANY where the search would take over STEPS_MAX steps.
    """
    search = _Search([abs(amount) for amount in amounts], {abs(one) for one in wanted}, members_max)
    try:
        search.run()
    except _OverError:
        return Sum(Outcome.TOO_MANY)
    if not search.found:
        return Sum(Outcome.NONE)
    if len(search.found) > 1:
        return Sum(Outcome.SEVERAL)
    chosen = search.found[0]
    if len(chosen) == 1:
        return Sum(Outcome.NONE)
    total = sum(search.amounts[at] for at in chosen)
    first = next((abs(one) for one in wanted), 0)
    ways = searches * (1 if total == first else len(search.wanted))
    if _by_chance(search.amounts, chosen, ways, members_max):
        return Sum(Outcome.BY_CHANCE)
    return Sum(Outcome.ONE, chosen, sum(amounts[at] for at in chosen))


class _OverError(Exception):
    """The search is over its bound."""


class _Search:
    """Depth first over amounts from the largest down; stops at the second hit."""

    def __init__(self, amounts: list[int], wanted: set[int], members_max: int) -> None:
        self.amounts = amounts
        self.wanted = wanted
        self.found: list[tuple[int, ...]] = []
        self._order = sorted(range(len(amounts)), key=lambda at: (-amounts[at], at))
        self._members_max = members_max
        self._most, self._least = max(wanted, default=0), min(wanted, default=0)
        self._steps = 0
        sizes = [amounts[at] for at in self._order]
        self._rest = [0] * (len(sizes) + 1)
        for at in range(len(sizes) - 1, -1, -1):
            self._rest[at] = self._rest[at + 1] + sizes[at]

    def run(self) -> None:
        """Fill `found`."""
        self._look(0, 0, ())

    def _look(self, at: int, total: int, chosen: tuple[int, ...]) -> None:
        if chosen and total in self.wanted:
            self.found.append(tuple(sorted(chosen)))
        if len(chosen) == self._members_max:
            return
        for place in range(at, len(self._order)):
            if len(self.found) > 1 or total + self._rest[place] < self._least:
                return
            self._steps += 1
            if self._steps > STEPS_MAX:
                raise _OverError
            position = self._order[place]
            if total + self.amounts[position] <= self._most:
                self._look(place + 1, total + self.amounts[position], (*chosen, position))


def _by_chance(amounts: Sequence[int], chosen: tuple[int, ...], wanted: int, members_max: int) -> bool:
    """Whether sums like this one are so many, against the values that sums can take, that one of them hits by chance."""
    count = len(amounts)
    if len(chosen) == count:
        like, asked = 1, OF_ALL
    elif chosen[-1] - chosen[0] + 1 == len(chosen):
        like, asked = comb(count, 2), OF_A_RUN
    else:
        like, asked = sum(comb(count, size) for size in range(2, members_max + 1)), OF_ANY
    values = (sum(amounts) - min(amounts)) // roundness(amounts)
    return like * wanted * asked > max(values, 1)


def roundness(amounts: Sequence[int]) -> int:
    """The largest power of ten that divides them all: round amounts make round sums."""
    step = 10
    while all(amount % step == 0 for amount in amounts):
        step *= 10
    return step // 10
