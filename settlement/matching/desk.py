"""What people do with matches: run and try the rules, undo, match by hand, accept and reject suggestions.

Each act is one unit of the ledger's writer: whole or not at all, and its document stands in the chain with who did it.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field, replace
from itertools import combinations, product
from typing import TYPE_CHECKING, Any, Final

from keys.money import Sen, display
from ledger.transfer import Result
from settlement.breaks import store as breaks
from settlement.breaks.causes import severity
from settlement.breaks.classifying import undone
from settlement.breaks.kept import Cause, What
from settlement.breaks.opening import close_of, open_breaks
from settlement.breaks.suspense import store as suspense
from settlement.breaks.suspense.entries import leaving
from settlement.errors import MatchRefused, MatchUnknown, RulesInvalid
from settlement.matching import store
from settlement.matching.days import tolerant
from settlement.matching.kept import ACCEPTED, BY_HAND, NewMatch, SuggestionState, pair_of, text_of
from settlement.matching.proposing import store as suggestions
from settlement.matching.rules import RULES_NAME, parse
from settlement.matching.sides import expected_of, told_of
from settlement.matching.trying import compare
from settlement.people import NIGHT, person
from settlement.reconciling import fee_break, run_matching
from settlement.rulebook.book import Rulebook
from settlement.rulebook.model import RuleKind

if TYPE_CHECKING:
    from collections.abc import Sequence

    from keys.clock import Clock, Day
    from ledger.transfer import Transfer
    from ledger.writer import Posted, Transaction
    from settlement.books import Books
    from settlement.breaks.kept import Suspended
    from settlement.matching.days import BusinessDays
    from settlement.matching.kept import KeptMatch, Suggestion
    from settlement.matching.rules import RuleSet
    from settlement.matching.sides import Expected, Told
    from settlement.matching.trying import Changes
    from settlement.people import Person
    from settlement.reconciliation import Reconciliation
    from settlement.statements.kept import LineKey

MEMBERS_MAX: Final = 500
WHY_CHARACTERS_MAX: Final = 1_000
PAGE_MAX: Final = 500
DAYS_MAX: Final = 100
"""Days that a dry run looks at."""


class MatchingDesk:
    """Matching over one ledger, with the calendar of its banks."""

    def __init__(self, ledger: Books, calendar: BusinessDays, clock: Clock) -> None:
        self._ledger = ledger
        self._calendar = tolerant(calendar)
        self._clock = clock

    def run(self, night: Day, by: str = NIGHT) -> Reconciliation:
        """Match everything that is open; see `reconciling.run_matching`."""
        return run_matching(self._ledger, self._calendar, night, NIGHT if by == NIGHT else person(by))

    def rules(self) -> RuleSet:
        """The rules in force."""
        with self._ledger.database.transaction() as connection:
            return store.rules_in_force(connection)

    def dry_run(self, body: str, first: Day, last: Day) -> Changes:
        """What other rules (as JSON) would have made of the windows from `first` to `last`; writes nothing.

        Raises RulesInvalid, MatchRefused where the days are none or too many.
        """
        if not 0 <= last - first < DAYS_MAX:
            raise MatchRefused(f"a dry run looks at 1 to {DAYS_MAX} days: from the first to the last")
        rules = parse(body)
        with self._ledger.database.transaction() as connection:
            items, lines = store.all_between(connection, first, last)
            kept = store.matches_touching(connection, first, last)
            refused = store.refused(connection)
        return compare(items, lines, kept, rules, self._calendar, refused)

    def put_rules(self, body: str, note: str, by: str, book: Rulebook | None = None) -> RuleSet:
        """Put rules in force as the next version, for the runs from now on; `book` where the one that keeps them logs it too.

        Raises RulesInvalid, RuleRefused.
        """
        rules, said, who = parse(body), _why(note, RulesInvalid), person(by)
        before = self.rules()
        if before.sha256 == rules.sha256:
            raise RulesInvalid(f"these are the rules in force already (version {before.version})")
        book = book or Rulebook(self._ledger.database)
        content = json.loads(rules.body)
        page = book.add(RuleKind.MATCHING, RULES_NAME, content, author=who, reason=said, at=self._clock.now())
        return replace(rules, version=page.version)

    def match(self, number: int) -> KeptMatch:
        """A match, undone or not; raises MatchUnknown."""
        with self._ledger.database.transaction() as connection:
            return _match(store.match_of(connection, number), number)

    def matches(self, behind: int = 0, limit: int = 100, *, undone: bool = False) -> list[KeptMatch]:
        """Matches newest first, behind a number."""
        with self._ledger.database.transaction() as connection:
            return store.matches_page(connection, behind, min(limit, PAGE_MAX), undone=undone)

    def undo(self, number: int, by: str, why: str) -> KeptMatch:
        """Undo a match: it is kept as undone, its items and lines are open, and no rule puts them together again.

        Raises MatchUnknown; MatchRefused where it is undone already, or an entry explains its difference.
        """
        self._ledger.writer.submit(_Undo(number, person(by), _why(why))).result()
        return self.match(number)

    def pair(self, references: Sequence[str], lines: Sequence[LineKey], by: str, why: str) -> KeptMatch:
        """Match open items and lines by hand; a difference becomes a break. Raises MatchRefused."""
        unit = _Make(tuple(references), tuple(lines), person(by), _why(why))
        number: int = self._ledger.writer.submit(unit).result()
        return self.match(number)

    def suggestions(
        self, state: SuggestionState = SuggestionState.WAITING, behind: int = 0, limit: int = 100
    ) -> list[Suggestion]:
        """Suggestions in a state, by number."""
        with self._ledger.database.transaction() as connection:
            return suggestions.page(connection, state, behind, min(limit, PAGE_MAX))

    def accept(self, number: int, by: str) -> KeptMatch:
        """Make the match that a suggestion proposes. Raises MatchUnknown; MatchRefused where it waits no longer."""
        with self._ledger.database.transaction() as connection:
            one = _waiting(suggestions.suggestion_of(connection, number), number)
        unit = _Make((one.reference,), (one.line,), person(by), one.evidence, one)
        made: int = self._ledger.writer.submit(unit).result()
        return self.match(made)

    def reject(self, number: int, by: str, why: str) -> None:
        """Say no to a suggestion, for good. Raises MatchUnknown; MatchRefused where it waits no longer."""
        self._ledger.writer.submit(_Reject(number, person(by), _why(why))).result()


def _why(why: str, error: type[MatchRefused | RulesInvalid] = MatchRefused) -> str:
    if not 0 < len(why.strip()) <= WHY_CHARACTERS_MAX:
        raise error(f"say why, in 1 to {WHY_CHARACTERS_MAX} characters: others will read it")
    return why.strip()


def _match(found: KeptMatch | None, number: int) -> KeptMatch:
    if found is None:
        raise MatchUnknown(f"no match has number {number}")
    return found


def _waiting(found: Suggestion | None, number: int) -> Suggestion:
    if found is None:
        raise MatchUnknown(f"no suggestion has number {number}")
    if found.state is not SuggestionState.WAITING:
        who = f" by {found.decided_by}" if found.decided_by else ""
        raise MatchRefused(f"suggestion {number} is {found.state.value}{who} already")
    return found


def _told(act: str, by: Person, **more: Any) -> bytes:
    return json.dumps({"settlement": act, "by": by, **more}, separators=(",", ":"), sort_keys=True).encode()


@dataclass(slots=True)
class _Undo:
    number: int
    by: Person
    why: str
    document: bytes = b""
    _found: KeptMatch | None = None

    def plan(self, tx: Transaction) -> Sequence[Transfer]:
        self._found = found = _match(store.match_of(tx.reading, self.number), self.number)
        if not found.holds:
            raise MatchRefused(f"match {self.number} was undone by {found.undone_by} already")
        if found.proposal:
            raise MatchRefused(
                f"the entry of proposal {found.proposal} explains match {self.number}: propose its reversal, which undoes both"
            )
        return ()

    def settle(self, _posted: Sequence[Posted], tx: Transaction) -> None:
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
        *expected_of(store.items_with(connection, found.items)),
        *told_of(store.lines_with(connection, found.lines)),
    ]
    opened = [one for member in members for one in undone(member, evidence)]
    open_breaks(tx, [(one, Cause.NONE, severity(one, Cause.NONE)) for one in opened], by)
    store.next_generation(connection)


@dataclass(slots=True)
class _Make:
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
        reading = tx.reading
        if self.suggestion is not None:
            _waiting(suggestions.suggestion_of(reading, self.suggestion.number), self.suggestion.number)
        self._new = self._checked(tx)
        stays = [suspense.of_line(reading, line) for line in self.lines]
        self._inside = [one for one in stays if one is not None and not one.left_position]
        return [leaving(one.bank, one.amount, tx.received_at, tx.business_date) for one in self._inside]

    def _checked(self, tx: Transaction) -> NewMatch:
        reading, references, lines = tx.reading, sorted(set(self.references)), sorted(set(self.lines))
        if not lines or len(references) + len(lines) < 2 or len(references) + len(lines) > MEMBERS_MAX:  # noqa: PLR2004  a pair
            raise MatchRefused(f"a match has a line, and 2 to {MEMBERS_MAX} members in all")
        expected = expected_of(store.items_with(reading, references))
        told = told_of(store.lines_with(reading, lines))
        lost = set(references) - {one.reference for one in expected} or {
            text_of(line) for line in set(lines) - {one.key for one in told}
        }
        if lost:
            raise MatchRefused(f"there is no {min(lost)}: look for it in the worklist")
        for taken in (
            *(store.match_of_item(reading, name) for name in references),
            *(store.match_of_line(reading, line) for line in lines),
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
            found = fee_break(_match(store.match_of(connection, number), number))
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
class _Reject:
    number: int
    by: Person
    why: str
    document: bytes = b""
    _found: Suggestion | None = None

    def plan(self, tx: Transaction) -> Sequence[Transfer]:
        self._found = _waiting(suggestions.suggestion_of(tx.reading, self.number), self.number)
        return ()

    def settle(self, _posted: Sequence[Posted], tx: Transaction) -> None:
        assert self._found is not None  # noqa: S101  plan came first
        connection, at = tx.connection, tx.received_at
        suggestions.decide(connection, self.number, SuggestionState.REJECTED, self.by, at, self.why)
        store.refuse(connection, [pair_of(self._found.reference, self._found.line)], self.by, at, self.why)
        store.next_generation(connection)
        self.document = _told("suggestion rejected", self.by, suggestion=self.number, why=self.why)
