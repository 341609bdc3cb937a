"""The passes that find several items in one line, or one item in several lines, net of fees.

A fee may be taken once for the transfer, or once for each of its members. Each proposal that shares an item or a line with another
falls: it is ambiguous which is right.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

import polars as pl

from settlement.matching.columns import BATCH_DIGITS
from settlement.matching.days import with_last_day
from settlement.matching.sums import Outcome, find_sum

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from settlement.matching.passes import Open
    from settlement.matching.rules import Pass


@dataclass(frozen=True, slots=True)
class Group:
    """Items and lines that belong together, all of them; positions as `i` and `l`."""

    items: tuple[int, ...]
    lines: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Grouped:
    """Groups that nothing competes with, and the items and lines that more than one wanted."""

    groups: tuple[Group, ...] = ()
    items: frozenset[int] = frozenset()
    lines: frozenset[int] = frozenset()


def named_bundle(at: Open, rule: Pass) -> Grouped:
    """A line that names several of our references, all of them open, whose sum it is."""
    lines = at.lines.filter(pl.col("refs").is_not_null() & ~pl.col("marked"))
    each = lines.select("l", "bank", "refs", total=pl.col("amount")).explode("refs").rename({"refs": "ref"})
    found = each.join(at.items.select("i", "bank", "ref", "amount"), on=["bank", "ref"], how="left")
    gathered = found.group_by("l").agg(
        pl.col("i"), pl.col("amount").sum(), pl.col("total").first(), pl.col("i").null_count().alias("lost")
    )
    whole = gathered.filter(pl.col("lost") == 0).sort("l")
    return _settled(
        (
            Group(tuple(sorted(items)), (line,))
            for line, items, amount, total, _ in whole.iter_rows()
            if _is_sum(amount, total, len(items), rule)
        ),
        at,
    )


def split(at: Open, rule: Pass) -> Grouped:
    """Several lines with the item's reference, all of them in its direction, whose sum is its amount."""
    lines = at.lines.filter((pl.col("ref") != "") & ~pl.col("marked"))
    gathered = lines.group_by("bank", "ref").agg(
        pl.col("l").sort(), pl.col("amount").sum().alias("total"), pl.col("amount").sign().n_unique().alias("ways")
    )  # fmt: skip
    several = gathered.filter((pl.col("l").list.len() > 1) & (pl.col("ways") == 1))
    rows = at.items.join(several, on=["bank", "ref"], how="inner").sort("i")
    return _settled(
        (
            Group((row["i"],), tuple(row["l"]))
            for row in rows.iter_rows(named=True)
            if _is_sum(row["amount"], row["total"], len(row["l"]), rule)
        ),
        at,
    )


def batch(at: Open, rule: Pass) -> Grouped:
    """A line that names a window and a bank only: all that is open of that payment file, in the line's direction."""
    lines = at.lines.filter((pl.col("part").str.len_chars() == BATCH_DIGITS) & ~pl.col("marked"))
    keyed = lines.select(
        "l", "bank", pl.col("part").alias("batch"), total="amount", way=pl.col("amount").sign()
    )
    items = at.items.with_columns(
        pl.col("ref").str.slice(3, BATCH_DIGITS).alias("batch"), pl.col("amount").sign().alias("way")
    )
    keys = ("bank", "batch", "way")
    gathered = items.join(keyed.select(keys).unique(), on=keys, how="semi").group_by(keys).agg(
        pl.col("i").sort(), pl.col("amount").sum()
    )  # fmt: skip
    rows = keyed.join(gathered, on=keys, how="inner").sort("l")
    return _settled(
        (
            Group(tuple(row["i"]), (row["l"],))
            for row in rows.iter_rows(named=True)
            if len(row["i"]) > 1 and _is_sum(row["amount"], row["total"], len(row["i"]), rule)
        ),
        at,
    )


def subset(at: Open, rule: Pass) -> Grouped:
    """A line of a party: the only sum of that party's open items, in time, that it can be."""
    items = with_last_day(at.unclaimed, at.calendar, rule.days_late)
    found, unclear = [], set()
    for line in _with_candidates(at.anonymous, items, "i", rule):
        amount = line["amount"]
        told = [
            (i, size)
            for i, size, window, last in zip(line["i"], line["amounts"], line["window"], line["last"], strict=True)
            if window <= line["day"] <= last
        ]  # fmt: skip
        wanted = [amount, *(amount + fee for fee in rule.fees)]
        answer = find_sum(
            [size for _, size in told], [one for one in wanted if one * amount > 0], rule.members_max
        )
        if answer.outcome is Outcome.ONE:
            found.append(Group(tuple(sorted(told[place][0] for place in answer.chosen)), (line["l"],)))
        elif answer.outcome is Outcome.SEVERAL:
            unclear.add(line["l"])
    return _settled(found, at, lines=unclear)


def subset_lines(at: Open, rule: Pass) -> Grouped:
    """An item of a party: the only sum of that party's lines, in time, that it can be."""
    items = with_last_day(at.unclaimed, at.calendar, rule.days_late)
    found, unclear = [], set()
    for item in _with_candidates(items, at.anonymous, "l", rule):
        told = [
            (line, size)
            for line, size, day in zip(item["l"], item["amounts"], item["day"], strict=True)
            if item["window"] <= day <= item["last"]
        ]
        answer = find_sum([size for _, size in told], [item["amount"]], rule.members_max)
        if answer.outcome is Outcome.ONE:
            found.append(Group((item["i"],), tuple(sorted(told[place][0] for place in answer.chosen))))
        elif answer.outcome is Outcome.SEVERAL:
            unclear.add(item["i"])
    return _settled(found, at, items=unclear)


def _with_candidates(
    wholes: pl.DataFrame, parts: pl.DataFrame, number: str, rule: Pass
) -> Iterator[dict[str, list[int] | int]]:
    """Each whole with the smaller or equal amounts of its bank, party and direction: two of them to `candidates_max`."""
    keys = ("bank", "party_key", "way")
    way = pl.col("amount").sign().alias("way")
    dated = [name for name in ("window", "last", "day") if name in parts.columns]
    gathered = parts.with_columns(way).sort(number).group_by(keys).agg(
        pl.col(number), pl.col("amount").alias("amounts"), *(pl.col(name) for name in dated)
    )  # fmt: skip
    few = gathered.filter(pl.col(number).list.len().is_between(2, rule.candidates_max))
    yield from (
        wholes.with_columns(way).join(few, on=keys, how="inner").sort(wholes.columns[0]).iter_rows(named=True)
    )


def _is_sum(expected: int, shown: int, members: int, rule: Pass) -> bool:
    """Whether a line shows what is expected less no fee, one, or one a member."""
    return expected - shown in {0, *rule.fees, *(fee * members for fee in rule.fees)}


def _settled(
    found: Iterable[Group], at: Open, *, items: Iterable[int] = (), lines: Iterable[int] = ()
) -> Grouped:
    """Groups without rivals and without a pair that people refused."""
    refused = set(at.refused.iter_rows())
    listed = [
        group
        for group in found
        if not any((item, line) in refused for item in group.items for line in group.lines)
    ]
    of_items = Counter(item for group in listed for item in group.items)
    of_lines = Counter(line for group in listed for line in group.lines)
    unclear_items = set(items) | {item for item, count in of_items.items() if count > 1}
    unclear_lines = set(lines) | {line for line, count in of_lines.items() if count > 1}
    kept, fallen = [], []
    for group in listed:
        clear = unclear_items.isdisjoint(group.items) and unclear_lines.isdisjoint(group.lines)
        (kept if clear else fallen).append(group)
    unclear_items.update(item for group in fallen for item in group.items)
    unclear_lines.update(line for group in fallen for line in group.lines)
    return Grouped(tuple(kept), frozenset(unclear_items), frozenset(unclear_lines))
