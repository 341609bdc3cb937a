"""What matching leaves: every item and line in one place, a reason for each, the sums of both sides, and causes with their evidence."""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings

from keys.clock import Day
from keys.money import Sen
from settlement.breaks.causes import Facts, LateTaps, name_causes
from settlement.breaks.kept import Cause, Severity
from settlement.breaks.model import Reason
from settlement.matching.days import Weekdays
from settlement.matching.rules import SHIPPED
from settlement.reconciliation import Reconciliation, reconcile
from tests.settlement.sides import item, item_columns, line, line_columns, reference
from tests.settlement.test_settlement_matching import LONG, sides
from tests.settlement.town import BNI, DAY, MANDIRI

if TYPE_CHECKING:
    from settlement.matching.sides import Expected, Told
    from tests.settlement.sides import Seen

REACHED = {BNI: Day(DAY + 5), MANDIRI: Day(DAY + 5)}


def left(items: list[Expected], lines: list[Told], covered: dict[int, Day] | None = None) -> Reconciliation:
    return reconcile(item_columns(items), line_columns(lines), SHIPPED, Weekdays(), covered or REACHED)


def reasons(done: Reconciliation) -> list[Reason]:
    return sorted(one.reason for one in done.breaks)


@settings(max_examples=1_000 if LONG else 60, deadline=None)
@given(drawn=sides())
def test_every_item_and_line_ends_in_exactly_one_place_and_both_sides_add_up(
    drawn: tuple[list[Expected], list[Seen]],
) -> None:
    items, lines = drawn[0], [one.line for one in drawn[1]]
    done = left(items, lines)
    in_items = [name for one in done.matches for name in one.items]
    in_items += [one.item.reference for one in done.breaks if one.item] + [
        one.reference for one in done.waiting
    ]
    in_lines = [key for one in done.matches for key in one.lines]
    in_lines += [one.line.key for one in done.breaks if one.line]
    assert sorted(in_items) == sorted(one.reference for one in items)
    assert sorted(in_lines) == sorted(one.key for one in lines)
    assert len({one.break_id for one in done.breaks}) == len(done.breaks)
    movement = sum(one.amount for one in lines)
    assert done.matched + done.in_breaks == movement
    expected = sum(one.amount for one in items) - sum(one.amount for one in done.waiting)
    assert done.difference == movement - expected


@settings(max_examples=300 if LONG else 15, deadline=None)
@given(drawn=sides())
def test_what_is_left_stays_left_when_it_is_looked_at_again(drawn: tuple[list[Expected], list[Seen]]) -> None:
    items, lines = drawn[0], [one.line for one in drawn[1]]
    first = left(items, lines)
    assert {one.break_id for one in left(items[::-1], lines[::-1]).breaks} == {
        one.break_id for one in first.breaks
    }


@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        ([line(1, -150_00, reference(1))], [Reason.AMOUNT_DIFFERS]),
        ([line(1, -100_00, reference(1), bank=MANDIRI)], [Reason.WRONG_BANK]),
        ([line(1, given=reference(1)), line(2, given=reference(1))], [Reason.AMBIGUOUS] * 3),
        ([line(1, given=reference(777))], [Reason.MISSING_ON_STATEMENT, Reason.UNEXPECTED_ON_STATEMENT]),
        ([line(1, 7)], [Reason.MISSING_ON_STATEMENT, Reason.UNEXPECTED_ON_STATEMENT]),
        ([line(1, given=reference(1)), line(2, given=reference(1), repeated=True)], [Reason.DUPLICATE_LINE]),
        ([], [Reason.MISSING_ON_STATEMENT]),
    ],
)
def test_what_does_not_match_has_a_reason(lines: list[Told], expected: list[Reason]) -> None:
    assert reasons(left([item(1)], lines)) == expected


def test_a_break_tells_the_difference_and_the_evidence() -> None:
    (found,) = left([item(1, -3_500_00)], [line(1, -3_600_50, reference(1))]).breaks
    assert (found.difference, found.bank) == (Sen(-100_50), BNI)
    assert found.evidence == "the bank shows -Rp3.600,50, -Rp3.500 was expected"


def test_an_item_waits_until_a_statement_reaches_its_day() -> None:
    done = left([item(1, days=2)], [], {BNI: Day(DAY + 1)})
    assert (len(done.waiting), done.breaks) == (1, ())
    assert reasons(left([item(1, days=2)], [], {BNI: Day(DAY + 2)})) == [Reason.MISSING_ON_STATEMENT]


def causes(
    items: list[Expected],
    lines: list[Told],
    *,
    late: dict[str, LateTaps] | None = None,
    closed: date | None = None,
) -> list[tuple[Cause, str]]:
    """Causes that are named, with their evidence, in order."""
    calendar = Weekdays(frozenset({closed} if closed else ()))
    covered = {BNI: Day(DAY), MANDIRI: Day(DAY)}
    done = reconcile(item_columns(items), line_columns(lines), SHIPPED, calendar, covered)
    named = name_causes(done.breaks, Facts(calendar, covered, late or {}))
    return sorted((one.cause, one.evidence) for one in named if one.cause is not Cause.NONE)


def test_a_duplicate_payment_is_named_with_both_of_its_lines() -> None:
    found = causes([item(1)], [line(1, given=reference(1)), line(2, given=reference(1))])
    assert [cause for cause, _ in found] == [Cause.DUPLICATE_PAYMENT] * 3
    assert {evidence for _, evidence in found} == {
        "the same reference and amount stand on lines abababababab/1/1, abababababab/1/2"
    }


def test_a_fee_that_changed_is_named_where_several_payments_lack_the_same() -> None:
    items = [item(number, -number * 1_000_000_00) for number in (1, 2, 3)]
    lines = [line(number, -number * 1_000_000_00 - 4_000_00, reference(number)) for number in (1, 2)]
    lines.append(line(3, -3_900_000_00, reference(3)))
    assert (
        causes(items, lines)
        == [(Cause.FEE_CHANGE, "2 payments of this bank are off by the same Rp4.000")] * 2
    )


def test_a_bank_holiday_is_named_where_no_business_day_has_come_since() -> None:
    assert causes([item(1)], [], closed=date(2026, 11, 18)) == [
        (Cause.BANK_HOLIDAY, "due 2026-11-18; banks were closed from then to 2026-11-18")
    ]
    assert causes([item(1)], []) == []


def test_a_wrong_account_is_named_by_the_other_bank_or_by_what_the_bank_says() -> None:
    (other,) = causes([item(1)], [line(1, given=reference(1), bank=MANDIRI)])
    assert other == (Cause.WRONG_ACCOUNT, "expected at bank 0009, shown by bank 0008")
    (sent_back,) = causes([], [line(1, 5_00, text="RETUR SKN REK TIDAK DITEMUKAN")])
    assert sent_back == (Cause.WRONG_ACCOUNT, "the bank says: RETUR SKN REK TIDAK DITEMUKAN")


def test_a_missing_upload_is_named_where_late_taps_are_exactly_the_difference() -> None:
    short = [item(1, 500_000_00)], [line(1, 570_000_00, reference(1))]
    late = {reference(1): LateTaps(2, Sen(70_000_00), (41, 42))}
    told = "terminal 41, 42 sent 2 taps of that service day after the window closed: Rp70.000, which is the difference"
    assert causes(*short, late=late) == [(Cause.MISSING_UPLOAD, told)]
    assert causes(*short, late={reference(1): LateTaps(2, Sen(60_000_00), (41,))}) == []


def test_severity_follows_what_hangs_on_a_break() -> None:
    lines = [line(1, -20_000_000_00), line(2, -50_000_00), line(3, -5_000_00)]
    done = left([], lines)
    named = name_causes(done.breaks, Facts(Weekdays(), REACHED))
    assert [one.severity for one in named] == [Severity.HIGH, Severity.MEDIUM, Severity.LOW]
