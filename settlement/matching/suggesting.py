"""Suggestions: items and lines that may well belong together, by what their texts and amounts say. A person decides on each.

Only pairs that meet in a block are compared: equal amount at one bank, one party, or nearly the same reference. Each block is bounded, so
that cost grows with the rows.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import polars as pl
from rapidfuzz import fuzz
from rapidfuzz.distance import DamerauLevenshtein

from keys.money import Sen, display
from settlement.matching.columns import item_columns, line_columns
from settlement.matching.engine import refused_pairs
from settlement.matching.kept import Likely
from settlement.statements.kept import LineKey

if TYPE_CHECKING:
    from collections.abc import Collection

MEETING_MAX: Final = 40
"""Pairs of one block that are compared; a block with more says too little to be worth a person's time."""
DAYS_MAX: Final = 14
A_LINE_MAX: Final = 3
"""Suggestions for one line."""
PAIRS_MAX: Final = 200_000
_AMOUNT: Final = 45
_NEAR_AMOUNT: Final = 25
_TEXT: Final = 35
_DATE: Final = 20
_REFERENCE: Final = 35
_BEGINNING: Final = 14


def suggest(
    items: pl.DataFrame, lines: pl.DataFrame, refused: Collection[tuple[str, str]], least: int
) -> list[Likely]:
    """The likeliest pairs of open items and lines (`columns.ITEMS`, `columns.LINES`) from `least` percent, best first."""
    mine = item_columns(items)
    theirs = line_columns(lines, mine).join(
        lines.with_row_index("l").select("l", "text", "end_to_end", "reference", "sha256", "statement", "number"), on="l"
    )  # fmt: skip
    no, _ = refused_pairs(items, lines, refused)
    met = _meeting(mine, theirs).join(no, on=["i", "l"], how="anti").sort("i", "l").head(PAIRS_MAX)
    rows = met.join(mine, on="i").join(theirs, on="l", suffix="_line").iter_rows(named=True)
    likely = [(row["l"], found) for row in rows if (found := _weighed(row)).score >= least]
    likely.sort(key=lambda one: (-one[1].score, one[1].reference, one[1].line))
    return _best(likely)


def _best(likely: list[tuple[int, Likely]]) -> list[Likely]:
    count: dict[int, int] = {}
    kept = []
    for line, one in likely:
        count[line] = count.get(line, 0) + 1
        if count[line] <= A_LINE_MAX:
            kept.append(one)
    return kept


def _meeting(items: pl.DataFrame, lines: pl.DataFrame) -> pl.DataFrame:
    """Pairs (i, l) in one block and within days of each other."""
    by_amount = _block(items, lines, ("bank", "amount"))
    with_party = pl.col("party_key") != ""
    by_party = _block(items.filter(with_party), lines.filter(with_party), ("bank", "party_key"))
    start = pl.col("ref").str.slice(3, 12).alias("start")
    told = (
        pl.when(pl.col("ref") != "")
        .then(pl.col("ref").str.slice(3, 12))
        .otherwise(pl.col("part").str.slice(0, 12))
    )
    named = lines.with_columns(told.alias("start")).filter(pl.col("start").str.len_chars() > 0)
    by_start = _block(items.with_columns(start), named, ("bank", "start"))
    return pl.concat([by_amount, by_party, by_start]).unique()


def _block(items: pl.DataFrame, lines: pl.DataFrame, keys: tuple[str, ...]) -> pl.DataFrame:
    few = (
        items.group_by(keys)
        .len("n")
        .join(lines.group_by(keys).len("m"), on=keys)
        .filter(pl.col("n").cast(pl.Int64) * pl.col("m") <= MEETING_MAX)
        .select(keys)
    )
    edges = items.join(few, on=keys, how="semi").join(lines, on=keys, suffix="_line")
    same_way = pl.col("amount").sign() == pl.col("amount" if "amount" in keys else "amount_line").sign()
    near = (pl.col("day") >= pl.col("window") - 1) & (pl.col("day") <= pl.col("due") + DAYS_MAX)
    return edges.filter(same_way & near).select("i", "l")


def _weighed(row: dict[str, str | int]) -> Likely:
    """A pair's score of 100: amount, texts, date, reference; and a sentence that says what speaks for it."""
    text = " ".join(str(row[name]) for name in ("end_to_end", "reference_line", "text"))
    name = round(fuzz.token_set_ratio(str(row["name"]).upper(), text.upper()))
    late = max(0, int(row["day"]) - int(row["due"]))
    points, said = _amount(int(row["amount"]), int(row["amount_line"]))
    points += name * _TEXT // 100 + max(0, _DATE - 2 * late)
    evidence = f"{said}; name alike by {name} %; " + (f"{late} days after it was due" if late else "in time")
    if _nearly_same(str(row["ref"]), str(row["ref_line"]) or "KSH" + str(row["part"])):
        points += _REFERENCE
        evidence += "; nearly the same reference"
    key = LineKey(str(row["sha256"]), int(row["statement"]), int(row["number"]))
    return Likely(str(row["reference"]), key, min(99, points), evidence)


def _nearly_same(reference: str, given: str) -> bool:
    """Whether a line carries a reference, or its beginning, with one letter wrong, lost or turned round."""
    return len(given) >= _BEGINNING and DamerauLevenshtein.distance(reference[: len(given)], given) <= 1


def _amount(expected: int, shown: int) -> tuple[int, str]:
    if expected == shown:
        return _AMOUNT, "the same amount"
    off = display(Sen(shown - expected))
    if DamerauLevenshtein.distance(str(abs(expected)), str(abs(shown))) <= 1:
        return _NEAR_AMOUNT, f"one digit of the amount differs ({off})"
    return (
        (_NEAR_AMOUNT // 2, f"{off} apart")
        if abs(shown - expected) * 100 <= abs(expected)
        else (0, f"{off} apart")
    )
