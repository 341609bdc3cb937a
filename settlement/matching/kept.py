"""Matches, suggestions and refused pairs as they are kept: who made them, when, by which rule, and what became of them."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from keys.clock import Day, UnixMs
    from keys.money import Sen
    from settlement.people import Person
    from settlement.statements.kept import LineKey

BY_HAND: Final = "by hand"
"""The rule of a match that a person made of items and lines."""
ACCEPTED: Final = "suggestion accepted"
ADJUSTED: Final = "adjusted"
"""The rule of a match whose difference an approved entry explains."""
OF_PEOPLE: Final = frozenset({BY_HAND, ACCEPTED, ADJUSTED})


@dataclass(frozen=True, slots=True)
class KeptMatch:
    """A match: the references of its items, the lines that prove them, the rule and its confidence in percent.

    `difference` is what the lines show less what was expected. `rules` is the version of the rules, `proposal` the number of the
    entry that explains the difference (0: none does). `undone_by` is empty while the match holds.
    """

    number: int
    bank: int
    items: tuple[str, ...]
    lines: tuple[LineKey, ...]
    rule: str
    rules: int
    confidence: int
    difference: Sen
    evidence: str
    night: Day
    made_by: Person
    made_at: UnixMs
    proposal: int
    undone_by: str
    undone_at: UnixMs
    undone_why: str

    @property
    def holds(self) -> bool:
        """True while nobody has undone it."""
        return not self.undone_by


@dataclass(frozen=True, slots=True)
class NewMatch:
    """A match before it has its number."""

    bank: int
    items: tuple[str, ...]
    lines: tuple[LineKey, ...]
    rule: str
    confidence: int
    difference: Sen
    evidence: str = ""
    proposal: int = 0


class SuggestionState(StrEnum):
    """What became of a suggestion. GONE: its item or line was matched otherwise, or it is no longer likely."""

    WAITING = "waiting"
    ACCEPTED = "accepted"
    REJECTED = "rejected"
    GONE = "gone"


@dataclass(frozen=True, slots=True)
class Suggestion:
    """An item and a line that may well belong together: a person decides. `score` in percent."""

    number: int
    reference: str
    line: LineKey
    score: int
    evidence: str
    night: Day
    state: SuggestionState
    decided_by: str
    decided_at: UnixMs
    decided_why: str


@dataclass(frozen=True, slots=True)
class Likely:
    """A suggestion before it has its number."""

    reference: str
    line: LineKey
    score: int
    evidence: str


def pair_of(one: str, line: LineKey) -> tuple[str, str]:
    """An item and a line as the text of a refused pair."""
    return one, text_of(line)


def text_of(line: LineKey) -> str:
    """A line as text: digest, statement, number."""
    return f"{line.sha256}/{line.statement}/{line.number}"
