"""The ledger's expectations against the banks' statements: every item and every line ends in exactly one place."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import polars as pl

from keys.money import Sen, display
from settlement.breaks.classifying import Known, Paid, classify
from settlement.matching.engine import match
from settlement.matching.kept import NewMatch
from settlement.matching.sides import expected_of, told_of
from settlement.statements.kept import LineKey

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping

    from keys.clock import Day
    from settlement.breaks.model import Break
    from settlement.matching.days import BusinessDays
    from settlement.matching.engine import Found
    from settlement.matching.rules import RuleSet
    from settlement.matching.sides import Expected


@dataclass(frozen=True)
class Reconciliation:
    """Matches, breaks, and items that wait for a statement; `items` and `lines` are the columns that they stand in.

    `matched` + `in_breaks` is the movement of the statements, and `difference` is that movement less what was expected and is not
    waiting.
    """

    items: pl.DataFrame
    lines: pl.DataFrame
    found: Found
    breaks: tuple[Break, ...]
    waiting: tuple[Expected, ...]

    @cached_property
    def matches(self) -> tuple[NewMatch, ...]:
        """The matches one by one, in order of their passes."""
        return tuple(self.each_match())

    @property
    def matched(self) -> Sen:
        """Sum of the lines that matches prove."""
        chosen = self.found.of_lines["l"]
        return Sen(int(self.lines["amount"].gather(chosen).sum() or 0))

    @property
    def in_breaks(self) -> Sen:
        """Sum of the lines that stand in breaks."""
        return Sen(sum(found.line.amount for found in self.breaks if found.line))

    @property
    def difference(self) -> Sen:
        """Sum of the breaks' differences, and of those that matches tolerate."""
        return Sen(
            sum(found.difference for found in self.breaks) + sum(one.difference for one in self.matches)
        )

    def each_match(self) -> Iterator[NewMatch]:
        """The same without keeping them: a night may have a million."""
        of_items: dict[int, list[int]] = defaultdict(list)
        of_lines: dict[int, list[int]] = defaultdict(list)
        references, amounts = self.items["reference"].to_list(), self.items["amount"].to_list()
        banks = self.items["bank"].to_list()
        digests, places, numbers, sums, at = (
            self.lines[name].to_list() for name in ("sha256", "statement", "number", "amount", "bank")
        )
        for m, i in self.found.of_items.select("m", "i").iter_rows():
            of_items[m].append(i)
        for m, line in self.found.of_lines.select("m", "l").iter_rows():
            of_lines[m].append(line)
        named = pl.concat(
            [
                self.found.of_items.select("m", "rule", "confidence"),
                self.found.of_lines.select("m", "rule", "confidence"),
            ]
        )
        for m, rule, confidence in named.unique("m").sort("m").iter_rows():
            mine, told = of_items[m], of_lines[m]
            off = Sen(sum(sums[line] for line in told) - sum(amounts[i] for i in mine))
            keys = tuple(LineKey(digests[line], places[line], numbers[line]) for line in told)
            yield NewMatch(
                at[told[0]] if told else banks[mine[0]], tuple(references[i] for i in mine), keys, rule, confidence, off,
                f"the bank shows {display(off)} more than was expected" if off else "",
            )  # fmt: skip


def reconcile(
    items: pl.DataFrame,
    lines: pl.DataFrame,
    rules: RuleSet,
    calendar: BusinessDays,
    covered: Mapping[int, Day],
    refused: Collection[tuple[str, str]] = (),
    paid: Paid = lambda _: {},
) -> Reconciliation:
    """Match what is open, from columns, and say what is left; see `breaks.classifying.Known` for `covered` and `paid`."""
    found = match(items, lines, rules, calendar, refused)
    left_items, left_lines = _unmatched(items, found.of_items, "i"), _unmatched(lines, found.of_lines, "l")
    expected, told = expected_of(left_items), told_of(left_lines)
    unclear_items = {
        one.reference: found.unclear_items[at]
        for at, one in zip(left_items["i"].to_list(), expected, strict=True)
        if at in found.unclear_items
    }
    unclear_lines = {
        one.key: found.unclear_lines[at]
        for at, one in zip(left_lines["l"].to_list(), told, strict=True)
        if at in found.unclear_lines
    }
    left = classify(expected, told, Known(covered, unclear_items, unclear_lines, paid))
    return Reconciliation(items, lines, found, left.breaks, left.waiting)


def _unmatched(frame: pl.DataFrame, matched: pl.DataFrame, place: str) -> pl.DataFrame:
    """The rows that no match names, each with its place."""
    return frame.with_row_index(place).join(
        matched.select(place), on=place, how="anti", maintain_order="left"
    )
