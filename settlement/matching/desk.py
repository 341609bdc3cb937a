"""What people do with matches: run and try the rules, undo, match by hand, accept and reject suggestions.

Each act is one unit of the ledger's writer: whole or not at all, and its document stands in the chain with who did it.
"""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING, Final

from settlement.errors import MatchRefused, RulesInvalid
from settlement.matching import store
from settlement.matching.acts import Make, Reject, Undo, known_match, still_waiting
from settlement.matching.days import tolerant
from settlement.matching.finding import store as finding
from settlement.matching.kept import SuggestionState
from settlement.matching.loading import store as loading
from settlement.matching.proposing import store as suggestions
from settlement.matching.rules import RULES_NAME, parse
from settlement.matching.running import run_matching
from settlement.matching.trying import compare
from settlement.people import NIGHT, person
from settlement.rulebook.book import Rulebook
from settlement.rulebook.model import RuleKind

if TYPE_CHECKING:
    from collections.abc import Sequence

    from keys.clock import Clock, Day
    from settlement.books import Books
    from settlement.matching.days import BusinessDays
    from settlement.matching.kept import KeptMatch, Suggestion
    from settlement.matching.rules import RuleSet
    from settlement.matching.trying import Changes
    from settlement.reconciliation import Reconciliation
    from settlement.statements.kept import LineKey

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
        """Match everything that is open; see `matching.running.run_matching`."""
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
            items, lines = loading.all_between(connection, first, last)
            kept = finding.matches_touching(connection, first, last)
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
            return known_match(finding.match_of(connection, number), number)

    def matches(self, behind: int = 0, limit: int = 100, *, undone: bool = False) -> list[KeptMatch]:
        """Matches newest first, behind a number."""
        with self._ledger.database.transaction() as connection:
            return finding.matches_page(connection, behind, min(limit, PAGE_MAX), undone=undone)

    def undo(self, number: int, by: str, why: str) -> KeptMatch:
        """Undo a match: it is kept as undone, its items and lines are open, and no rule puts them together again.

        Raises MatchUnknown; MatchRefused where it is undone already, or an entry explains its difference.
        """
        self._ledger.writer.submit(Undo(number, person(by), _why(why))).result()
        return self.match(number)

    def pair(self, references: Sequence[str], lines: Sequence[LineKey], by: str, why: str) -> KeptMatch:
        """Match open items and lines by hand; a difference becomes a break. Raises MatchRefused."""
        unit = Make(tuple(references), tuple(lines), person(by), _why(why))
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
            one = still_waiting(suggestions.suggestion_of(connection, number), number)
        unit = Make((one.reference,), (one.line,), person(by), one.evidence, one)
        made: int = self._ledger.writer.submit(unit).result()
        return self.match(made)

    def reject(self, number: int, by: str, why: str) -> None:
        """Say no to a suggestion, for good. Raises MatchUnknown; MatchRefused where it waits no longer."""
        self._ledger.writer.submit(Reject(number, person(by), _why(why))).result()


def _why(why: str, error: type[MatchRefused | RulesInvalid] = MatchRefused) -> str:
    if not 0 < len(why.strip()) <= WHY_CHARACTERS_MAX:
        raise error(f"say why, in 1 to {WHY_CHARACTERS_MAX} characters: others will read it")
    return why.strip()
