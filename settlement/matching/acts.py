"""What a person does with matches, as units of the ledger's writer: undo, make by hand or out of a suggestion, reject.

Each is whole or not at all, and its document stands in the chain with who did it.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from itertools import combinations, product
from typing import TYPE_CHECKING, Any, Final

from keys.money import Sen, display
from ledger.transfer import Result
from settlement.breaks import store as breaks
from settlement.breaks.causes import severity
from settlement.breaks.kept import Cause, What
from settlement.breaks.model import undone
from settlement.breaks.opening import close_of, open_breaks
from settlement.breaks.suspense import store as suspense
from settlement.breaks.suspense.entries import leaving
from settlement.errors import MatchRefused, MatchUnknown
from settlement.matching import store
from settlement.matching.finding import store as finding
from settlement.matching.kept import ACCEPTED, BY_HAND, NewMatch, SuggestionState, pair_of, text_of
from settlement.matching.loading import store as loading
from settlement.matching.proposing import store as suggestions
from settlement.matching.running import fee_break
from settlement.matching.sides import expected_of, told_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ledger.transfer import Transfer
    from ledger.writer import Posted, Transaction
    from settlement.breaks.suspense.kept import Suspended
    from settlement.matching.kept import KeptMatch, Suggestion
    from settlement.matching.sides import Expected, Told
    from settlement.people import Person
    from settlement.statements.kept import LineKey

MEMBERS_MAX: Final = 500
"""Items and lines of one match."""


def known_match(found: KeptMatch | None, number: int) -> KeptMatch:
    """A match that was looked for by its number; raises MatchUnknown where there was none."""
    if found is None:
        raise MatchUnknown(f"no match has number {number}")
    return found


def still_waiting(found: Suggestion | None, number: int) -> Suggestion:
    """A suggestion that was looked for by its number; raises MatchUnknown, and MatchRefused where it waits no longer."""
    if found is None:
        raise MatchUnknown(f"no suggestion has number {number}")
    if found.state is not SuggestionState.WAITING:
        who = f" by {found.decided_by}" if found.decided_by else ""
        raise MatchRefused(f"suggestion {number} is {found.state.value}{who} already")
    return found


def _told(act: str, by: Person, **more: Any) -> bytes:
    return json.dumps({"settlement": act, "by": by, **more}, separators=(",", ":"), sort_keys=True).encode()


@dataclass(slots=True)
class Undo:
    """A match that a person undoes."""

    number: int
    by: Person
    why: str
    document: bytes = b""
    _found: KeptMatch | None = None

    def plan(self, tx: Transaction) -> Sequence[Transfer]:
        """Look the match up; moves no money. Raises MatchUnknown, MatchRefused."""
        self._found = found = known_match(finding.match_of(tx.reading, self.number), self.number)
        if not found.holds:
            raise MatchRefused(f"match {self.number} was undone by {found.undone_by} already")
        if found.proposal:
            raise MatchRefused(
                f"the entry of proposal {found.proposal} explains match {self.number}: propose its reversal, which undoes both"
            )
        return ()

    def settle(self, _posted: Sequence[Posted], tx: Transaction) -> None:
        """Undo it."""
        assert self._found is not None  # noqa: S101  plan came first
        undo(tx, self._found, self.by, self.why)
        self.document = _told("match undone", self.by, match=self.number, why=self.why)


def undo(tx: Transaction, found: KeptMatch, by: Person, why: str) -> None:
    """Undo a match within a unit: its members are open, each in a break of its own, and refused to each other."""
    connection, at = tx.connection, tx.received_at
    store.undo_match(connection, found.number, by, at, why)
    texts = [text_of(line) for line in found.lines]
    pairs = list(product(found.items, texts)) if found.items else list(combinations(texts, 2))
    store.refuse(connection, pairs, by, at, why)
    if found.difference:
        gone = fee_break(found).break_id
        if (kept := breaks.break_of(connection, gone)) is not None and kept.is_open:
            breaks.change(connection, gone, closed_night=tx.business_date)
            breaks.note(connection, gone, What.CLOSED, f"match {found.number} was undone", by, at)
    evidence = f"match {found.number} ({found.rule}) was undone by {by}: {why}"
    members: list[Expected | Told] = [
        *expected_of(loading.items_with(connection, found.items)),
        *told_of(loading.lines_with(connection, found.lines)),
    ]
    opened = [one for member in members for one in undone(member, evidence)]
    open_breaks(tx, [(one, Cause.NONE, severity(one, Cause.NONE)) for one in opened], by)
    store.next_generation(connection)


@dataclass(slots=True)
class Make:
    """A match that a person makes: by hand, or out of a suggestion."""

    references: tuple[str, ...]
    lines: tuple[LineKey, ...]
    by: Person
    why: str
    suggestion: Suggestion | None = None
    document: bytes = b""
    _new: NewMatch | None = None
    _inside: list[Suspended] = field(default_factory=list)

    def plan(self, tx: Transaction) -> Sequence[Transfer]:
        """Check the members, and take lines out of suspense. Raises MatchUnknown, MatchRefused."""
        reading = tx.reading
        if self.suggestion is not None:
            still_waiting(suggestions.suggestion_of(reading, self.suggestion.number), self.suggestion.number)
        self._new = self._checked(tx)
        stays = [suspense.of_line(reading, line) for line in self.lines]
        self._inside = [one for one in stays if one is not None and not one.left_position]
        return [leaving(one.bank, one.amount, tx.received_at, tx.business_date) for one in self._inside]

    def _checked(self, tx: Transaction) -> NewMatch:
        reading, references, lines = tx.reading, sorted(set(self.references)), sorted(set(self.lines))
        if not lines or len(references) + len(lines) < 2 or len(references) + len(lines) > MEMBERS_MAX:  # noqa: PLR2004  a pair
            raise MatchRefused(f"a match has a line, and 2 to {MEMBERS_MAX} members in all")
        expected = expected_of(loading.items_with(reading, references))
        told = told_of(loading.lines_with(reading, lines))
        lost = set(references) - {one.reference for one in expected} or {
            text_of(line) for line in set(lines) - {one.key for one in told}
        }
        if lost:
            raise MatchRefused(f"there is no {min(lost)}: look for it in the worklist")
        if len(banks := sorted({*(one.bank for one in expected), *(one.bank for one in told)})) > 1:
            named = " and ".join(f"{bank:04d}" for bank in banks)
            raise MatchRefused(
                f"this is of banks {named}, and the books know at which one the money is: have it moved, then match each bank's own lines"
            )
        for taken in (
            *(finding.match_of_item(reading, name) for name in references),
            *(finding.match_of_line(reading, line) for line in lines),
        ):
            if taken is not None:
                raise MatchRefused(f"match {taken.number} has a part of it already: undo that first")
        off = Sen(sum(one.amount for one in told) - sum(one.amount for one in expected))
        if not expected and off:
            raise MatchRefused(
                f"lines that take each other back must add up to nothing; these leave {display(off)}"
            )
        rule, confidence = (ACCEPTED, self.suggestion.score) if self.suggestion else (BY_HAND, 100)
        return NewMatch(told[0].bank, tuple(references), tuple(lines), rule, confidence, off, self.why)

    def settle(self, posted: Sequence[Posted], tx: Transaction) -> int:
        """Write the match; its number."""
        assert self._new is not None  # noqa: S101  plan came first
        connection, at, new = tx.connection, tx.received_at, self._new
        version = store.rules_in_force(connection).version
        (number,) = store.insert_matches(connection, [new], tx.business_date, self.by, at, version)
        pairs = {pair_of(name, line) for name in new.items for line in new.lines}
        store.allow(connection, pairs | {(text_of(a), text_of(b)) for a, b in product(new.lines, new.lines)})
        for one, entry in zip(self._inside, posted, strict=True):
            if entry.result is Result.POSTED:
                suspense.leave(connection, one.number, entry.position, at, f"match {number}")
        close_of(tx, new.items, new.lines, f"match {number}: {self.why}", self.by)
        if new.difference:
            found = fee_break(known_match(finding.match_of(connection, number), number))
            open_breaks(tx, [(found, Cause.NONE, severity(found, Cause.NONE))], self.by)
        if self.suggestion is not None:
            suggestions.decide(
                connection, self.suggestion.number, SuggestionState.ACCEPTED, self.by, at, "accepted"
            )
        store.next_generation(connection)
        told = {"items": list(new.items), "lines": [text_of(line) for line in new.lines]}
        self.document = _told("match made", self.by, match=number, why=self.why, **told)
        return number


@dataclass(slots=True)
class Reject:
    """A suggestion that a person says no to."""

    number: int
    by: Person
    why: str
    document: bytes = b""
    _found: Suggestion | None = None

    def plan(self, tx: Transaction) -> Sequence[Transfer]:
        """Look the suggestion up; moves no money. Raises MatchUnknown, MatchRefused."""
        self._found = still_waiting(suggestions.suggestion_of(tx.reading, self.number), self.number)
        return ()

    def settle(self, _posted: Sequence[Posted], tx: Transaction) -> None:
        """Write the refusal."""
        assert self._found is not None  # noqa: S101  plan came first
        connection, at = tx.connection, tx.received_at
        suggestions.decide(connection, self.number, SuggestionState.REJECTED, self.by, at, self.why)
        store.refuse(connection, [pair_of(self._found.reference, self._found.line)], self.by, at, self.why)
        store.next_generation(connection)
        self.document = _told("suggestion rejected", self.by, suggestion=self.number, why=self.why)
