"""The passes that find several items in one line, or one item in several lines, net of fees.

A fee may be taken once for the transfer, or once for each of its members. Each proposal that shares an item or a line with another
falls: it is ambiguous which is right.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

import polars as pl

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
    return without_rivals(
        (
            Group(tuple(sorted(items)), (line,))
            for line, items, amount, total, _ in whole.iter_rows()
            if is_sum(amount, total, len(items), rule)
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
    return without_rivals(
        (
            Group((row["i"],), tuple(row["l"]))
            for row in rows.iter_rows(named=True)
            if is_sum(row["amount"], row["total"], len(row["l"]), rule)
        ),
        at,
    )


@dataclass(frozen=True, slots=True)
class _Whole:
    """A line or an item, with the smaller or equal amounts that it may be the sum of; days are value dates or windows."""

    number: int
    amount: int
    parts: tuple[tuple[int, int], ...]
    """Number and amount of each that is in time."""
    rivalled: frozenset[int]
    """Those of them that a whole equals alone, in time."""


def subset(at: Open, rule: Pass) -> Grouped:
    """A line of a party: the only sum of that party's open items, in time, that it can be."""
    items = with_last_day(at.unclaimed_by_name, at.calendar, rule.days_late)
    found: list[Group] = []
    unclear: set[int] = set()
    for line in _wholes(at.anonymous, items, ("l", "i"), rule):
        wanted = [line.amount + fee for fee in (0, *rule.fees) if (line.amount + fee) * line.amount > 0]
        chosen = _chosen(line, wanted, rule, unclear)
        if chosen:
            found.append(Group(chosen, (line.number,)))
    return without_rivals(found, at, lines=unclear)


def subset_lines(at: Open, rule: Pass) -> Grouped:
    """An item of a party: the only sum of that party's lines, in time, that it can be."""
    items = with_last_day(at.unclaimed_by_name, at.calendar, rule.days_late)
    found: list[Group] = []
    unclear: set[int] = set()
    for item in _wholes(items, at.anonymous, ("i", "l"), rule):
        chosen = _chosen(item, [item.amount], rule, unclear)
        if chosen:
            found.append(Group((item.number,), chosen))
    return without_rivals(found, at, items=unclear)


def _chosen(whole: _Whole, wanted: list[int], rule: Pass, unclear: set[int]) -> tuple[int, ...]:
    """The parts of the only sum; () where there is none, or several, or one whose parts are something else's whole: that is noted."""
    answer = find_sum([size for _, size in whole.parts], wanted, rule.members_max)
    chosen = tuple(sorted(whole.parts[place][0] for place in answer.chosen))
    if answer.outcome is Outcome.SEVERAL or not whole.rivalled.isdisjoint(chosen):
        unclear.add(whole.number)
        return ()
    return chosen


def _wholes(
    wholes: pl.DataFrame, parts: pl.DataFrame, names: tuple[str, str], rule: Pass
) -> Iterator[_Whole]:
    """Each whole with the amounts of its bank, party and direction: where these are two to `candidates_max`."""
    number, part = names
    keys = ("bank", "party_key", "way")
    way = pl.col("amount").sign().alias("way")
    told = parts.with_columns(way).select(*keys, part, pl.col("amount").alias("size"), *_dates(parts))
    few = told.group_by(keys).len("count").filter(pl.col("count").is_between(2, rule.candidates_max))
    near = told.join(few, on=keys, how="semi")
    mine = wholes.with_columns(way).select(*keys, number, "amount", *_dates(wholes))
    in_time = pl.col("day").is_between(pl.col("window"), pl.col("last"))
    met = mine.join(near, on=keys, how="inner").filter(in_time).sort(number, part)
    equal = frozenset(met.filter(pl.col("amount") == pl.col("size"))[part].to_list())
    for _, rows in met.group_by(number, maintain_order=True):
        listed = zip(rows[part].to_list(), rows["size"].to_list(), strict=True)
        yield _Whole(rows[number][0], rows["amount"][0], tuple(listed), equal)


def _dates(side: pl.DataFrame) -> list[str]:
    return [name for name in ("window", "last", "day") if name in side.columns]


def is_sum(expected: int, shown: int, members: int, rule: Pass) -> bool:
    """Whether a line shows what is expected less no fee, one, or one a member."""
    return expected - shown in {0, *rule.fees, *(fee * members for fee in rule.fees)}


def without_rivals(
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
    kept: list[Group] = []
    fallen: list[Group] = []
    for group in listed:
        clear = unclear_items.isdisjoint(group.items) and unclear_lines.isdisjoint(group.lines)
        (kept if clear else fallen).append(group)
    unclear_items.update(item for group in fallen for item in group.items)
    unclear_lines.update(line for group in fallen for line in group.lines)
    return Grouped(tuple(kept), frozenset(unclear_items), frozenset(unclear_lines))
