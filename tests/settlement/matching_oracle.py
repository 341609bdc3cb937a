"""Matching as a plain program would do it: every pair and every subset looked at, one pass after the other. The oracle of the columns.

It is told what each line says (`Seen`), so that reading texts is no part of it.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from settlement.matching.rules import By
from tests.settlement.every_sum import (
    amounts,
    business_days,
    by_chance,
    is_sum,
    last_day,
    only,
    stands_for,
    sums,
    ways,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from settlement.matching.rules import Pass
    from settlement.matching.sides import Expected, Told
    from tests.settlement.sides import Named, Seen


@dataclass(slots=True)
class Oracle:
    """A run: what is open, what was matched."""

    items: list[Expected]
    lines: list[Seen]
    refused: set[tuple[str, int]] = field(default_factory=set)
    found: set[Named] = field(default_factory=set)
    taken_back: set[int] = field(default_factory=set)
    every: tuple[list[Expected], list[Seen]] = ([], [])

    def __post_init__(self) -> None:
        self.every = (list(self.items), list(self.lines))

    def take(self, rule: Pass) -> None:
        passes: dict[By, Callable[[Pass], None]] = {
            By.REVERSAL: self.reversal,
            By.REVERSAL_TEXT: self.reversal_text,
            By.REFERENCE: lambda rule: self.pairs(rule, self.by_reference),
            By.REFERENCE_PART: lambda rule: self.pairs(rule, self.by_part),
            By.COUNTERPARTY: lambda rule: self.pairs(rule, self.by_counterparty),
            By.NAMED_BUNDLE: self.bundle,
            By.SPLIT: self.split,
            By.BATCH: self.batch,
            By.BATCH_PART: self.batch_part,
            By.BALANCE: self.balance,
            By.SUBSET: self.subset,
            By.SUBSET_LINES: self.subset_lines,
        }
        passes[rule.by](rule)

    def out(self, items: Iterable[str], lines: Iterable[int]) -> None:
        gone_items, gone_lines = set(items), set(lines)
        self.items = [one for one in self.items if one.reference not in gone_items]
        self.lines = [one for one in self.lines if one.line.key.number not in gone_lines]

    def claimed(self) -> set[str]:
        return {ref for one in self.lines for ref in one.refs}

    def pairs(self, rule: Pass, fits: Callable[[Expected, Seen, Pass], bool]) -> None:
        edges = [
            (item.reference, seen.line.key.number)
            for item in self.items
            for seen in self.lines
            if fits(item, seen, rule) and (item.reference, seen.line.key.number) not in self.refused
        ]
        alone = [
            edge
            for edge in edges
            if sum(other[0] == edge[0] for other in edges) == 1
            and sum(other[1] == edge[1] for other in edges) == 1
        ]
        if rule.by is By.COUNTERPARTY and rule.days_late:
            chance = [one for one in alone if self.is_late_by_chance(*one)]
            alone, edges = ([one for one in some if one not in chance] for some in (alone, edges))
        self.found |= {(rule.name, frozenset([item]), frozenset([line])) for item, line in alone}
        taken = alone if rule.by is By.REFERENCE_PART else edges
        self.out([item for item, _ in taken], [line for _, line in taken])

    def by_reference(self, item: Expected, seen: Seen, rule: Pass) -> bool:
        same = (item.bank, item.reference) == (seen.line.bank, seen.ref)
        return same and seen.line.amount in amounts(item, rule) and not seen.marked

    def by_part(self, item: Expected, seen: Seen, rule: Pass) -> bool:
        if not seen.part or seen.refs or seen.marked or item.reference in {one.ref for one in self.lines}:
            return False
        begins = item.reference.replace("-", "")[3:].startswith(seen.part)
        same = not seen.party or seen.party == item.name
        return begins and same and item.bank == seen.line.bank and seen.line.amount in amounts(item, rule)

    def by_counterparty(self, item: Expected, seen: Seen, rule: Pass) -> bool:
        if not self.anonymous(seen) or item.reference in self.claimed():
            return False
        begins = item.reference.replace("-", "")[3:].startswith(seen.part)
        in_time = item.window <= seen.line.day <= last_day(item.due, rule.days_late)
        same = (item.bank, item.name) == (seen.line.bank, seen.party)
        return begins and in_time and same and seen.line.amount in amounts(item, rule)

    def is_late_by_chance(self, item: str, line: int) -> bool:
        """Whether a party's open items and lines are many, against the values that an amount so round can have."""
        told = next(one for one in self.lines if one.line.key.number == line).line
        party = next(one for one in self.items if one.reference == item).name
        mine = [
            one
            for one in self.items
            if (one.bank, one.name, one.amount > 0) == (told.bank, party, told.amount > 0)
            and one.reference not in self.claimed()
        ]
        theirs = [
            one
            for one in self.lines
            if (one.line.bank, one.party, one.line.amount > 0) == (told.bank, party, told.amount > 0)
            and self.anonymous(one)
        ]
        meeting = len(mine) * len(theirs)
        return meeting > 6 and meeting * 100 > int(str(abs(told.amount)).rstrip("0"))

    @staticmethod
    def anonymous(seen: Seen) -> bool:
        return bool(seen.party) and not seen.refs and not seen.marked

    def reversal_pairs(self, rule: Pass, pairs: list[tuple[int, int]], unclear: set[int]) -> None:
        kept = [pair for pair in pairs if unclear.isdisjoint(pair)]
        fallen = {line for pair in pairs if pair not in kept for line in pair}
        self.found |= {(rule.name, frozenset(), frozenset(pair)) for pair in kept}
        self.taken_back |= unclear | fallen
        self.out([], {line for pair in kept for line in pair} | unclear | fallen)

    def reversal(self, rule: Pass) -> None:
        groups: dict[tuple[int, str, int], list[Told]] = {}
        for seen in self.lines:
            identity = seen.ref.replace("-", "") or seen.line.bank_reference
            if identity:
                groups.setdefault((seen.line.bank, identity, abs(seen.line.amount)), []).append(seen.line)
        pairs: list[tuple[int, int]] = []
        unclear: set[int] = set()
        for group in groups.values():
            ordered = sorted(group, key=lambda one: one.day)
            if len({one.amount for one in group}) < 2:
                continue
            first = [one for one in ordered if one.day == ordered[0].day]
            if len({one.amount for one in first}) > 1:
                if len(group) == 2:
                    pairs.append((first[0].key.number, first[1].key.number))
                else:
                    unclear |= {one.key.number for one in group}
                continue
            mine = self.walk(ordered, first[0].amount, rule)
            if mine is None:
                unclear |= {one.key.number for one in group}
            else:
                pairs += mine
        self.reversal_pairs(rule, pairs, unclear)

    @staticmethod
    def walk(ordered: list[Told], forward: int, rule: Pass) -> list[tuple[int, int]] | None:
        """Each line back takes the latest one forth that is not later; None where two are equally late."""
        forth = [one for one in ordered if one.amount == forward]
        pairs: list[tuple[int, int]] = []
        for back in (one for one in ordered if one.amount != forward):
            before = [one for one in forth if one.day <= back.day]
            latest = [one for one in before if one.day == max(other.day for other in before)]
            if len(latest) > 1:
                return None
            if latest and business_days(latest[0].day, back.day) <= rule.days_late:
                pairs.append((latest[0].key.number, back.key.number))
                forth.remove(latest[0])
        return pairs

    def reversal_text(self, rule: Pass) -> None:
        edges = [
            (forth.line.key.number, back.line.key.number)
            for forth in self.lines
            for back in self.lines
            if forth.party and not forth.marked and back.marked
            and (forth.line.bank, forth.party, forth.line.amount) == (back.line.bank, back.party, -back.line.amount)
            and forth.line.day <= back.line.day <= last_day(forth.line.day, rule.days_late)
            and back.ref in {"", forth.ref}
        ]  # fmt: skip
        blind = {
            one.line.key.number
            for forth in self.lines
            for back in self.lines
            if self.blindly(forth, back, rule)
            for one in (forth, back)
        }
        alone = [
            edge
            for edge in edges
            if sum(other[0] == edge[0] for other in edges) == 1
            and sum(other[1] == edge[1] for other in edges) == 1
        ]
        self.reversal_pairs(
            rule, alone, blind | {line for edge in edges for line in edge if edge not in alone}
        )

    @staticmethod
    def blindly(forth: Seen, back: Seen, rule: Pass) -> bool:
        """A line that takes something back from nobody knows whom: whatever it may be is for people."""
        fits = (forth.line.bank, forth.line.amount) == (back.line.bank, -back.line.amount)
        in_time = forth.line.day <= back.line.day <= last_day(forth.line.day, rule.days_late)
        return fits and in_time and back.marked and not back.party and not back.ref and not forth.marked

    def groups(
        self, rule: Pass, groups: list[tuple[list[str], list[int]]], items: set[str], lines: set[int]
    ) -> None:
        groups = [one for one in groups if not any((i, n) in self.refused for i in one[0] for n in one[1])]
        for place, one in enumerate(groups):
            for other in groups[:place]:
                items |= set(one[0]) & set(other[0])
                lines |= set(one[1]) & set(other[1])
        clear = [one for one in groups if items.isdisjoint(one[0]) and lines.isdisjoint(one[1])]
        for one in groups:
            if one not in clear:
                items |= set(one[0])
                lines |= set(one[1])
        self.found |= {(rule.name, frozenset(mine), frozenset(told)) for mine, told in clear}
        self.out(items, lines)
        self.out([i for one in clear for i in one[0]], [n for one in clear for n in one[1]])

    def bundle(self, rule: Pass) -> None:
        groups = []
        for seen in self.lines:
            mine = [one for one in self.items if one.reference in seen.refs and one.bank == seen.line.bank]
            whole = len(seen.refs) > 1 and len(mine) == len(seen.refs) and not seen.marked
            if whole and is_sum(sum(one.amount for one in mine), seen.line.amount, len(mine), rule):
                groups.append(([one.reference for one in mine], [seen.line.key.number]))
        self.groups(rule, groups, set(), set())

    def split(self, rule: Pass) -> None:
        groups = []
        for item in self.items:
            told = [
                one.line
                for one in self.lines
                if one.ref == item.reference and one.line.bank == item.bank and not one.marked
            ]
            one_way = len({one.amount > 0 for one in told}) == 1
            if (
                len(told) > 1
                and one_way
                and is_sum(item.amount, sum(one.amount for one in told), len(told), rule)
            ):
                groups.append(([item.reference], [one.key.number for one in told]))
        self.groups(rule, groups, set(), set())

    def batch(self, rule: Pass) -> None:
        groups = []
        for seen in self.lines:
            if len(seen.part) != 12 or seen.refs or seen.marked:
                continue
            mine = [
                one
                for one in self.items
                if one.bank == seen.line.bank
                and one.reference.replace("-", "")[3:15] == seen.part
                and (one.amount > 0) == (seen.line.amount > 0)
            ]
            if len(mine) > 1 and is_sum(sum(one.amount for one in mine), seen.line.amount, len(mine), rule):
                groups.append(([one.reference for one in mine], [seen.line.key.number]))
        self.groups(rule, groups, set(), set())

    def batch_part(self, rule: Pass) -> None:
        claimed = self.claimed()
        groups, unclear = [], set()
        for seen in self.lines:
            total = seen.line.amount
            mine = [
                one
                for one in self.items
                if self.names_file(seen) and one.bank == seen.line.bank and one.reference not in claimed
                and one.reference.replace("-", "")[3:15] == seen.part and (one.amount > 0) == (total > 0)
            ]  # fmt: skip
            if not 2 <= len(mine) <= rule.candidates_max:
                continue
            sizes: list[int] = [one.amount for one in mine]
            less = [[size - fee for size in sizes] for fee in rule.fees]
            tries: list[tuple[list[int], set[int]]] = [
                (sizes, {int(total + fee) for fee in (0, *rule.fees) if (total + fee) * total > 0}),
                *((some, {int(total)}) for some in less if all(size * total > 0 for size in some)),
            ]
            hits = [(some, wanted, chosen) for some, wanted in tries for chosen in sums(some, wanted, rule)]
            by_try = [{chosen for some, _, chosen in hits if some is one} for one, _ in tries]
            if any(len(one) > 1 for one in by_try) or sum(any(len(c) > 1 for c in one) for one in by_try) > 1:
                unclear.add(seen.line.key.number)
                continue
            for some, wanted, chosen in hits:
                if len(chosen) > 1 and not by_chance(some, chosen, total, len(wanted), rule, len(tries)):
                    groups.append(([mine[at].reference for at in chosen], [seen.line.key.number]))
        self.groups(rule, groups, set(), unclear)

    @staticmethod
    def names_file(seen: Seen) -> bool:
        return len(seen.part) == 12 and not seen.refs and not seen.marked

    def balance(self, rule: Pass) -> None:
        """Of everything that is not matched: what all ways to explain all of a party have in common."""
        gone_items = {reference for _, items, _ in self.found for reference in items}
        gone_lines = {number for _, _, lines in self.found for number in lines} | self.taken_back
        self.items = [one for one in self.every[0] if one.reference not in gone_items]
        self.lines = [one for one in self.every[1] if one.line.key.number not in gone_lines]
        claimed, groups = self.claimed(), []
        for key in {(one.bank, one.name, one.amount > 0) for one in self.items}:
            mine = [
                one
                for one in self.items
                if (one.bank, one.name, one.amount > 0) == key and one.reference not in claimed
            ]
            told = [
                one.line
                for one in self.lines
                if self.anonymous(one) and not one.part
                and (one.line.bank, one.party, one.line.amount > 0) == key
            ]  # fmt: skip
            sizes = [abs(one) for one in (*(i.amount for i in mine), *(n.amount for n in told))]
            if max(len(mine), len(told)) > rule.candidates_max or not told:
                continue
            zeros = min(len(str(one)) - len(str(one).rstrip("0")) for one in sizes)
            total = sum(one.amount for one in told)
            if sum(one.amount for one in mine) == total and abs(total) >= 100 * 10**zeros:
                each = list(ways(mine, told, rule, self.refused))
                groups += list(frozenset.intersection(*each)) if each else []
        self.groups(rule, [(sorted(items), sorted(lines)) for items, lines in groups], set(), set())

    def subset(self, rule: Pass) -> None:
        claimed = self.claimed()
        groups, unclear = [], set()
        for seen in self.lines:
            amount = seen.line.amount
            mine = [
                one
                for one in self.items
                if self.anonymous(seen) and one.reference not in claimed
                and (one.bank, one.name, one.amount > 0) == (seen.line.bank, seen.party, amount > 0)
            ]  # fmt: skip
            if not 2 <= len(mine) <= rule.candidates_max:
                continue
            mine = [one for one in mine if one.window <= seen.line.day <= last_day(one.due, rule.days_late)]
            wanted = {amount + fee for fee in (0, *rule.fees) if (amount + fee) * amount > 0}
            found = sums([one.amount for one in mine], wanted, rule)
            chosen = only([one.amount for one in mine], found, (amount, len(wanted)), rule)
            equals = [
                at
                for at in chosen
                for other in self.lines
                if self.anonymous(other)
                and stands_for(mine[at], other.line, rule)
                and other.party == mine[at].name
            ]
            if len(found) > 1 or equals:
                unclear.add(seen.line.key.number)
            elif chosen:
                groups.append(([mine[at].reference for at in chosen], [seen.line.key.number]))
        self.groups(rule, groups, set(), unclear)

    def subset_lines(self, rule: Pass) -> None:
        claimed = self.claimed()
        groups, unclear = [], set()
        for item in self.items:
            told = [
                one.line
                for one in self.lines
                if self.anonymous(one) and item.reference not in claimed
                and (one.line.bank, one.party, one.line.amount > 0) == (item.bank, item.name, item.amount > 0)
            ]  # fmt: skip
            if not 2 <= len(told) <= rule.candidates_max:
                continue
            told = [one for one in told if item.window <= one.day <= last_day(item.due, rule.days_late)]
            found = sums([one.amount for one in told], {item.amount}, rule)
            chosen = only([one.amount for one in told], found, (item.amount, 1), rule)
            equals = [
                at
                for at in chosen
                for other in self.items
                if other.reference not in claimed
                and other.name == item.name
                and stands_for(other, told[at], rule)
            ]
            if len(found) > 1 or equals:
                unclear.add(item.reference)
            elif chosen:
                groups.append(([item.reference], [told[at].key.number for at in chosen]))
        self.groups(rule, groups, unclear, set())
