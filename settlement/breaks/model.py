"""A break: an item or a line that is left over, with its reason, its evidence and its difference in sen.

| reason | what is there |
|---|---|
| AMOUNT_DIFFERS | item and line share the reference, not the amount |
| WRONG_BANK | the item's reference stands on another bank's statement |
| AMBIGUOUS | more than one candidate: people decide |
| DUPLICATE_LINE | the bank told the same line twice |
| RETURNED | a line takes back one that a match counts as paid |
| UNDONE | a person undid the match of this item or line |
| FEE | a match holds, but the bank kept a fee, or cut off sen, that the books do not have |
| MISSING_ON_STATEMENT | the bank's statements reach the item's due day and do not show it |
| UNEXPECTED_ON_STATEMENT | nothing of ours explains the line: it goes to the bank's suspense account |
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from keys.clock import Day
from keys.money import Sen
from settlement.matching.sides import Expected, Told

NO_DAY: Final = Day(0)


class Reason(StrEnum):
    """Why something is left over."""

    AMOUNT_DIFFERS = "amount differs"
    WRONG_BANK = "wrong bank"
    AMBIGUOUS = "ambiguous"
    DUPLICATE_LINE = "duplicate line"
    RETURNED = "returned"
    UNDONE = "match undone"
    FEE = "fee kept by the bank"
    MISSING_ON_STATEMENT = "missing on statement"
    UNEXPECTED_ON_STATEMENT = "unexpected on statement"


@dataclass(frozen=True, slots=True)
class Break:
    """An item, a line, or one of each that do not agree; or a match with a difference. `evidence` is a sentence for people.

    `match` is the number of the match that a FEE is about, `off` its difference.
    """

    reason: Reason
    item: Expected | None
    line: Told | None
    evidence: str
    match: int = 0
    off: Sen = Sen(0)
    of_bank: int = 0
    of_day: Day = NO_DAY

    @property
    def break_id(self) -> str:
        """The same for the same item, line, match and reason, whenever it is found."""
        parts = [
            self.reason.value,
            self.item.reference if self.item else "",
            str(self.line.key) if self.line else "",
            *([str(self.match)] if self.match else []),
        ]
        return f"BRK-{hashlib.sha256('|'.join(parts).encode()).hexdigest()[:12]}"

    @property
    def bank(self) -> int:
        """The bank whose account it touches: the line's, else the item's, else the match's."""
        return self.line.bank if self.line else self.item.bank if self.item else self.of_bank

    @property
    def since(self) -> Day:
        """From which day its age counts: the line's value date, else the item's due day, else the match's night."""
        return self.line.day if self.line else self.item.due if self.item else self.of_day

    @property
    def shown(self) -> Sen:
        """What its line shows; 0 without one."""
        return self.line.amount if self.line else Sen(0)

    @property
    def difference(self) -> Sen:
        """What the bank shows less what was expected."""
        return Sen(self.shown - (self.item.amount if self.item else 0) + self.off)


@dataclass(frozen=True, slots=True)
class Left:
    """Everything that was not matched: breaks, and items that no statement could show yet."""

    breaks: tuple[Break, ...]
    waiting: tuple[Expected, ...]


def undone(side: Expected | Told, evidence: str) -> list[Break]:
    """The break of an item or a line whose match was undone."""
    if isinstance(side, Told):
        return [Break(Reason.UNDONE, None, side, evidence)]
    return [Break(Reason.UNDONE, side, None, evidence)]
