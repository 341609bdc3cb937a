"""Matching, pure: expected items against statement lines, pass by pass in the order of a set of rules.

What a pass matches is taken out; what has more than one equally good candidate on either side is ambiguous, is matched by nobody, and
takes no part in later passes: they know less, not more. Only the passes by part of a reference let others go on, whose evidence is other,
and the one over all that is left of a party comes back to it.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import repeat
from typing import TYPE_CHECKING, Final

import polars as pl

from settlement.matching import balancing, batches, groups, passes, reversing
from settlement.matching.passes import Open
from settlement.matching.rules import By

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping

    from settlement.matching.days import BusinessDays
    from settlement.matching.groups import Grouped
    from settlement.matching.joining import Met
    from settlement.matching.rules import Pass, RuleSet

MEMBERS: Final = pl.Schema({"m": pl.UInt32, "rule": pl.String, "confidence": pl.Int32})
_INDEX: Final = {"i": pl.UInt32, "l": pl.UInt32}


@dataclass(frozen=True, slots=True)
class Found:
    """What a run found, by positions (`i`, `l`) of the items and lines that it was given.

    `of_items` is (m, rule, confidence, i), `of_lines` (m, rule, confidence, l): the members of match `m`. `unclear_items` and
    `unclear_lines` name the pass in which each had more than one candidate.
    """

    of_items: pl.DataFrame
    of_lines: pl.DataFrame
    unclear_items: Mapping[int, str]
    unclear_lines: Mapping[int, str]

    @property
    def count(self) -> int:
        """How many matches there are."""
        return int(pl.concat([self.of_items["m"], self.of_lines["m"]]).n_unique())


def match(
    items: pl.DataFrame,
    lines: pl.DataFrame,
    rules: RuleSet,
    calendar: BusinessDays,
    refused: Collection[tuple[str, str]] = (),
) -> Found:
    """All matches between raw columns (`columns.ITEMS`, `columns.LINES`). `refused` are pairs that people said no to, as text.

    The order of rows decides nothing but the numbers of matches.
    """
    at = Open.of(items, lines, calendar)
    at.refused, at.refused_lines = refused_pairs(items, lines, refused)
    run = _Run(at)
    for rule in rules.passes:
        run.take(rule)
    return run.found()


class _Run:
    """A run under way: what is open, what was found."""

    def __init__(self, at: Open) -> None:
        self._all = replace(at)
        self._at = at
        self._count = 0
        self._of_items: list[pl.DataFrame] = []
        self._of_lines: list[pl.DataFrame] = []
        self._unclear_items: dict[int, str] = {}
        self._unclear_lines: dict[int, str] = {}
        self._taken_back: list[pl.Series] = []

    def take(self, rule: Pass) -> None:
        """Run one pass."""
        if rule.by in _PAIRING:
            self._pairs(_PAIRING[rule.by](self._at, rule), rule)
        elif rule.by in _REVERSING:
            self._reversals(_REVERSING[rule.by](self._at, rule), rule)
        elif rule.by is By.BALANCE:
            self._balance(rule)
        else:
            self._groups(_GROUPING[rule.by](self._at, rule), rule)

    def found(self) -> Found:
        """Everything, in one piece."""
        nothing = pl.DataFrame(schema=MEMBERS)
        return Found(
            pl.concat([nothing.with_columns(i=pl.lit(0, pl.UInt32)), *self._of_items]),
            pl.concat([nothing.with_columns(l=pl.lit(0, pl.UInt32)), *self._of_lines]),
            self._unclear_items,
            self._unclear_lines,
        )

    def _pairs(self, met: Met, rule: Pass) -> None:
        numbered = self._numbered(met.pairs, rule)
        self._of_items.append(numbered.select(*MEMBERS, "i"))
        self._of_lines.append(numbered.select(*MEMBERS, "l"))
        self._at.without(met.pairs["i"], met.pairs["l"])
        self._leave(met.items, met.lines, rule)

    def _reversals(self, met: Met, rule: Pass) -> None:
        numbered = self._numbered(met.pairs, rule)
        both = pl.concat([numbered.select(*MEMBERS, l="i"), numbered.select(*MEMBERS, "l")])
        self._of_lines.append(both)
        self._at.without(met.items, both["l"])
        self._taken_back.append(met.lines)
        self._leave(met.items, met.lines, rule)

    def _groups(self, grouped: Grouped, rule: Pass) -> None:
        first = self._count
        self._count += len(grouped.groups)
        numbered = list(enumerate(grouped.groups, start=first))
        of_items = [(m, i) for m, group in numbered for i in group.items]
        of_lines = [(m, line) for m, group in numbered for line in group.lines]
        self._of_items.append(_members(of_items, "i", rule))
        self._of_lines.append(_members(of_lines, "l", rule))
        self._at.without(self._of_items[-1]["i"], self._of_lines[-1]["l"])
        self._leave(
            pl.Series("i", sorted(grouped.items), pl.UInt32),
            pl.Series("l", sorted(grouped.lines), pl.UInt32),
            rule,
        )

    def _balance(self, rule: Pass) -> None:
        """The only pass over what is not matched, not only over what is clear: all of it together may decide what single sums do not.

        Lines of which one may have been taken back stay out: no sum says which.
        """
        left, matched = replace(self._all), self.found()
        left.without(matched.of_items["i"], pl.concat([matched.of_lines["l"], *self._taken_back]))
        found = balancing.balance(left, rule)
        self._groups(found, rule)
        for group in found.groups:
            for number in group.items:
                self._unclear_items.pop(number, None)
            for number in group.lines:
                self._unclear_lines.pop(number, None)

    def _numbered(self, pairs: pl.DataFrame, rule: Pass) -> pl.DataFrame:
        numbered = pairs.with_row_index("m", offset=self._count)
        self._count += len(pairs)
        return numbered.with_columns(
            pl.lit(rule.name).alias("rule"), pl.lit(rule.confidence, pl.Int32).alias("confidence")
        )

    def _leave(self, items: pl.Series, lines: pl.Series, rule: Pass) -> None:
        """Note what was ambiguous; out it goes, but where another kind of evidence may still tell."""
        if rule.by is By.REFERENCE_PART:
            return
        self._unclear_items.update(zip(items.to_list(), repeat(rule.name)))
        self._unclear_lines.update(zip(lines.to_list(), repeat(rule.name)))
        self._at.without(items, lines)


def _members(rows: list[tuple[int, int]], name: str, rule: Pass) -> pl.DataFrame:
    made = pl.DataFrame(rows, schema={"m": pl.UInt32, name: pl.UInt32}, orient="row")
    return made.select(
        "m", pl.lit(rule.name).alias("rule"), pl.lit(rule.confidence, pl.Int32).alias("confidence"), name
    )


def refused_pairs(
    items: pl.DataFrame, lines: pl.DataFrame, refused: Collection[tuple[str, str]]
) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Refused pairs by position: items with lines, and lines with lines."""
    nothing = pl.DataFrame(schema=_INDEX)
    if not refused:
        return nothing, nothing
    pairs = pl.DataFrame(list(refused), schema={"one": pl.String, "other": pl.String}, orient="row")
    key = pl.concat_str("sha256", "statement", "number", separator="/")
    line_keys = lines.with_row_index("l").select("l", key.alias("other"))
    item_keys = items.with_row_index("i").select("i", pl.col("reference").alias("one"))
    first_lines = line_keys.select(i="l", one="other")
    with_line = pairs.join(line_keys, on="other", how="inner")
    return (
        with_line.join(item_keys, on="one", how="inner").select("i", "l"),
        with_line.join(first_lines, on="one", how="inner").select("i", "l"),
    )


_PAIRING: Final[dict[By, Callable[[Open, Pass], Met]]] = {
    By.REFERENCE: passes.by_reference,
    By.REFERENCE_PART: passes.by_part,
    By.COUNTERPARTY: passes.by_counterparty,
}
_REVERSING: Final[dict[By, Callable[[Open, Pass], Met]]] = {
    By.REVERSAL: reversing.by_identity,
    By.REVERSAL_TEXT: reversing.by_text,
}
_GROUPING: Final[dict[By, Callable[[Open, Pass], Grouped]]] = {
    By.NAMED_BUNDLE: groups.named_bundle,
    By.BATCH: batches.batch,
    By.BATCH_PART: batches.batch_part,
    By.SPLIT: groups.split,
    By.SUBSET: groups.subset,
    By.SUBSET_LINES: groups.subset_lines,
}
