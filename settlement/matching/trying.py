"""A dry run: what other rules would have made of a past month, beside what was made. Writes nothing.

What people made by hand, accepted or adjusted stays as it is and takes no part: rules never overrule people.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING

import polars as pl

from settlement.matching.engine import match
from settlement.matching.kept import OF_PEOPLE
from settlement.statements.kept import LineKey

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Sequence

    from settlement.matching.days import BusinessDays
    from settlement.matching.kept import KeptMatch
    from settlement.matching.rules import RuleSet


@dataclass(frozen=True, slots=True)
class Would:
    """A match that a dry run found, or one that is kept (`number` is its number then, else 0)."""

    items: tuple[str, ...]
    lines: tuple[LineKey, ...]
    rule: str
    confidence: int
    number: int = 0


@dataclass(frozen=True, slots=True)
class Changes:
    """What would change. `different` are pairs (kept, would) that share an item or line but not all of them, or the rule."""

    won: tuple[Would, ...]
    lost: tuple[Would, ...]
    different: tuple[tuple[Would, Would], ...]
    same: int
    by_rule: tuple[tuple[str, int], ...]


def compare(
    items: pl.DataFrame,
    lines: pl.DataFrame,
    kept: Sequence[KeptMatch],
    rules: RuleSet,
    calendar: BusinessDays,
    refused: Collection[tuple[str, str]],
) -> Changes:
    """Match items and lines with `rules` as if no rule had matched them, and compare with the matches that hold."""
    of_people = [one for one in kept if one.rule in OF_PEOPLE]
    items, lines = _without(items, lines, of_people)
    would = _found(items, lines, rules, calendar, refused)
    had = [
        Would(one.items, one.lines, one.rule, one.confidence, one.number)
        for one in kept
        if one.rule not in OF_PEOPLE
    ]
    known = {(one.items, one.lines, one.rule) for one in would}
    before = {(one.items, one.lines, one.rule) for one in had}
    new = [one for one in would if (one.items, one.lines, one.rule) not in before]
    old = [one for one in had if (one.items, one.lines, one.rule) not in known]
    different = _sharing(old, new)
    changed = {one for pair in different for one in pair}
    return Changes(
        tuple(one for one in new if one not in changed),
        tuple(one for one in old if one not in changed),
        tuple(different),
        len(before & known),
        tuple(sorted(Counter(one.rule for one in would).items())),
    )


def _without(
    items: pl.DataFrame, lines: pl.DataFrame, of_people: Iterable[KeptMatch]
) -> tuple[pl.DataFrame, pl.DataFrame]:
    references: set[str] = set()
    keys: set[LineKey] = set()
    for one in of_people:
        references.update(one.items)
        keys.update(one.lines)
    proven = pl.DataFrame({"reference": sorted(references)}, {"reference": pl.String})
    schema = {"sha256": pl.String, "statement": pl.Int32, "number": pl.Int32}
    used = pl.DataFrame([tuple(key) for key in sorted(keys)], schema, orient="row")
    return items.join(proven, on="reference", how="anti"), lines.join(used, on=list(schema), how="anti")


def _found(
    items: pl.DataFrame,
    lines: pl.DataFrame,
    rules: RuleSet,
    calendar: BusinessDays,
    refused: Collection[tuple[str, str]],
) -> list[Would]:
    found = match(items, lines, rules, calendar, refused)
    references = items["reference"].to_list()
    keys = [LineKey(*row) for row in lines.select("sha256", "statement", "number").iter_rows()]
    of_items, of_lines, rule_of = defaultdict(list), defaultdict(list), {}
    for m, rule, confidence, i in found.of_items.iter_rows():
        of_items[m].append(references[i])
        rule_of[m] = (rule, confidence)
    for m, rule, confidence, line in found.of_lines.iter_rows():
        of_lines[m].append(keys[line])
        rule_of[m] = (rule, confidence)
    return [
        Would(tuple(sorted(of_items.get(m, ()))), tuple(sorted(of_lines.get(m, ()))), rule, confidence)
        for m, (rule, confidence) in sorted(rule_of.items())
    ]


def _sharing(old: Sequence[Would], new: Sequence[Would]) -> list[tuple[Would, Would]]:
    """Pairs that have an item or a line in common."""
    by_member: dict[str | LineKey, Would] = {}
    for one in new:
        by_member |= dict.fromkeys((*one.items, *one.lines), one)
    pairs = []
    for one in old:
        shared = [by_member[member] for member in (*one.items, *one.lines) if member in by_member]
        pairs += [(one, other) for other in dict.fromkeys(shared)]
    return pairs
