"""Root causes, where the data shows them, each with the evidence that made it say so; and how much hangs on a break. Pure.

A cause is named from what stands on the statement, in the calendar and in the journal. Where these show nothing, none is named: a
guess would send people looking in the wrong place.
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from keys.clock import Day, date_of
from keys.money import Rupiah, Sen, display, sen_of
from settlement.breaks.kept import Cause, Severity
from settlement.breaks.model import Reason
from settlement.matching.days import business_days_between

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from settlement.breaks.model import Break
    from settlement.matching.days import BusinessDays

HIGH_FROM: Final = sen_of(Rupiah(10_000_000))
LOW_BELOW: Final = sen_of(Rupiah(10_000))
FEE_TIMES_MIN: Final = 2
"""So many payments of one bank must lack the same amount before a fee is said to have changed."""
FEE_MAX: Final = sen_of(Rupiah(50_000))
_WRONG_ACCOUNT: Final = re.compile(
    r"\b(REK(ENING)?|ACCOUNT|ACC|AC\d\d|NO\.? ?REK)\b.*\b(SALAH|TIDAK|TDK|TUTUP|DITUTUP|CLOSED|INVALID|WRONG|BEDA|INCORRECT)\b"
    r"|\b(SALAH|WRONG|INVALID|INCORRECT|CLOSED) (REK(ENING)?|ACCOUNT)\b"
)
_FEE: Final = re.compile(r"\b(BIAYA|BY|FEE|ADM|ADMIN|CHARGES?|PROVISI|KLIRING)\b")
_HEAVY: Final = frozenset({Reason.WRONG_BANK, Reason.RETURNED})


@dataclass(frozen=True, slots=True)
class LateTaps:
    """Taps of a party that belong to a window's service day and came in after it closed: per terminal how many, and their sum."""

    count: int
    amount: Sen
    terminals: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Facts:
    """What causes are named from besides the breaks themselves; by item's reference `late`, and why banks `rejected` payments."""

    calendar: BusinessDays
    covered: Mapping[int, Day]
    late: Mapping[str, LateTaps] = field(default_factory=dict)
    rejected: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Named:
    """A break's cause with its evidence (both empty where nothing shows one), and its severity."""

    cause: Cause
    evidence: str
    severity: Severity


def name_causes(breaks: Sequence[Break], facts: Facts) -> list[Named]:
    """A cause for each break, in their order."""
    shared = _shared_differences(breaks)
    twins = _twins(breaks)
    named = []
    for one in breaks:
        cause, evidence = _cause(one, facts, shared, twins)
        named.append(Named(cause, evidence, severity(one, cause)))
    return named


def severity(found: Break, cause: Cause) -> Severity:
    """HIGH for ten million rupiah and more, for money at a wrong bank, sent back or paid twice; LOW below ten thousand rupiah."""
    size = abs(found.difference)
    if size >= HIGH_FROM or found.reason in _HEAVY or cause is Cause.DUPLICATE_PAYMENT:
        return Severity.HIGH
    return Severity.LOW if size < LOW_BELOW and found.reason is not Reason.AMBIGUOUS else Severity.MEDIUM


def _cause(
    found: Break, facts: Facts, shared: Counter[tuple[int, Sen]], twins: Mapping[str, tuple[str, ...]]
) -> tuple[Cause, str]:
    """What its words show, then what its reason shows."""
    text = found.line.text.upper() if found.line else ""
    if _WRONG_ACCOUNT.search(text):
        return Cause.WRONG_ACCOUNT, _said(found)
    if found.break_id in twins:
        others = ", ".join(twins[found.break_id])
        return Cause.DUPLICATE_PAYMENT, f"the same reference and amount stand on lines {others}"
    if found.reason is Reason.UNEXPECTED_ON_STATEMENT and found.shown < 0 and _FEE.search(text):
        return Cause.BANK_FEE, _said(found)
    return _by_reason(found, facts, shared)


def _said(found: Break) -> str:
    return f"the bank says: {found.line.text[:100] if found.line else '-'}"


def _by_reason(found: Break, facts: Facts, shared: Counter[tuple[int, Sen]]) -> tuple[Cause, str]:
    match found.reason:
        case Reason.WRONG_BANK:
            return Cause.WRONG_ACCOUNT, found.evidence
        case Reason.RETURNED:
            return Cause.RETURNED_PAYMENT, found.evidence
        case Reason.AMOUNT_DIFFERS:
            return _amount_differs(found, facts, shared)
        case Reason.FEE:
            return _fee(found, shared)
        case Reason.MISSING_ON_STATEMENT:
            return _missing(found, facts)
    return Cause.NONE, ""


def _missing(found: Break, facts: Facts) -> tuple[Cause, str]:
    rejected = facts.rejected.get(found.item.reference) if found.item else None
    if rejected is not None:
        return Cause.REJECTED_PAYMENT, f"the bank rejected it: {rejected}"
    return _holiday(found, facts)


def _amount_differs(found: Break, facts: Facts, shared: Counter[tuple[int, Sen]]) -> tuple[Cause, str]:
    late = facts.late.get(found.item.reference) if found.item else None
    if late is not None and abs(found.difference) == late.amount:
        terminals = ", ".join(map(str, late.terminals))
        told = f"terminal {terminals} sent {late.count} taps of that service day after the window closed: {display(late.amount)}"
        return Cause.MISSING_UPLOAD, f"{told}, which is the difference"
    return _fee(found, shared)


def _fee(found: Break, shared: Counter[tuple[int, Sen]]) -> tuple[Cause, str]:
    times = shared[(found.bank, found.difference)]
    if times >= FEE_TIMES_MIN:
        lacks = display(Sen(abs(found.difference)))
        return Cause.FEE_CHANGE, f"{times} payments of this bank are off by the same {lacks}"
    return (Cause.BANK_FEE, found.evidence) if found.reason is Reason.FEE else (Cause.NONE, "")


def _shared_differences(breaks: Sequence[Break]) -> Counter[tuple[int, Sen]]:
    off = (Reason.AMOUNT_DIFFERS, Reason.FEE)
    return Counter(
        (one.bank, one.difference) for one in breaks if one.reason in off and abs(one.difference) <= FEE_MAX
    )


def _twins(breaks: Sequence[Break]) -> dict[str, tuple[str, ...]]:
    """Breaks whose line has the reference and amount of another one: by id, the lines."""
    by_telling: dict[tuple[int, str, Sen], list[Break]] = defaultdict(list)
    for one in breaks:
        if one.line and one.line.given and not one.line.repeated:
            by_telling[(one.line.bank, one.line.given, one.line.amount)].append(one)
    twins: dict[str, tuple[str, ...]] = {}
    of_reference: dict[str, tuple[str, ...]] = {}
    for (_, given, _), group in by_telling.items():
        if len(group) > 1:
            keys = tuple(sorted(str(one.line.key) for one in group if one.line))
            twins |= {one.break_id: keys for one in group}
            of_reference[given] = keys
    return twins | {
        one.break_id: of_reference[one.item.reference]
        for one in breaks
        if one.item and one.reason is Reason.AMBIGUOUS and one.item.reference in of_reference
    }


def _holiday(found: Break, facts: Facts) -> tuple[Cause, str]:
    """The bank had no business day since the item was due, so that it could not have booked it."""
    item = found.item
    if item is None:
        return Cause.NONE, ""
    reached = facts.covered.get(item.bank, item.due)
    due_open = facts.calendar.is_bank_day(item.due)
    if due_open or business_days_between(facts.calendar, item.due, reached):
        return Cause.NONE, ""
    until = date_of(reached)
    return (
        Cause.BANK_HOLIDAY,
        f"due {date_of(item.due):%Y-%m-%d}; banks were closed from then to {until:%Y-%m-%d}",
    )
