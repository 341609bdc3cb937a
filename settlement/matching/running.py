"""The night's matching over a ledger: read what is open, match outside the writer, and have the writer keep what was found.

What a person changes meanwhile shows in the generation: then it is computed again. So no two runs match the same line, and nobody's
taps wait for a matching. Running it again changes nothing.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

import polars as pl

from keys.money import Sen
from ledger.transfer import Result
from settlement.breaks import store as breaks
from settlement.breaks.causes import Facts
from settlement.breaks.evidence.store import late_taps
from settlement.breaks.keeping import keep_breaks
from settlement.breaks.kept import What
from settlement.breaks.model import Break, Reason
from settlement.breaks.suspense import store as suspense
from settlement.breaks.suspense.entries import entering, leaving
from settlement.errors import MatchRefused
from settlement.matching import store
from settlement.matching.days import tolerant
from settlement.matching.finding import store as finding
from settlement.matching.loading import store as loading
from settlement.matching.proposing import store as suggestions
from settlement.matching.suggesting import suggest
from settlement.payments import store as payments
from settlement.people import NIGHT, Person
from settlement.reconciliation import reconcile

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from keys.clock import Day
    from ledger.transfer import Transfer
    from ledger.writer import Posted, Transaction
    from settlement.books import Books
    from settlement.breaks.suspense.kept import Suspended
    from settlement.matching.days import BusinessDays
    from settlement.matching.kept import KeptMatch, Likely
    from settlement.reconciliation import Reconciliation
    from settlement.statements.kept import LineKey

TRIES_MAX: Final = 5


@dataclass(frozen=True, slots=True)
class Read:
    """What a run computed, and the generation that it read."""

    generation: int
    rules: int
    result: Reconciliation
    likely: tuple[Likely, ...]
    facts: Facts


def run_matching(ledger: Books, calendar: BusinessDays, night: Day, by: Person = NIGHT) -> Reconciliation:
    """Match everything that is open, of whatever window, and keep what was found.

    Raises MatchRefused where people changed matches all the while; nothing is half done.
    """
    for _ in range(TRIES_MAX):
        read = compute(ledger, calendar)
        if ledger.writer.submit(Keep(read, night, by)).result():
            return read.result
    raise MatchRefused(
        "matches were changed while they were being computed, again and again: run it once more"
    )


def compute(ledger: Books, calendar: BusinessDays) -> Read:
    """Everything that a run finds, of one moment; writes nothing."""
    calendar = tolerant(calendar)
    with ledger.database.transaction() as connection:
        generation, rules = store.generation(connection), store.rules_in_force(connection)
        items, lines = loading.open_items(connection), loading.open_lines(connection)
        covered, refused = loading.covered(connection), store.refused(connection)

        def paid(references: Collection[str]) -> dict[str, tuple[int, Sen]]:
            proven = finding.matches_since(connection, references)
            amounts = loading.items_with(connection, sorted(proven)).select("reference", "amount").rows()
            return {reference: (proven[reference].number, Sen(amount)) for reference, amount in amounts}

        result = reconcile(items, lines, rules, calendar, covered, refused, paid)
        off = [
            one.item.reference for one in result.breaks if one.item and one.reason is Reason.AMOUNT_DIFFERS
        ]
        facts = Facts(calendar, covered, late_taps(connection, off), payments.why_rejected(connection))
    left_items = items.join(
        pl.DataFrame({"reference": sorted(_left_items(result))}, {"reference": pl.String}),
        on="reference",
        how="semi",
    )
    left_lines = lines.filter(
        ~pl.int_range(pl.len(), dtype=pl.UInt32).is_in(result.found.of_lines["l"].implode())
    )
    likely = suggest(left_items, left_lines, refused, rules.suggest_from)
    return Read(generation, rules.version, result, tuple(likely), facts)


def _left_items(result: Reconciliation) -> set[str]:
    return {one.reference for one in result.waiting} | {
        one.item.reference for one in result.breaks if one.item
    }


@dataclass(slots=True)
class Keep:
    """The unit that keeps what a run found. Answers whether it did: False where something was changed since it was read."""

    read: Read
    night: Day
    by: Person
    document: bytes = b""
    _stale: bool = False
    _leaving: list[Suspended] = field(default_factory=list)
    _entering: list[Break] = field(default_factory=list)

    def plan(self, tx: Transaction) -> Sequence[Transfer]:
        """Entries for lines that nobody knows, and back for those that are known now."""
        self._stale = store.generation(tx.reading) != self.read.generation
        if self._stale:
            return ()
        inside = {one.line: one for one in suspense.inside(tx.reading)}
        matched = _lines_of(self.read.result) if inside else set()
        self._leaving = [one for line, one in inside.items() if line in matched]
        self._entering = [
            one
            for one in self.read.result.breaks
            if one.reason is Reason.UNEXPECTED_ON_STATEMENT and one.line and one.line.key not in inside
        ]
        out = [leaving(one.bank, one.amount, tx.received_at, self.night) for one in self._leaving]
        return out + [entering(one.bank, one.shown, tx.received_at, self.night) for one in self._entering]

    def settle(self, posted: Sequence[Posted], tx: Transaction) -> bool:
        """Keep matches, breaks, suspense and suggestions."""
        if self._stale:
            return False
        at, connection = tx.received_at, tx.connection
        before = store.generation(connection)
        made = store.insert_matches(
            connection, self.read.result.each_match(), self.night, self.by, at, self.read.rules
        )
        changed = len(made) > 0
        every = [*self.read.result.breaks, *(fee_break(one) for one in finding.with_difference(connection))]
        changed |= keep_breaks(tx, every, self.read.facts, self.night)
        became = list(posted)
        for one, entry in zip(self._leaving, became, strict=False):
            if entry.result is Result.POSTED:
                suspense.leave(connection, one.number, entry.position, at, "matched")
        entered = [
            (one, entry.position)
            for one, entry in zip(self._entering, became[len(self._leaving) :], strict=True)
            if entry.result is Result.POSTED and one.line
        ]
        rows = [(one.line.key, one.bank, one.shown, position) for one, position in entered if one.line]
        suspense.enter(connection, rows, self.night, at)
        for found, position in entered:
            breaks.note(connection, found.break_id, What.SUSPENSE, f"by the entry at {position}", NIGHT, at)
        changed |= suggestions.keep(connection, self.read.likely, self.night, at)
        if changed and before == store.generation(connection):
            store.next_generation(connection)
        return True


def _lines_of(result: Reconciliation) -> set[LineKey]:
    return {line for one in result.each_match() for line in one.lines}


def fee_break(found: KeptMatch) -> Break:
    """The break of a match that holds but for a difference."""
    return Break(
        Reason.FEE, None, None, f"match {found.number} ({found.rule}): {found.evidence}", found.number,
        found.difference, found.bank, found.night,
    )  # fmt: skip
