"""Lines that take each other back: the same money the other way, by the bank's or our own reference, or by what the text says."""

from __future__ import annotations

from typing import TYPE_CHECKING

import polars as pl

from keys.clock import Day
from settlement.matching.days import business_days_between, nth_after
from settlement.matching.joining import PAIRS, Met, meet

if TYPE_CHECKING:
    from settlement.matching.passes import Open
    from settlement.matching.rules import Pass

_Dated = tuple[int, int, int]  # l, day, sign
GROUP_MAX = 40
"""More lines than that under one reference are for people."""


def by_identity(at: Open, rule: Pass) -> Met:
    """Lines of one bank with one reference and one amount, out and in. Each that takes back goes with the latest one before it.

    The first of a group says which way the money went; two that could be taken back alike leave the whole group to people.
    """
    given = pl.when(pl.col("ref") != "").then("ref").otherwise(pl.col("bank_ref"))
    lines = at.lines.with_columns(
        given.alias("identity"), pl.col("amount").abs().alias("size"), pl.col("amount").sign().alias("sign")
    ).filter(pl.col("identity") != "")
    group = ("bank", "identity", "size")
    both = (pl.col("sign").min().over(group) < 0) & (pl.col("sign").max().over(group) > 0)
    found = lines.filter(both).sort(*group, "day", "l")
    pairs: list[tuple[int, int]] = []
    unclear: list[int] = []
    for _, rows in found.group_by(group, maintain_order=True):
        listed = list(zip(rows["l"].to_list(), rows["day"].to_list(), rows["sign"].to_list(), strict=True))
        paired = _paired(listed, at, rule)
        if paired is None:
            unclear += [one for one, _, _ in listed]
        else:
            pairs += paired
    return _without_refused(pairs, unclear, at)


def _paired(rows: list[_Dated], at: Open, rule: Pass) -> list[tuple[int, int]] | None:
    """Pairs (original, reversal) of a group in order of its days; None where it is not clear."""
    if len(rows) > GROUP_MAX:
        return None
    first_day = rows[0][1]
    signs = {sign for _, day, sign in rows if day == first_day}
    if len(signs) > 1:
        return [(rows[0][0], rows[1][0])] if len(rows) == 2 else None  # noqa: PLR2004  a pair
    (forward,) = signs
    waiting: list[tuple[int, int]] = []
    pairs = []
    for line, day, sign in sorted(rows, key=lambda row: (row[1], row[2] != forward)):
        if sign == forward:
            waiting.append((line, day))
            continue
        if not waiting:
            continue
        latest = max(since for _, since in waiting)
        rivals = [one for one, since in waiting if since == latest]
        if len(rivals) > 1:
            return None
        if business_days_between(at.calendar, Day(latest), Day(day)) <= rule.days_late:
            pairs.append((rivals[0], line))
            waiting = [one for one in waiting if one[0] != rivals[0]]
    return pairs


def _without_refused(pairs: list[tuple[int, int]], unclear: list[int], at: Open) -> Met:
    made = pl.DataFrame(pairs, schema=PAIRS, orient="row")
    for refused in (at.refused_lines, at.refused_lines.select(i="l", l="i")):
        made = made.join(refused, on=["i", "l"], how="anti")
    return Met(made.sort("i"), pl.Series("i", [], pl.UInt32), pl.Series("l", unclear, pl.UInt32))


def by_text(at: Open, rule: Pass) -> Met:
    """A line whose text says that it takes back, and one of the same party and bank with the opposite amount, not later than it.

    Where such a line names no party of ours, all that it could take back is left to people: one of them was not paid.
    """
    keys = ("bank", "party_key", "amount")
    back = at.lines.filter("marked").with_columns((-pl.col("amount")).alias("amount"))
    forth = at.lines.filter(~pl.col("marked")).rename({"l": "i"})
    forth = forth.join(back.select("bank", "amount").unique(), on=["bank", "amount"], how="semi")
    forth = _with_last(forth, at, rule)
    in_time = pl.col("day_line").is_between(pl.col("day"), pl.col("last"))
    same = (pl.col("ref_line") == "") | (pl.col("ref_line") == pl.col("ref"))
    refused = pl.concat([at.refused_lines, at.refused_lines.select(i="l", l="i")])
    known = pl.col("party_key") != ""
    met = meet(forth.filter(known), back.filter(known), keys, refused, in_time & same)
    nobody = back.filter(~known & (pl.col("ref") == ""))
    blind = meet(forth, nobody, ("bank", "amount"), pl.DataFrame(schema=PAIRS), in_time)
    blinded = pl.concat(
        [blind.items.rename("l"), blind.lines, blind.pairs["i"].rename("l"), blind.pairs["l"]]
    )
    pairs = met.pairs.filter(~pl.col("i").is_in(blinded.implode()))
    fallen = met.pairs.join(pairs, on=["i", "l"], how="anti")["l"]
    unclear = pl.concat([met.items.rename("l"), met.lines, blinded, fallen]).unique()
    return Met(pairs, pl.Series("i", [], pl.UInt32), unclear.sort())


def _with_last(lines: pl.DataFrame, at: Open, rule: Pass) -> pl.DataFrame:
    """Lines with the last day on which they may be taken back."""
    days = lines["day"].unique().to_list()
    last = [int(nth_after(at.calendar, Day(day), rule.days_late)) for day in days]
    table = pl.DataFrame({"day": days, "last": last}, schema={"day": pl.Int32, "last": pl.Int32})
    return lines.join(table, on="day", how="left", maintain_order="left")
