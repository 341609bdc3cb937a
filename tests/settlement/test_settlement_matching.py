"""Matching and breaks against brute force: nothing ambiguous is matched, nothing is lost, everything adds up."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from keys.clock import Day, day_of
from keys.money import Sen
from ledger.chart import Code
from settlement.breaks import Reason
from settlement.items import Item, ItemKind
from settlement.matching.exact import Match, Rule, match
from settlement.reconciliation import Reconciliation, reconcile
from settlement.statements.kept import BankLine, LineKey, Telling
from settlement.statements.model import Line
from tests.settlement.town import BNI, BRT, DATE, DAY, MANDIRI

REACHED = {BNI: Day(DAY + 5), MANDIRI: Day(DAY + 5)}


def item(number: int, amount: int = -100, bank: int = BNI, days: int = 0) -> Item:
    reference = f"KSH-20261118-{bank:04d}-{number:04d}"
    return Item(
        DAY,
        reference,
        bank,
        ItemKind.PAYOUT,
        Code.OPERATOR_PAYABLE,
        BRT,
        "BRT",
        Sen(amount),
        Day(DAY + days),
        None,
    )


def line(
    number: int,
    amount: int = -100,
    reference: str = "",
    bank: int = BNI,
    days: int = 0,
    *,
    repeated: bool = False,
) -> BankLine:
    day = DATE + timedelta(days=days)
    told = Line(day, day, Sen(amount), "IDR", "", reference, "text", f"B{number}", number)
    return BankLine(LineKey("ab" * 32, 1, number), bank, told, repeated)


ITEMS = st.lists(
    st.tuples(st.sampled_from([-100, -200, 300]), st.sampled_from([BNI, MANDIRI]), st.integers(0, 2)),
    max_size=7,
).map(lambda drawn: [item(number, *one) for number, one in enumerate(drawn, start=1)])
REFERENCES = st.one_of(
    st.just(""),
    st.just("INV-9"),
    st.builds(
        lambda number, bank: f"KSH-20261118-{bank:04d}-{number:04d}",
        st.integers(1, 8),
        st.sampled_from([BNI, MANDIRI]),
    ),
)
LINES = st.lists(
    st.tuples(
        st.sampled_from([-100, -200, 300, 7]),
        REFERENCES,
        st.sampled_from([BNI, MANDIRI]),
        st.integers(-1, 3),
        st.booleans(),
    ),
    max_size=9,
).map(
    lambda drawn: [
        line(number, amount, reference, bank, days, repeated=repeated and number % 4 == 0)
        for number, (amount, reference, bank, days, repeated) in enumerate(drawn, start=1)
    ]
)


def fits_reference(one: Item, other: BankLine) -> bool:
    same = (one.bank, one.reference, one.amount) == (other.bank, other.reference, other.line.amount)
    return same and not other.repeated


def fits_date(one: Item, other: BankLine, claimed: set[str]) -> bool:
    return (
        (one.bank, one.amount) == (other.bank, other.line.amount)
        and one.window <= day_of(other.line.value_date) <= one.due
        and not other.reference.startswith("KSH-")
        and one.reference not in claimed
        and not other.repeated
    )


def brute_force(items: list[Item], lines: list[BankLine]) -> set[tuple[str, LineKey, Rule]]:
    """Every pair looked at, pass by pass: the oracle."""
    found: set[tuple[str, LineKey, Rule]] = set()
    for rule in Rule:
        taken_items, taken_lines = {one for one, _, _ in found}, {key for _, key, _ in found}
        free_items = [one for one in items if one.reference not in taken_items]
        free_lines = [one for one in lines if one.key not in taken_lines]
        claimed = {other.reference for other in free_lines if not other.repeated}
        edges = [
            (one, other)
            for one in free_items
            for other in free_lines
            if (
                fits_reference(one, other)
                if rule is Rule.REFERENCE_AND_AMOUNT
                else fits_date(one, other, claimed)
            )
        ]
        found |= {
            (one.reference, other.key, rule)
            for one, other in edges
            if sum(edge[0] is one for edge in edges) == 1 and sum(edge[1] is other for edge in edges) == 1
        }
    return found


def told(matches: list[Match] | tuple[Match, ...]) -> set[tuple[str, LineKey, Rule]]:
    return {(one.item.reference, one.line.key, one.rule) for one in matches}


@given(items=ITEMS, lines=LINES)
def test_matches_are_those_that_looking_at_every_pair_finds(items: list[Item], lines: list[BankLine]) -> None:
    assert told(match(items, lines)) == brute_force(items, lines)


@given(items=ITEMS, lines=LINES)
def test_matched_and_breaks_together_are_the_movement_of_the_statements(
    items: list[Item], lines: list[BankLine]
) -> None:
    done = reconcile(items, lines, REACHED)
    assert done.matched + done.in_breaks == sum(one.line.amount for one in lines)
    waiting = sum(one.amount for one in done.waiting)
    expected = sum(one.amount for one in items) - waiting
    assert done.difference == done.matched + done.in_breaks - expected


@given(items=ITEMS, lines=LINES, reached=st.integers(-2, 4))
def test_every_item_and_every_line_ends_in_exactly_one_place(
    items: list[Item], lines: list[BankLine], reached: int
) -> None:
    done = reconcile(items, lines, {BNI: Day(DAY + reached)})
    in_items = [one.item.reference for one in done.matches]
    in_items += [one.item.reference for one in done.breaks if one.item] + [
        one.reference for one in done.waiting
    ]
    in_lines = [one.line.key for one in done.matches] + [one.line.key for one in done.breaks if one.line]
    assert sorted(in_items) == sorted(one.reference for one in items)
    assert sorted(in_lines) == sorted(one.key for one in lines)
    assert len({one.break_id for one in done.breaks}) == len(done.breaks)


@given(items=ITEMS, lines=LINES)
def test_what_is_left_stays_left_when_it_is_matched_again(items: list[Item], lines: list[BankLine]) -> None:
    first = reconcile(items, lines, REACHED)
    matched_items = {one.item.reference for one in first.matches}
    matched_lines = {one.line.key for one in first.matches}
    again = reconcile(
        [one for one in items if one.reference not in matched_items],
        [one for one in lines if one.key not in matched_lines],
        REACHED,
    )
    assert again.matches == ()
    assert {one.break_id for one in again.breaks} == {one.break_id for one in first.breaks}


@given(items=ITEMS, lines=LINES)
def test_the_order_of_lines_decides_nothing(items: list[Item], lines: list[BankLine]) -> None:
    mixed = sorted(lines, key=lambda one: str(one.key)[::-1])
    assert told(match(items, mixed)) == told(match(items, lines))


def reasons(done: Reconciliation) -> list[Reason]:
    return sorted(one.reason for one in done.breaks)


REFERENCE = "KSH-20261118-0009-0001"


@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        ([line(1, -150, REFERENCE)], [Reason.AMOUNT_DIFFERS]),
        ([line(1, -100, REFERENCE, MANDIRI)], [Reason.WRONG_BANK]),
        ([line(1, -100, REFERENCE), line(2, -100, REFERENCE)], [Reason.AMBIGUOUS] * 3),
        ([line(1), line(2)], [Reason.AMBIGUOUS] * 3),
        (
            [line(1, -100, "KSH-20261118-0009-0777")],
            [Reason.MISSING_ON_STATEMENT, Reason.UNEXPECTED_ON_STATEMENT],
        ),
        ([line(1, 7)], [Reason.MISSING_ON_STATEMENT, Reason.UNEXPECTED_ON_STATEMENT]),
        ([line(1, days=3)], [Reason.MISSING_ON_STATEMENT, Reason.UNEXPECTED_ON_STATEMENT]),
        ([line(1, -100, REFERENCE), line(2, -100, REFERENCE, repeated=True)], [Reason.DUPLICATE_LINE]),
        ([], [Reason.MISSING_ON_STATEMENT]),
    ],
)
def test_what_does_not_match_has_a_reason(lines: list[BankLine], expected: list[Reason]) -> None:
    done = reconcile([item(1)], lines, REACHED)
    assert reasons(done) == expected


def test_a_break_tells_the_difference_and_the_evidence() -> None:
    (found,) = reconcile([item(1, -350_000)], [line(1, -350_050, REFERENCE)], REACHED).breaks
    assert (found.difference, found.bank) == (Sen(-50), BNI)
    assert found.evidence == "the bank shows -Rp3.500,50, -Rp3.500 was expected"


def test_an_item_waits_until_a_statement_reaches_its_day() -> None:
    done = reconcile([item(1, days=2)], [], {BNI: Day(DAY + 1)})
    assert (len(done.waiting), done.breaks) == (1, ())
    assert reasons(reconcile([item(1, days=2)], [], {BNI: Day(DAY + 2)})) == [Reason.MISSING_ON_STATEMENT]


def test_a_reference_in_the_customers_field_counts_where_there_is_no_end_to_end_id() -> None:
    plain = line(1)
    named = replace(plain, line=replace(plain.line, reference=REFERENCE))
    assert [one.rule for one in match([item(1)], [named])] == [Rule.REFERENCE_AND_AMOUNT]


def test_two_lines_without_any_id_are_two_movements() -> None:
    bare = replace(line(1).line, bank_reference="")
    assert Telling.of(bare) is None
    assert Telling.of(line(1).line) == Telling.of(line(1).line)
