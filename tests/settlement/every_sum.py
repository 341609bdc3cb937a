"""Sums as a plain program finds them: every subset looked at, every way to part two sides. Beside the oracle of matching."""

from __future__ import annotations

from itertools import combinations
from math import comb
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from settlement.matching.rules import Pass
    from settlement.matching.sides import Expected, Told

WEEKEND = {2, 3}  # day 0 of the epoch was a Thursday


def is_open(day: int) -> bool:
    return day % 7 not in WEEKEND


def business_days(first: int, last: int) -> int:
    return sum(is_open(day) for day in range(first + 1, last + 1))


def last_day(due: int, late: int) -> int:
    day = due
    while late:
        day += 1
        late -= is_open(day)
    return day


def ways(
    items: list[Expected], lines: list[Told], rule: Pass, refused: set[tuple[str, int]]
) -> Iterator[frozenset[tuple[frozenset[str], frozenset[int]]]]:
    """All ways to part two sides into one for one, several for one, one for several, each with one sum and in time."""
    if not items or not lines:
        if not items and not lines:
            yield frozenset()
        return
    first, *others = items
    for size, many in ((a, b) for a in range(rule.members_max) for b in range(1, rule.members_max + 1)):
        if size and many > 1:
            continue
        for mine in combinations(others, size):
            for told in combinations(lines, many):
                if is_block((first, *mine), told, rule, refused):
                    block = (
                        frozenset(one.reference for one in (first, *mine)),
                        frozenset(one.key.number for one in told),
                    )
                    left = [one for one in others if one not in mine]
                    for way in ways(left, [one for one in lines if one not in told], rule, refused):
                        yield way | {block}


def is_block(
    items: tuple[Expected, ...], lines: tuple[Told, ...], rule: Pass, refused: set[tuple[str, int]]
) -> bool:
    return sum(one.amount for one in items) == sum(one.amount for one in lines) and all(
        item.window <= line.day <= last_day(item.due, rule.days_late)
        and (item.reference, line.key.number) not in refused
        for item in items
        for line in lines
    )


def only(
    sizes: list[int], sums: list[tuple[int, ...]], wanted: tuple[int, int], rule: Pass
) -> tuple[int, ...]:
    """The only sum of several, where it is no chance."""
    one = sums[0] if len(sums) == 1 else ()
    return () if len(one) < 2 or by_chance(sizes, one, *wanted, rule) else one


def stands_for(item: Expected, told: Told, rule: Pass) -> bool:
    """Whether a line could be the item alone."""
    in_time = item.window <= told.day <= last_day(item.due, rule.days_late)
    return in_time and (item.bank, item.amount) == (told.bank, told.amount)


def sums(sizes: list[int], wanted: set[int], rule: Pass) -> list[tuple[int, ...]]:
    """Whatever adds up, one alone included: it is a rival of a sum."""
    return [
        chosen
        for size in range(1, rule.members_max + 1)
        for chosen in combinations(range(len(sizes)), size)
        if sum(sizes[at] for at in chosen) in wanted
    ]


def by_chance(
    sizes: list[int], chosen: tuple[int, ...], plain: int, wanted: int, rule: Pass, searches: int = 1
) -> bool:
    whole = [abs(one) for one in sizes]
    zeros = min(len(str(one)) - len(str(one).rstrip("0")) for one in whole)
    values: int = (sum(whole) - min(whole)) // int(10**zeros)
    ways = searches * (1 if sum(sizes[at] for at in chosen) == plain else wanted)
    if len(chosen) == len(sizes):
        return ways * 10 > max(1, values)
    if list(chosen) == list(range(chosen[0], chosen[-1] + 1)):
        return ways * 100 * comb(len(sizes), 2) > max(1, values)
    subsets = sum(comb(len(whole), size) for size in range(2, rule.members_max + 1))
    return subsets * ways * 1000 > max(1, values)


def amounts(item: Expected, rule: Pass) -> set[int]:
    """What a line may show for an item."""
    near: set[int] = {item.amount}
    for whole in (item.amount // 100 * 100, -(-item.amount // 100) * 100):
        if abs(whole - item.amount) <= rule.rounding:
            near.add(whole)
    return {one - fee for one in near for fee in (0, *rule.fees)} - {0}


def is_sum(expected: int, shown: int, members: int, rule: Pass) -> bool:
    return any(expected - fee == shown for one in (0, *rule.fees) for fee in (one, one * members))
