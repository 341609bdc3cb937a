"""The passes that find one line for one item, each a join of columns on equal keys; see `rules.By` for what each goes by.

A line that carries a whole reference of ours is matched by it or not at all, and an item whose reference some line carries likewise:
passes by counterparty leave both to the passes by reference, and to the breaks.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Final

import polars as pl

from settlement.matching.columns import item_columns, line_columns
from settlement.matching.days import with_last_day
from settlement.matching.joining import PAIRS, Met, meet

if TYPE_CHECKING:
    from settlement.matching.days import BusinessDays
    from settlement.matching.rules import Pass

_RUPIAH = 100
FEW_MEETING: Final = 6
LATE_ODDS: Final = 100
"""Days late, an equal amount is believed where at most so many pairs of a party's open items and lines could be equal, or fewer than one in
so many would be by chance."""


@dataclass(slots=True)
class Open:
    """What is open still: columns of `item_columns` and `line_columns`, the calendar, and the pairs that people refused.

    `refused` holds items with lines (i, l), `refused_lines` lines with lines (i, l too).
    """

    items: pl.DataFrame
    lines: pl.DataFrame
    calendar: BusinessDays
    refused: pl.DataFrame = field(default_factory=lambda: pl.DataFrame(schema=PAIRS))
    refused_lines: pl.DataFrame = field(default_factory=lambda: pl.DataFrame(schema=PAIRS))

    @classmethod
    def of(cls, items: pl.DataFrame, lines: pl.DataFrame, calendar: BusinessDays) -> Open:
        """Everything, from raw columns (`columns.ITEMS`, `columns.LINES`)."""
        mine = item_columns(items)
        return cls(mine.drop("reference", "name", "party_bones"), line_columns(lines, mine), calendar)

    def without(self, items: pl.Series, lines: pl.Series) -> None:
        """Take items and lines out: they are matched, or people must decide."""
        if len(items):
            self.items = self.items.join(items.to_frame("i"), on="i", how="anti")
        if len(lines):
            self.lines = self.lines.join(lines.to_frame("l"), on="l", how="anti")

    @property
    def unclaimed(self) -> pl.DataFrame:
        """Items whose reference no open line carries."""
        claims = self.lines.filter(pl.col("ref") != "").select("ref").unique()
        named = self.lines.filter(pl.col("refs").is_not_null()).select(pl.col("refs").explode().alias("ref"))
        return self.items.join(pl.concat([claims, named]).unique(), on="ref", how="anti")

    @property
    def unclaimed_by_name(self) -> pl.DataFrame:
        """Those of them that have a party to go by."""
        return self.unclaimed.filter(pl.col("party_key") != "")

    @property
    def anonymous(self) -> pl.DataFrame:
        """Lines with a party to go by, and no whole reference of ours."""
        return self.lines.filter(
            (pl.col("party_key") != "") & (pl.col("ref") == "") & pl.col("refs").is_null() & ~pl.col("marked")
        )


def by_reference(at: Open, rule: Pass) -> Met:
    """The same bank and whole reference, and an amount that the rule allows."""
    lines = at.lines.filter((pl.col("ref") != "") & ~pl.col("marked"))
    named = at.items.join(lines.select("bank", "ref").unique(), on=["bank", "ref"], how="semi")
    return meet(with_amounts(named, rule), lines, ("bank", "ref", "amount"), at.refused)


def by_part(at: Open, rule: Pass) -> Met:
    """The same bank, the beginning of the reference, the amount, and no other party than the item's."""
    lines = at.lines.filter((pl.col("part") != "") & ~pl.col("marked"))
    claims = at.lines.filter(pl.col("ref") != "").select("ref").unique()
    items = with_amounts(at.items.join(claims, on="ref", how="anti"), rule)
    items = items.join(lines.select("bank", "amount").unique(), on=["bank", "amount"], how="semi")
    begins = pl.col("ref").str.slice(3).str.starts_with(pl.col("part"))
    keyed = [
        items.with_columns(pl.col("ref").str.slice(3, length).alias("beginning"))
        for length in lines["part"].str.len_chars().unique().sort().to_list()
    ]
    if not keyed:
        return Met()
    beginnings = pl.concat(keyed)
    lines = lines.with_columns(pl.col("part").alias("beginning"))
    return meet(beginnings, lines, ("bank", "amount", "beginning"), at.refused, begins & _same_party())


def by_counterparty(at: Open, rule: Pass) -> Met:
    """The same bank and party, an amount that the rule allows, and a value date from the window's day to the last that it allows."""
    lines = at.anonymous
    keys = ("bank", "party_key", "amount")
    items = with_amounts(at.unclaimed_by_name, rule).join(lines.select(keys).unique(), on=keys, how="semi")
    dated = with_last_day(items, at.calendar, rule.days_late)
    days = pl.int_ranges(pl.col("window"), pl.col("last") + 1, dtype=pl.Int32).alias("day")
    each = dated.with_columns(days).explode("day").drop_nulls("day")
    met = meet(each, lines, (*keys, "day"), at.refused, _same_beginning())
    if not rule.days_late:
        return met
    return replace(met, pairs=_beyond_chance(met.pairs, at.unclaimed_by_name, lines))


def _beyond_chance(pairs: pl.DataFrame, items: pl.DataFrame, lines: pl.DataFrame) -> pl.DataFrame:
    """The pairs whose equal amounts chance would hardly have made: of few that could meet, or of many values.

    The others stay open, for sums that compete with them, and as suggestions: days late, the date is no evidence.
    """
    keys = ("bank", "party_key", "way")
    mine = items.with_columns(pl.col("amount").sign().alias("way"))
    theirs = lines.with_columns(pl.col("amount").sign().alias("way"))
    shown = pairs.join(theirs.select("l", *keys, "amount"), on="l", how="left")
    counted = shown.join(mine.group_by(keys).len("n"), on=keys, how="left").join(
        theirs.group_by(keys).len("m"), on=keys, how="left"
    )
    meeting = (pl.col("n").cast(pl.Int64) * pl.col("m")).fill_null(0)
    values = (
        pl.col("amount").cast(pl.String).str.strip_chars_start("-").str.strip_chars_end("0").cast(pl.Int64)
    )
    kept = counted.filter((meeting <= FEW_MEETING) | (meeting * LATE_ODDS <= values))
    return kept.select("i", "l").sort("i")


def _same_party() -> pl.Expr:
    mine, theirs = pl.col("party_key"), pl.col("party_key_line")
    return (mine == "") | (theirs == "") | (mine == theirs)


def _same_beginning() -> pl.Expr:
    return pl.col("ref").str.slice(3).str.starts_with(pl.col("part"))


def with_amounts(items: pl.DataFrame, rule: Pass) -> pl.DataFrame:
    """Items once for each amount that the rule lets a line have, the exact one included; the item's own stays as `expected`.

    A bank that cuts sen off rounds to whole rupiah, up or down; one that keeps a fee books that much less (or more out).
    """
    own = pl.col("amount")
    down = own - own.mod(_RUPIAH)
    up = pl.when(own.mod(_RUPIAH) == 0).then(own).otherwise(down + _RUPIAH)
    near = [pl.when((to - own).abs() <= rule.rounding).then(to).otherwise(own) for to in (down, up)]
    allowed = [base - fee for base in (own, *near) for fee in (0, *rule.fees)]
    if not (rule.fees or rule.rounding):
        return items.with_columns(own.alias("expected"))
    listed = items.with_columns(own.alias("expected"), pl.concat_list(allowed).list.unique().alias("amount"))
    return listed.explode("amount").filter(pl.col("amount") != 0)
