"""The pass over all that is left of a party at one bank: where it balances, what belongs together in every way that explains all of it.

A sum that could be made in two ways, or an amount that chance could have made equal, proves nothing alone. That *everything* of a party is
explained, to the sen and in time, does; and where there are several ways, so does what they have in common.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

import polars as pl

from settlement.matching.days import with_last_day
from settlement.matching.groups import Group, Grouped, without_rivals
from settlement.matching.sums import OF_A_RUN, roundness

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from settlement.matching.passes import Open
    from settlement.matching.rules import Pass

STEPS_MAX: Final = 50_000
"""Partial sums that are looked at for one party; a few hundredths of a second."""


@dataclass(frozen=True, slots=True)
class One:
    """An item or a line: its position, its size in sen (the direction is common to all), and the days on which it may stand."""

    number: int
    size: int
    first: int
    last: int


Block = tuple[frozenset[int], frozenset[int]]
"""Positions of items and of lines that have one sum."""


def balance(at: Open, rule: Pass) -> Grouped:
    """Of each party, bank and direction that balances: the matches that all ways to explain it have."""
    refused = frozenset(at.refused.iter_rows())
    found: list[Group] = []
    for items, lines in _balanced(at, rule):
        if _values(items, lines) < OF_A_RUN:
            continue
        ways = Ways(items, lines, rule.members_max, refused)
        found += [
            Group(tuple(sorted(mine)), tuple(sorted(told)))
            for mine, told in sorted(ways.common(), key=_first)
        ]
    return without_rivals(found, at)


def _first(block: Block) -> int:
    return min(block[0])


def _values(items: Sequence[One], lines: Sequence[One]) -> int:
    """How many totals there could be, of amounts so round: few totals balance by chance."""
    return sum(one.size for one in lines) // roundness([one.size for one in (*items, *lines)])


def _balanced(at: Open, rule: Pass) -> Iterator[tuple[list[One], list[One]]]:
    """Items and lines of each party that balance, at most `candidates_max` on a side."""
    keys = ("bank", "party_key", "way")
    way = pl.col("amount").sign().alias("way")
    items = with_last_day(at.unclaimed_by_name, at.calendar, rule.days_late).with_columns(way)
    lines = at.anonymous.filter(pl.col("part") == "").with_columns(way)
    sums = [
        side.group_by(keys).agg(pl.len().alias("count"), pl.col("amount").sum()) for side in (items, lines)
    ]
    few = [one.filter(pl.col("count") <= rule.candidates_max).drop("count") for one in sums]
    alike = few[0].join(few[1], on=[*keys, "amount"], how="semi")
    mine = items.join(alike, on=keys, how="semi").sort("i").partition_by(keys, as_dict=True)
    told = lines.join(alike, on=keys, how="semi").sort("l").partition_by(keys, as_dict=True)
    for key in sorted(mine):
        yield (
            [
                One(i, abs(size), first, last)
                for i, size, first, last in mine[key].select("i", "amount", "window", "last").iter_rows()
            ],
            [
                One(n, abs(size), day, day)
                for n, size, day in told[key].select("l", "amount", "day").iter_rows()
            ],
        )


class _OverError(Exception):
    """The search is over its bound."""


@dataclass(slots=True)
class Ways:
    """All ways to explain every item and every line, each as one for one, several for one, or one for several."""

    items: Sequence[One]
    lines: Sequence[One]
    members_max: int
    refused: frozenset[tuple[int, int]] = frozenset()
    _common: set[Block] | None = None
    _steps: int = 0
    _way: list[Block] = field(default_factory=list)

    def common(self) -> set[Block]:
        """What every way has; nothing where there is no way, or the search would take over STEPS_MAX steps."""
        try:
            self._explain(_largest_first(self.items), _largest_first(self.lines))
        except _OverError:
            return set()
        return self._common or set()

    def _explain(self, items: tuple[One, ...], lines: tuple[One, ...]) -> None:
        """Whatever is largest is a whole: the others are too small to have it among their parts."""
        if not items and not lines:
            way = set(self._way)
            self._common = way if self._common is None else self._common & way
        if not items or not lines or self._common == set():
            return
        of_line = lines[0].size >= items[0].size
        whole, *rest = lines if of_line else items
        for parts in self._parts(whole, items if of_line else lines, whole.size, self.members_max):
            numbers = frozenset(one.number for one in parts)
            block = (numbers, frozenset([whole.number])) if of_line else (frozenset([whole.number]), numbers)
            if not self.refused.isdisjoint((i, line) for i in block[0] for line in block[1]):
                continue
            left = tuple(one for one in (items if of_line else lines) if one.number not in numbers)
            self._way.append(block)
            self._explain(*((left, tuple(rest)) if of_line else (tuple(rest), left)))
            self._way.pop()

    def _parts(self, whole: One, among: tuple[One, ...], wanted: int, most: int) -> Iterator[tuple[One, ...]]:
        """Each choice of at most so many that adds up, all of them in time."""
        for place, one in enumerate(among):
            self._steps += 1
            if self._steps > STEPS_MAX:
                raise _OverError
            if one.size > wanted or not (one.first <= whole.last and whole.first <= one.last):
                continue
            if one.size == wanted:
                yield (one,)
            elif most > 1:
                for others in self._parts(whole, among[place + 1 :], wanted - one.size, most - 1):
                    yield (one, *others)


def _largest_first(some: Sequence[One]) -> tuple[One, ...]:
    return tuple(sorted(some, key=lambda one: (-one.size, one.number)))
