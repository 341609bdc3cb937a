"""What matching leaves over, sorted by reason. Pure, and the same every time.

See `breaks.model` for the reasons. An item whose due day no statement has reached yet is no break: it waits.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from keys.clock import Day, date_of
from keys.money import Sen, display
from settlement.breaks.model import Break, Left, Reason, undone

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from settlement.matching.sides import Expected, Told
    from settlement.statements.kept import LineKey

CANDIDATES_TOLD: Final = 5


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
    claims = [(item, by_reference.get(item.told or item.reference, [])) for item in items]
    return [one for item, claim in claims for one in _claimed(item, claim)]


def _claimed(item: Expected, lines: Sequence[Told]) -> list[Break]:
    """What is to be said of an item whose reference stands on some lines, perhaps none."""
    if not lines:
        return []
    if len(lines) == 1:
        (line,) = lines
        if (line.bank, line.amount) != (item.bank, item.amount):
            return [_differs(item, line)]
        return [
            *undone(item, "a person said that it and its line do not belong together"),
            *undone(line, "a person said that it and its item do not belong together"),
        ]
    named = ", ".join(str(line.key) for line in lines[:CANDIDATES_TOLD])
    which = f"could be line {named}: more than one carries its reference"
    rival = f"one of {len(lines)} lines with reference {item.reference}"
    return [
        Break(Reason.AMBIGUOUS, item, None, which),
        *(_of_line(Reason.AMBIGUOUS, line, rival) for line in lines),
    ]


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


def _of_line(reason: Reason, line: Told, evidence: str) -> Break:
    return Break(reason, None, line, evidence)
