"""Breaks: what matching leaves over, each with a reason, its evidence and the difference in sen. Pure, and the same every time.

| reason | what is there |
|---|---|
| AMOUNT_DIFFERS | item and line share the reference, not the amount |
| WRONG_BANK | the item's reference stands on another bank's statement |
| AMBIGUOUS | more than one candidate: people decide |
| DUPLICATE_LINE | the bank told the same line twice |
| MISSING_ON_STATEMENT | the bank's statements reach the item's due day and do not show it |
| UNEXPECTED_ON_STATEMENT | nothing of ours explains the line |

An item whose due day no statement has reached yet is no break: it waits.
"""

from __future__ import annotations

import hashlib
from collections import defaultdict
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

from keys.clock import Day, date_of
from keys.money import Sen, display
from settlement.matching.exact import date_candidates

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from settlement.items import Item
    from settlement.statements.kept import BankLine


class Reason(StrEnum):
    """Why something is left over."""

    AMOUNT_DIFFERS = "amount differs"
    WRONG_BANK = "wrong bank"
    AMBIGUOUS = "ambiguous"
    DUPLICATE_LINE = "duplicate line"
    MISSING_ON_STATEMENT = "missing on statement"
    UNEXPECTED_ON_STATEMENT = "unexpected on statement"


@dataclass(frozen=True, slots=True)
class Break:
    """An item, a line, or one of each that do not agree. `evidence` is a sentence for those who work it."""

    reason: Reason
    item: Item | None
    line: BankLine | None
    evidence: str

    @property
    def break_id(self) -> str:
        """The same for the same item, line and reason, whenever it is found."""
        parts = (
            self.reason.value,
            self.item.reference if self.item else "",
            str(self.line.key) if self.line else "",
        )
        return f"BRK-{hashlib.sha256('|'.join(parts).encode()).hexdigest()[:12]}"

    @property
    def bank(self) -> int:
        """The bank whose account it touches: the line's, else the item's."""
        return self.line.bank if self.line else self.item.bank if self.item else 0

    @property
    def difference(self) -> Sen:
        """What the bank shows less what was expected."""
        shown = self.line.line.amount if self.line else 0
        return Sen(shown - (self.item.amount if self.item else 0))


@dataclass(frozen=True, slots=True)
class Left:
    """Everything that was not matched: breaks, and items that no statement could show yet."""

    breaks: tuple[Break, ...]
    waiting: tuple[Item, ...]


def classify(items: Sequence[Item], lines: Sequence[BankLine], covered: Mapping[int, Day]) -> Left:
    """What is left after matching, each item and line in one place only.

    `covered` says up to which day the statements of each bank reach.
    """
    fresh = [line for line in lines if not line.repeated]
    found = [
        *(
            _of_line(Reason.DUPLICATE_LINE, line, "the bank has told this line before")
            for line in lines
            if line.repeated
        ),
        *_same_reference(items, fresh),
        *_several_dates(items, fresh),
    ]
    told_items = {one.item.reference for one in found if one.item}
    told_lines = {one.line.key for one in found if one.line}
    rest = [item for item in items if item.reference not in told_items]
    waiting = tuple(item for item in rest if covered.get(item.bank, -1) < item.due)
    found += [_missing(item) for item in rest if covered.get(item.bank, -1) >= item.due]
    found += [_unexpected(line) for line in fresh if line.key not in told_lines]
    return Left(tuple(found), waiting)


def _same_reference(items: Sequence[Item], lines: Sequence[BankLine]) -> list[Break]:
    """Open items whose reference stands on lines all the same."""
    by_reference: dict[str, list[BankLine]] = defaultdict(list)
    for line in lines:
        by_reference[line.reference].append(line)
    found: list[Break] = []
    for item in items:
        claims = by_reference.get(item.reference, [])
        if len(claims) == 1:
            found.append(_differs(item, claims[0]))
        elif claims:
            found += _ambiguous(item, claims)
            found += [
                _of_line(
                    Reason.AMBIGUOUS, line, f"one of {len(claims)} lines with reference {item.reference}"
                )
                for line in claims
            ]
    return found


def _several_dates(items: Sequence[Item], lines: Sequence[BankLine]) -> list[Break]:
    """Items and lines that amount and date would match, were they the only ones."""
    found: list[Break] = []
    rivals: dict[BankLine, list[str]] = defaultdict(list)
    candidates_of = date_candidates(items, lines)
    for item in items:
        candidates = candidates_of[item.reference]
        found += _ambiguous(item, candidates) if candidates else []
        for line in candidates:
            rivals[line].append(item.reference)
    return found + [
        _of_line(Reason.AMBIGUOUS, line, f"could be {', '.join(references[:10])}")
        for line, references in rivals.items()
    ]


def _ambiguous(item: Item, candidates: Sequence[BankLine]) -> list[Break]:
    keys = ", ".join(str(line.key) for line in candidates[:10])
    return [Break(Reason.AMBIGUOUS, item, None, f"could be line {keys}: more than one fits")]


def _differs(item: Item, line: BankLine) -> Break:
    if line.bank != item.bank:
        return Break(
            Reason.WRONG_BANK, item, line, f"expected at bank {item.bank:04d}, shown by bank {line.bank:04d}"
        )
    shown, expected = display(line.line.amount), display(item.amount)
    return Break(Reason.AMOUNT_DIFFERS, item, line, f"the bank shows {shown}, {expected} was expected")


def _missing(item: Item) -> Break:
    return Break(
        Reason.MISSING_ON_STATEMENT,
        item,
        None,
        f"due {date_of(item.due):%Y-%m-%d}, and the bank's statements reach that day without it",
    )


def _unexpected(line: BankLine) -> Break:
    carried = (
        f"its reference {line.reference[:40]} is open nowhere"
        if line.reference
        else "it carries no reference"
    )
    return _of_line(
        Reason.UNEXPECTED_ON_STATEMENT, line, f"{carried}; the bank says: {line.line.text[:100] or '-'}"
    )


def _of_line(reason: Reason, line: BankLine, evidence: str) -> Break:
    return Break(reason, None, line, evidence)
