"""Whether two papers can tell a truth apart from another that explains as much: the judge of scenarios that stand in one file.

By what the scenarios know, and nothing that matching reads: whose each line is, and what carries no reference.
"""

from __future__ import annotations

from itertools import combinations
from typing import TYPE_CHECKING, Final, TypeVar

from keys.clock import Day, date_of
from settlement.matching.days import Weekdays, nth_after
from tests.settlement.scenario_bank import FEES, HOLIDAYS

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from settlement.matching.sides import Expected, Told
    from tests.settlement.scenario_bank import Scenario, Truth

_CALENDAR: Final = Weekdays(frozenset(date_of(Day(day)) for day in HOLIDAYS))
_LATE: Final = 3
_MEMBERS: Final = 6
_One = TypeVar("_One")
_Key = tuple[int, str, bool]


class File:
    """All scenarios in one file: what of a party carries its name only, on both sides."""

    def __init__(self, made: Iterable[Scenario]) -> None:
        listed = list(made)
        self._items = {item.reference: item for one in listed for item in one.items}
        self._lines = {told.key.number: told for one in listed for told in one.lines}
        self._parties = {number: party for one in listed for number, party in one.parties.items()}

    def is_told_apart(self, truth: Truth) -> bool:
        """Whether nothing else in the file would be as good: an equal line or item in a member's place, or another sum."""
        items = [self._items[one] for one in sorted(truth.items)]
        lines = [self._lines[one] for one in sorted(truth.lines)]
        if not items or any(not self._is_nameless(told) for told in lines):
            return True
        others_told = [told for told in self._told_of(items[0]) if told.key.number not in truth.lines]
        others = [one for one in self._items_of(lines[0]) if one.reference not in truth.items]
        if any(
            told.amount == twin.amount and _in_time(items[0], twin) for told in lines for twin in others_told
        ):
            return False
        if any(one.amount == twin.amount and _in_time(twin, lines[0]) for one in items for twin in others):
            return False
        return not self._has_other_sum(truth, items, lines)

    def _has_other_sum(self, truth: Truth, items: list[Expected], lines: list[Told]) -> bool:
        if len(lines) == 1:
            near = [one for one in self._items_of(lines[0]) if _in_time(one, lines[0])]
            wanted = {lines[0].amount + fee for fee in (0, *FEES)}
            return any(
                {one.reference for one in some} != truth.items
                for some in _choices(near)
                if sum(one.amount for one in some) in wanted
            )
        told = [one for one in self._told_of(items[0]) if _in_time(items[0], one)]
        return any(
            {one.key.number for one in some} != truth.lines
            for some in _choices(told)
            if sum(one.amount for one in some) == items[0].amount
        )

    def _is_nameless(self, told: Told) -> bool:
        return not told.reference and bool(self._parties.get(told.key.number))

    def _told_of(self, item: Expected) -> list[Told]:
        key = (item.bank, item.name, item.amount > 0)
        return [told for told in self._lines.values() if self._is_nameless(told) and self._key(told) == key]

    def _items_of(self, told: Told) -> list[Expected]:
        return [
            one for one in self._items.values() if (one.bank, one.name, one.amount > 0) == self._key(told)
        ]

    def _key(self, told: Told) -> _Key:
        return told.bank, self._parties[told.key.number], told.amount > 0


def _choices(some: list[_One]) -> Iterator[tuple[_One, ...]]:
    for size in range(1, _MEMBERS + 1):
        yield from combinations(some, size)


def _in_time(item: Expected, told: Told) -> bool:
    return item.window <= told.day <= nth_after(_CALENDAR, Day(item.due), _LATE)
