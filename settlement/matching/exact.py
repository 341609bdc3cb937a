"""Exact matching, pure: expected items against statement lines, in two named passes.

1. *reference and amount*: one open item and one line at the same bank share both.
2. *amount and date*: the item is the only one that the line's amount and value date fit, and the line the only one that fits
   the item. Lines that carry a reference of ours, and items whose reference some line carries, are left to pass 1 and to the breaks.

Where a second candidate exists nothing is matched: ambiguous is for people to decide. Lines told twice take no part.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, TypeVar

from keys.clock import day_of
from settlement.items import REFERENCE_PREFIX

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Iterable, Sequence

    from settlement.items import Item
    from settlement.statements.kept import BankLine


_Thing = TypeVar("_Thing")


class Rule(StrEnum):
    """Which pass made a match."""

    REFERENCE_AND_AMOUNT = "reference and amount"
    AMOUNT_AND_DATE = "amount and date"


@dataclass(frozen=True, slots=True)
class Match:
    """One item, proven by one line, and the rule that says so."""

    item: Item
    line: BankLine
    rule: Rule


def match(items: Sequence[Item], lines: Sequence[BankLine]) -> list[Match]:
    """All matches, pass by pass, in order of the items."""
    fresh = [line for line in lines if not line.repeated]
    found = _by_reference(items, fresh)
    done_items = {match.item.reference for match in found}
    done_lines = {match.line.key for match in found}
    open_items = [item for item in items if item.reference not in done_items]
    open_lines = [line for line in fresh if line.key not in done_lines]
    return found + _by_date(open_items, open_lines)


def _by_reference(items: Sequence[Item], lines: Sequence[BankLine]) -> list[Match]:
    items_by = _grouped(items, lambda item: (item.bank, item.reference, item.amount))
    lines_by = _grouped(lines, lambda line: (line.bank, line.reference, line.line.amount))
    return [
        Match(group[0], lines_by[key][0], Rule.REFERENCE_AND_AMOUNT)
        for key, group in items_by.items()
        if len(group) == 1 and len(lines_by.get(key, ())) == 1
    ]


def _by_date(items: Sequence[Item], lines: Sequence[BankLine]) -> list[Match]:
    candidates = date_candidates(items, lines)
    rivals: dict[Hashable, int] = defaultdict(int)
    for found in candidates.values():
        for line in found:
            rivals[line.key] += 1
    return [
        Match(item, candidates[item.reference][0], Rule.AMOUNT_AND_DATE)
        for item in items
        if len(candidates[item.reference]) == 1 and rivals[candidates[item.reference][0].key] == 1
    ]


def date_candidates(items: Sequence[Item], lines: Sequence[BankLine]) -> dict[str, list[BankLine]]:
    """For each item's reference the lines that pass 2 may take: same bank and amount, value date from window to due day."""
    claimed = {line.reference for line in lines}
    anonymous = [
        line for line in lines if not line.reference.startswith(REFERENCE_PREFIX) and not line.repeated
    ]
    by_amount = _grouped(anonymous, lambda line: (line.bank, line.line.amount))
    return {
        item.reference: []
        if item.reference in claimed
        else [line for line in by_amount.get((item.bank, item.amount), ()) if _in_time(item, line)]
        for item in items
    }


def _in_time(item: Item, line: BankLine) -> bool:
    return item.window <= day_of(line.line.value_date) <= item.due


def _grouped(things: Iterable[_Thing], key: Callable[[_Thing], Hashable]) -> dict[Hashable, list[_Thing]]:
    groups: dict[Hashable, list[_Thing]] = defaultdict(list)
    for thing in things:
        groups[key(thing)].append(thing)
    return groups
