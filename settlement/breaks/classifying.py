"""What matching leaves over, each with a reason, its evidence and the difference in sen. Pure, and the same every time.

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

An item whose due day no statement has reached yet is no break: it waits.
"""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, Final

from keys.clock import Day, date_of
from keys.money import Sen, display
from settlement.matching.sides import Expected, Told

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from settlement.statements.kept import LineKey

CANDIDATES_TOLD: Final = 5
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


Paid = Callable[[Collection[str]], Mapping[str, tuple[int, Sen]]]


@dataclass(frozen=True, slots=True)
class Known:
    """What classifying has to know besides: the passes in which items and lines had more than one candidate, by reference and key.

    `covered` says up to which day the statements of each bank reach; `paid` tells, of some references, the items that matches prove:
    the match's number and the item's amount.
    """

    covered: Mapping[int, Day]
    unclear_items: Mapping[str, str] = field(default_factory=dict)
    unclear_lines: Mapping[LineKey, str] = field(default_factory=dict)
    paid: Paid = lambda _: {}


def classify(items: Sequence[Expected], lines: Sequence[Told], known: Known) -> Left:
    """What is left after matching, each item and line in one place only."""
    fresh = [line for line in lines if not line.repeated]
    found = [
        *(
            _of_line(Reason.DUPLICATE_LINE, line, "the bank has told this line before")
            for line in lines
            if line.repeated
        ),
        *_unclear(items, fresh, known),
    ]
    _add(found, _same_reference(*_rest(found, items, fresh)))
    _add(found, _returned(_rest(found, items, fresh)[1], known))
    rest, unknown = _rest(found, items, fresh)
    waiting = tuple(item for item in rest if known.covered.get(item.bank, -1) < item.due)
    found += [_missing(item) for item in rest if known.covered.get(item.bank, -1) >= item.due]
    found += [_unexpected(line) for line in unknown]
    return Left(tuple(found), waiting)


def _add(found: list[Break], more: Iterable[Break]) -> None:
    found += list(more)


def _rest(
    found: Sequence[Break], items: Sequence[Expected], lines: Sequence[Told]
) -> tuple[list[Expected], list[Told]]:
    told_items = {one.item.reference for one in found if one.item}
    told_lines = {one.line.key for one in found if one.line}
    return (
        [item for item in items if item.reference not in told_items],
        [line for line in lines if line.key not in told_lines],
    )


def _unclear(items: Sequence[Expected], lines: Sequence[Told], known: Known) -> list[Break]:
    """Items and lines that a pass found more than one candidate for, each with what else is unclear for the same amount."""
    unclear_items = [item for item in items if item.reference in known.unclear_items]
    unclear_lines = [line for line in lines if line.key in known.unclear_lines]
    items_by, lines_by = defaultdict(list), defaultdict(list)
    for item in unclear_items:
        items_by[(item.bank, abs(item.amount))].append(item.reference)
    for line in unclear_lines:
        lines_by[(line.bank, abs(line.amount))].append(str(line.key))
    found = []
    for item in unclear_items:
        rivals = lines_by[(item.bank, abs(item.amount))]
        found.append(
            Break(Reason.AMBIGUOUS, item, None, _several(known.unclear_items[item.reference], "line", rivals))
        )
    for line in unclear_lines:
        rivals = items_by[(line.bank, abs(line.amount))]
        found.append(
            _of_line(Reason.AMBIGUOUS, line, _several(known.unclear_lines[line.key], "item", rivals))
        )
    return found


def _several(rule: str, what: str, rivals: Sequence[str]) -> str:
    told = f"by {rule}: more than one candidate fits equally well"
    named = ", ".join(sorted(rivals)[:CANDIDATES_TOLD])
    more = f" and {len(rivals) - CANDIDATES_TOLD} more" if len(rivals) > CANDIDATES_TOLD else ""
    return f"{told}; it could be {what} {named}{more}" if rivals else told


def _same_reference(items: Sequence[Expected], lines: Sequence[Told]) -> list[Break]:
    """Open items whose reference stands on lines all the same."""
    by_reference: dict[str, list[Told]] = defaultdict(list)
    for line in lines:
        by_reference[line.given].append(line)
    found: list[Break] = []
    for item in items:
        claims = by_reference.get(item.told or item.reference, [])
        if len(claims) == 1 and (claims[0].bank, claims[0].amount) == (item.bank, item.amount):
            found += undone(item, "a person said that it and its line do not belong together")
            found += undone(claims[0], "a person said that it and its item do not belong together")
        elif len(claims) == 1:
            found.append(_differs(item, claims[0]))
        elif claims:
            named = ", ".join(str(line.key) for line in claims[:CANDIDATES_TOLD])
            found.append(
                Break(
                    Reason.AMBIGUOUS,
                    item,
                    None,
                    f"could be line {named}: more than one carries its reference",
                )
            )
            found += [
                _of_line(
                    Reason.AMBIGUOUS, line, f"one of {len(claims)} lines with reference {item.reference}"
                )
                for line in claims
            ]
    return found


def _returned(lines: Sequence[Told], known: Known) -> list[Break]:
    """Lines with the reference of an item that is proven already, the other way."""
    found = []
    paid = known.paid({line.given for line in lines if line.given})
    for line in lines:
        number, amount = paid.get(line.given, (0, Sen(0)))
        if number and line.amount * amount < 0:
            told = f"it takes back {line.given}, which match {number} counts as paid: look at that match, undo it if so"
            found.append(_of_line(Reason.RETURNED, line, told))
    return found


def _differs(item: Expected, line: Told) -> Break:
    if line.bank != item.bank:
        return Break(
            Reason.WRONG_BANK, item, line, f"expected at bank {item.bank:04d}, shown by bank {line.bank:04d}"
        )
    shown, expected = display(line.amount), display(item.amount)
    return Break(Reason.AMOUNT_DIFFERS, item, line, f"the bank shows {shown}, {expected} was expected")


def _missing(item: Expected) -> Break:
    return Break(
        Reason.MISSING_ON_STATEMENT,
        item,
        None,
        f"due {date_of(item.due):%Y-%m-%d}, and the bank's statements reach that day without it",
    )


def _unexpected(line: Told) -> Break:
    carried = f"its reference {line.given[:40]} is open nowhere" if line.given else "it carries no reference"
    return _of_line(
        Reason.UNEXPECTED_ON_STATEMENT, line, f"{carried}; the bank says: {line.text[:100] or '-'}"
    )


def undone(side: Expected | Told, evidence: str) -> list[Break]:
    """The break of an item or a line whose match was undone."""
    if isinstance(side, Told):
        return [Break(Reason.UNDONE, None, side, evidence)]
    return [Break(Reason.UNDONE, side, None, evidence)]


def _of_line(reason: Reason, line: Told, evidence: str) -> Break:
    return Break(reason, None, line, evidence)
