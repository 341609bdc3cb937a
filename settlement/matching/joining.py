"""Pairs that are each other's only candidate, found by columns: cost grows with the rows, however many of them are equal.

Two sides meet on equal keys. Where few meet, every pair is looked at; where more than `MEETING_MAX` do, none of them can be the only
one on both sides, and no pair is written out.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

import polars as pl

if TYPE_CHECKING:
    from collections.abc import Sequence

MEETING_MAX: Final = 64
PAIRS: Final = pl.Schema({"i": pl.UInt32, "l": pl.UInt32})


@dataclass(frozen=True, slots=True)
class Met:
    """`pairs` (i, l) that nothing else competes for; and who has candidates, but not one alone."""

    pairs: pl.DataFrame = field(default_factory=lambda: pl.DataFrame(schema=PAIRS))
    items: pl.Series = field(default_factory=lambda: pl.Series("i", [], pl.UInt32))
    lines: pl.Series = field(default_factory=lambda: pl.Series("l", [], pl.UInt32))


def meet(
    items: pl.DataFrame,
    lines: pl.DataFrame,
    keys: Sequence[str],
    refused: pl.DataFrame,
    agree: pl.Expr | None = None,
) -> Met:
    """Rows of `items` (i, keys, ...) against rows of `lines` (l, keys, ...), less the pairs that people refused.

    One item may stand in several rows. `agree` is asked of each pair with the columns of both (those of lines that items have as
    well end in `_line`).
    """
    mine = items.group_by(keys).len("n")
    theirs = lines.group_by(keys).len("m")
    common = mine.join(theirs, on=keys, how="inner").with_columns(
        (pl.col("n").cast(pl.Int64) * pl.col("m")).alias("meeting")
    )
    if common.is_empty():
        return Met()
    few = common.filter(pl.col("meeting") <= MEETING_MAX).select(keys)
    many = common.filter(pl.col("meeting") > MEETING_MAX).select(keys)
    edges = _edges(items.join(few, on=keys, how="semi"), lines, keys, refused, agree)
    crowded_items = items.join(many, on=keys, how="semi")["i"].unique()
    crowded_lines = lines.join(many, on=keys, how="semi")["l"].unique()
    return _alone(edges, crowded_items, crowded_lines)


def _edges(
    items: pl.DataFrame,
    lines: pl.DataFrame,
    keys: Sequence[str],
    refused: pl.DataFrame,
    agree: pl.Expr | None,
) -> pl.DataFrame:
    edges = items.join(lines, on=keys, how="inner", suffix="_line")
    if agree is not None:
        edges = edges.filter(agree)
    if not refused.is_empty():
        edges = edges.join(refused, on=["i", "l"], how="anti")
    return edges.select("i", "l").unique()


def _alone(edges: pl.DataFrame, crowded_items: pl.Series, crowded_lines: pl.Series) -> Met:
    counted = edges.with_columns(
        pl.len().over("i").alias("of_item"), pl.len().over("l").alias("of_line")
    ).with_columns(
        ((pl.col("of_item") == 1) & (pl.col("of_line") == 1)).alias("alone"),
    )
    pairs = counted.filter(
        pl.col("alone")
        & ~pl.col("i").is_in(crowded_items.implode())
        & ~pl.col("l").is_in(crowded_lines.implode())
    ).select("i", "l")
    left_items = pl.concat([counted.select("i"), crowded_items.to_frame()]).unique()
    left_lines = pl.concat([counted.select("l"), crowded_lines.to_frame()]).unique()
    return Met(
        pairs.sort("i"),
        left_items.join(pairs, on="i", how="anti")["i"].sort(),
        left_lines.join(pairs, on="l", how="anti")["l"].sort(),
    )
