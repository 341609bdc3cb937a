"""The passes for banks that book a payment file of ours as one sum: the line names window and bank, and no payment."""

from __future__ import annotations

from typing import TYPE_CHECKING

import polars as pl

from settlement.matching.columns import BATCH_DIGITS
from settlement.matching.groups import Group, Grouped, is_sum, without_rivals
from settlement.matching.sums import Outcome, Sum, find_sum

if TYPE_CHECKING:
    from settlement.matching.passes import Open
    from settlement.matching.rules import Pass


def batch(at: Open, rule: Pass) -> Grouped:
    """A line that names a window and a bank only: all that is open of that payment file, in the line's direction."""
    rows = _files(at, at.items).filter(pl.col("i").list.len() > 1)
    return without_rivals(
        (
            Group(tuple(row["i"]), (row["l"],))
            for row in rows.iter_rows(named=True)
            if is_sum(sum(row["amounts"]), row["total"], len(row["i"]), rule)
        ),
        at,
    )


def batch_part(at: Open, rule: Pass) -> Grouped:
    """The same, where the line can be only one sum of some of what is open of that file: the others were rejected, or booked apart."""
    rows = _files(at, at.unclaimed).filter(pl.col("i").list.len().is_between(2, rule.candidates_max))
    found: list[Group] = []
    unclear: set[int] = set()
    for row in rows.iter_rows(named=True):
        sums = _sums(row["amounts"], row["total"], rule)
        if len(sums) > 1 or any(one.outcome is Outcome.SEVERAL for one in sums):
            unclear.add(row["l"])
        elif sums and sums[0].chosen:
            found.append(Group(tuple(row["i"][at] for at in sums[0].chosen), (row["l"],)))
    return without_rivals(found, at, lines=unclear)


def _files(at: Open, items: pl.DataFrame) -> pl.DataFrame:
    """Each line (l, total) that names a payment file, with the items of that file and direction (lists i and amounts)."""
    lines = at.lines.filter((pl.col("part").str.len_chars() == BATCH_DIGITS) & ~pl.col("marked"))
    way = pl.col("amount").sign().alias("way")
    keyed = lines.select("l", "bank", pl.col("part").alias("batch"), way, total="amount")
    keys = ("bank", "batch", "way")
    named = items.with_columns(pl.col("ref").str.slice(3, BATCH_DIGITS).alias("batch"), way)
    near = named.join(keyed.select(keys).unique(), on=keys, how="semi").sort("i")
    gathered = near.group_by(keys, maintain_order=True).agg("i", amounts="amount")
    return keyed.join(gathered, on=keys, how="inner").sort("l")


def _sums(amounts: list[int], total: int, rule: Pass) -> list[Sum]:
    """Whatever sums there are: plain or with one fee for the file, and with each fee taken once a payment."""
    once = [total + fee for fee in (0, *rule.fees) if (total + fee) * total > 0]
    tries = [(amounts, once)]
    for fee in rule.fees:
        less = [amount - fee for amount in amounts]
        if all(one * total > 0 for one in less):
            tries.append((less, [total]))
    found = (find_sum(some, wanted, rule.members_max, len(tries)) for some, wanted in tries)
    return [one for one in found if one.outcome is not Outcome.NONE]
