"""Matching by columns against a plain program that looks at every pair: nothing ambiguous is matched, nothing is lost."""

from __future__ import annotations

import os
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from keys.money import Sen
from settlement.matching.columns import item_columns as read_items
from settlement.matching.columns import line_columns as read_lines
from settlement.matching.days import Weekdays
from settlement.matching.engine import match
from settlement.matching.rules import SHIPPED, Pass, RuleSet
from settlement.matching.sums import Outcome, find_sum
from tests.settlement.every_sum import sums
from tests.settlement.matching_oracle import Oracle
from tests.settlement.sides import (
    NAMES,
    Given,
    Named,
    Seen,
    item,
    item_columns,
    line,
    line_columns,
    named,
    reference,
)
from tests.settlement.town import BNI, MANDIRI

if TYPE_CHECKING:
    from random import Random

    from settlement.matching.sides import Expected, Told

LONG = bool(os.environ.get("HEBAT_LONG"))
ORACLE = settings(max_examples=2_000 if LONG else 25, deadline=None)
BANKS = st.sampled_from([BNI, BNI, BNI, MANDIRI])
FEE = 2_500_00
SIZES = st.sampled_from(
    [-1_000_000_00, -2_000_000_00, -3_000_000_00, 1_000_000_00, -1_000_000_50, -7_654_321_00, -8_654_321_00]
)
ITEMS = st.lists(
    st.tuples(SIZES, BANKS, st.integers(0, 2), st.sampled_from(NAMES), st.integers(0, 3)), max_size=7
).map(lambda drawn: [item(number, *one) for number, one in enumerate(drawn, start=1)])
OFF = st.sampled_from([0, 0, 0, -FEE, -2 * FEE, 50, -50, 12_345])


@st.composite
def seen_lines(draw: st.DrawFn, items: list[Expected]) -> list[Seen]:
    """Lines as banks write them about items: whole, cut, bundled, split, the other way, by name only, or about nothing."""
    made = []
    for number in range(1, draw(st.integers(0, 8)) + 1):
        about = draw(st.lists(st.sampled_from(items), min_size=1, max_size=3, unique=True)) if items else []
        whole = sum(int(one.amount) for one in about) if about else draw(SIZES)
        amount = draw(st.sampled_from((1, 1, 1, -1))) * whole + draw(OFF)
        bank = about[0].bank if about and draw(st.integers(0, 5)) > 0 else draw(BANKS)
        party = draw(st.sampled_from(["", about[0].name])) if about else ""
        marked = draw(st.integers(0, 5)) == 0
        refs: tuple[str, ...] = ()
        part = ""
        form = draw(st.sampled_from(["field", "text", "part", "none", "none"])) if about else "none"
        words = ["TRF", *([party.upper()] if party else []), *(["RETUR"] if marked else [])]
        given_ = ""
        if form == "part":
            part = about[0].reference.replace("-", "")[3 : 3 + draw(st.sampled_from([9, 11, 12, 14]))]
            given_ = "KSH" + part
        elif form == "field":
            refs, given_ = (about[0].reference,), about[0].reference
        elif form == "text":
            refs = tuple(sorted({one.reference for one in about}))
            words += [ref.replace("-", draw(st.sampled_from(["-", " ", "/"]))) + "," for ref in refs]
        own = draw(st.sampled_from([f"B{number}", f"B{number}", "", "SAME"]))
        told = line(number, amount or 1, given_, " ".join(words), bank, draw(st.integers(-1, 6)), own)
        made.append(Seen(told, refs, part, party, marked))
    return made


@st.composite
def sides(draw: st.DrawFn) -> tuple[list[Expected], list[Seen]]:
    items = draw(ITEMS)
    return items, draw(seen_lines(items))


def run(
    items: list[Expected], lines: list[Told], rules: RuleSet, refused: set[tuple[str, int]]
) -> set[Named]:
    both = Given(tuple(items), tuple(lines))
    texts = {(name, f"{lines[0].key.sha256}/1/{number}") for name, number in refused} if lines else set()
    found = match(item_columns(items), line_columns(lines), rules, Weekdays(), texts)
    return named(found, both)


def expected_of(
    items: list[Expected], lines: list[Seen], rules: RuleSet, refused: set[tuple[str, int]]
) -> set[Named]:
    oracle = Oracle(list(items), list(lines), refused)
    for rule in rules.passes:
        oracle.take(rule)
    return oracle.found


@pytest.mark.parametrize("rule", SHIPPED.passes, ids=lambda rule: rule.name)
@ORACLE
@given(drawn=sides(), data=st.data())
def test_each_pass_matches_what_looking_at_every_pair_finds(
    rule: Pass, drawn: tuple[list[Expected], list[Seen]], data: st.DataObject
) -> None:
    items, lines = drawn
    pairs = [(one.reference, other.line.key.number) for one in items for other in lines]
    refused = data.draw(st.sets(st.sampled_from(pairs), max_size=2)) if pairs else set()
    rules = RuleSet(passes=(rule,))
    assert run(items, [one.line for one in lines], rules, refused) == expected_of(
        items, lines, rules, refused
    )


@settings(max_examples=4_000 if LONG else 60, deadline=None)
@given(drawn=sides())
def test_all_passes_in_their_order_match_what_the_plain_program_does(
    drawn: tuple[list[Expected], list[Seen]],
) -> None:
    items, lines = drawn
    assert run(items, [one.line for one in lines], SHIPPED, set()) == expected_of(
        items, lines, SHIPPED, set()
    )


@settings(max_examples=1_000 if LONG else 15, deadline=None)
@given(drawn=sides(), seed=st.randoms(use_true_random=False))
def test_the_order_of_rows_decides_nothing(drawn: tuple[list[Expected], list[Seen]], seed: Random) -> None:
    items, lines = drawn[0], [one.line for one in drawn[1]]
    mixed_items, mixed_lines = items[:], lines[:]
    seed.shuffle(mixed_items)
    seed.shuffle(mixed_lines)
    assert run(mixed_items, mixed_lines, SHIPPED, set()) == run(items, lines, SHIPPED, set())


def one_match(items: list[Expected], lines: list[Told]) -> str:
    """The rule of the only match."""
    found = run(items, lines, SHIPPED, set())
    assert len(found) <= 1
    return next(iter(found))[0] if found else "nothing"


A, B = item(1), item(2, -200_00, name=NAMES[1])


@pytest.mark.parametrize(
    ("lines", "rule"),
    [
        ([line(1, given=reference(1))], "reference and amount"),
        ([line(1, given=reference(1), days=40)], "reference and amount"),
        ([line(1, text="TRF ksh 20261118 0009 0001 biaya")], "reference and amount"),
        ([line(1, text="/20261118-0009-0001/")], "reference and amount"),
        ([line(1, given="KSH-20261118-0009-00012")], "nothing"),
        ([line(1, given="KSH-20261118-000")], "reference cut short"),
        ([line(1, text="CITRA ARMADA PT")], "amount, date and counterparty"),
        ([line(1, text="CITRA ARMADA", days=3)], "late by business days"),
        ([line(1, text="CITRA ARMADA", days=8)], "nothing"),
        ([line(1, text="TOKO OEN")], "nothing"),
        ([line(1)], "nothing"),
        ([line(1, -102_500_00 + 100_000_00 - 100_00, reference(1))], "reference within tolerance"),
        ([line(1, -100_00 - 2_500_00, text="CITRA ARMADA")], "counterparty net of fee"),
        ([line(1, -100_01, reference(1))], "nothing"),
        ([line(1, given=reference(1)), line(2, given=reference(1))], "nothing"),
        ([line(1, -60_00, reference(1)), line(2, -40_00, reference(1))], "one reference in several lines"),
        ([line(1, -150_00, reference(1)), line(2, 50_00, reference(1))], "nothing"),
        ([line(1, given=reference(1)), line(2, 100_00, reference(1), days=1)], "reversal"),
        ([line(1, text="CITRA ARMADA"), line(2, 100_00, text="RETUR CITRA ARMADA")], "reversal by its text"),
        ([line(1, given=reference(1), repeated=True)], "nothing"),
        ([line(1, given=reference(1), bank=MANDIRI)], "nothing"),
    ],
)
def test_what_a_bank_writes_is_matched_by_the_rule_that_fits(lines: list[Told], rule: str) -> None:
    assert one_match([A], lines) == rule


def test_several_items_in_one_line_are_found_by_their_names_or_their_payment_file() -> None:
    both = line(1, -300_00, text=f"BUNDEL {reference(1)} {reference(2)}")
    assert one_match([A, B], [both]) == "several references in one line"
    # One of the two is open nowhere: what the sum of the others shows, it does not prove.
    assert one_match([A], [line(1, -100_00, text=f"BUNDEL {reference(1)} {reference(2)}")]) == "nothing"
    assert (
        one_match([A, B], [line(1, -300_00 - 2 * 2_500_00, "KSH-20261118-0009")])
        == "payment file in one line"
    )


def test_a_sum_is_believed_where_it_is_the_only_one_and_no_chance() -> None:
    large = [
        item(number, -amount)
        for number, amount in enumerate((7_654_321_00, 1_234_567_00, 5_000_001_00), start=1)
    ]
    assert one_match(large, [line(1, -8_888_888_00, text="CITRA ARMADA")]) == "several items in one line"
    small = [
        item(number, -amount)
        for number, amount in enumerate((3_000_00, 4_000_00, 5_000_00, 6_000_00), start=1)
    ]
    assert one_match(small, [line(1, -7_000_00, text="CITRA ARMADA")]) == "nothing"
    (whole,) = large[:1]
    parts = [line(1, -7_000_000_00, text="CITRA ARMADA"), line(2, -654_321_00, text="CITRA ARMADA", days=1)]
    assert one_match([replace(whole, due=whole.window)], parts) == "one item in several lines"


def test_a_sum_is_not_believed_where_one_alone_is_as_much() -> None:
    amounts = (7_654_321_00, 1_234_567_00, 8_888_888_00)
    some = [item(number, -amount) for number, amount in enumerate(amounts, start=1)]
    assert one_match(some, [line(1, -8_888_888_00, text="CITRA ARMADA", days=1)]) == "nothing"


def test_what_is_left_of_a_party_is_matched_where_all_of_it_adds_up_in_one_way() -> None:
    """The first line is the third and fourth item, or all but the third: the other two lines decide."""
    amounts = (7_654_321_00, 1_234_567_00, 8_888_888_00, 2_000_001_00)
    some = [item(number, -amount) for number, amount in enumerate(amounts, start=1)]
    whole, first, second = (
        line(number, -amount, text="CITRA ARMADA", days=1)
        for number, amount in enumerate((10_888_889_00, *amounts[:2]), start=1)
    )
    assert run(some, [whole], SHIPPED, set()) == set()
    assert run(some, [whole, replace(first, amount=Sen(-8_888_888_00))], SHIPPED, set()) == set()
    everything = run(some, [whole, first, second], SHIPPED, set())
    both = frozenset([some[2].reference, some[3].reference])
    assert ("all that is left of a party", both, frozenset([1])) in everything
    assert len(everything) == 3


def test_what_may_have_been_taken_back_is_not_matched_because_it_balances() -> None:
    paid, back = line(1, text="CITRA ARMADA"), line(2, 100_00, text="KOREKSI CTR ARM")
    assert one_match([A], [paid]) == "amount, date and counterparty"
    assert one_match([A], [paid, back]) == "nothing"
    assert (
        one_match(
            [item(1, -7_654_321_00)], [replace(one, amount=Sen(one.amount * 76_543)) for one in (paid, back)]
        )
        == "nothing"
    )


def test_part_of_a_payment_file_in_one_line_is_the_only_sum_of_its_payments() -> None:
    amounts = (7_654_321_00, 1_234_567_00, 5_000_001_00, 900_003_00)
    some = [item(number, -amount, name=NAMES[number % 3]) for number, amount in enumerate(amounts, start=1)]
    rule = "part of a payment file"
    for fee in (0, FEE, 2 * FEE):
        assert one_match(some, [line(1, -8_888_888_00 - fee, "KSH-20261118-0009")]) == rule
    assert one_match(some, [line(1, -8_888_888_00 - 1, "KSH-20261118-0009")]) == "nothing"


def test_a_payment_that_came_back_and_was_made_again_proves_its_item_once() -> None:
    lines = [
        line(1, given=reference(1)),
        line(2, 100_00, reference(1), days=1),
        line(3, given=reference(1), days=2),
    ]
    assert run([A], lines, SHIPPED, set()) == {
        ("reversal", frozenset(), frozenset([1, 2])),
        ("reference and amount", frozenset([A.reference]), frozenset([3])),
    }


def test_a_line_that_takes_back_goes_with_the_latest_one_before_it_and_with_none_after() -> None:
    twice = [
        line(1, given=reference(1)),
        line(2, given=reference(1), days=1),
        line(3, 100_00, reference(1), days=2),
    ]
    assert ("reversal", frozenset(), frozenset([2, 3])) in run([A], twice, SHIPPED, set())
    back = [line(number, 100_00, reference(1), days=number) for number in (2, 3, 4)]
    once = run([], [line(1, given=reference(1)), *back], SHIPPED, set())
    assert once == {("reversal", frozenset(), frozenset([1, 2]))}  # what comes back again takes back nothing
    late = [line(1, given=reference(1)), line(2, 100_00, reference(1), days=14)]  # ten business days
    assert ("reversal", frozenset(), frozenset([1, 2])) in run([], late, SHIPPED, set())
    assert run([], [late[0], line(2, 100_00, reference(1), days=15)], SHIPPED, set()) == set()


def test_two_equal_items_and_two_equal_lines_are_nobodys_match() -> None:
    twins = [item(1), item(2)]
    assert run(twins, [line(1, text="CITRA ARMADA"), line(2, text="CITRA ARMADA")], SHIPPED, set()) == set()
    assert run(twins, [line(1, text="CITRA ARMADA")], SHIPPED, set()) == set()


@given(
    sizes=st.lists(st.integers(1, 30), max_size=8),
    wanted=st.lists(st.integers(1, 120), min_size=1, max_size=3, unique=True),
    most=st.integers(2, 5),
)
def test_sums_are_those_that_looking_at_every_subset_finds(
    sizes: list[int], wanted: list[int], most: int
) -> None:
    rule = replace(SHIPPED.passes[-1], members_max=most)
    every = sums(sizes, set(wanted), rule)
    found = find_sum(sizes, wanted, most)
    if len(every) == 1 and len(every[0]) > 1:
        assert found.outcome in {Outcome.ONE, Outcome.BY_CHANCE}
        assert found.outcome is Outcome.BY_CHANCE or found.chosen == every[0]
    else:
        assert found.outcome is (Outcome.SEVERAL if len(every) > 1 else Outcome.NONE)


def test_a_search_for_a_sum_gives_up_rather_than_explode() -> None:
    sizes = [2 ** (at % 9) * 1_000_003 + at for at in range(40)]
    assert find_sum(sizes, [sum(sizes[:12]) + 1], 12).outcome is Outcome.TOO_MANY


def test_a_crowd_of_equal_amounts_costs_no_more_than_its_rows() -> None:
    crowd = [item(number) for number in range(1, 3_001)]
    lines = [line(number, text="CITRA ARMADA") for number in range(1, 3_001)]
    found = match(item_columns(crowd), line_columns(lines), SHIPPED, Weekdays())
    assert (found.count, len(found.unclear_items), len(found.unclear_lines)) == (0, 3_000, 3_000)


@pytest.mark.parametrize(
    ("text", "party"),
    [
        ("TRF KE CITRA ARMADA", "CITRAARMAD"), ("pt.citra-armada", "CITRAARMAD"), ("LUMPIAGANGLO", "LUMPIAGANG"),
        ("TOKO OEN DAN CITRA ARMADA", ""), ("SETORAN", ""),
    ],
)  # fmt: skip
def test_a_party_is_read_from_the_text_where_it_is_the_only_one(text: str, party: str) -> None:
    items = read_items(item_columns([item(1), item(2, name=NAMES[1]), item(3, name=NAMES[2])]))
    assert read_lines(line_columns([line(1, text=text)]), items)["party_key"].to_list() == [party]


def test_large_amounts_are_matched_to_the_sen() -> None:
    huge = item(1, -(10**15) - 1)
    assert one_match([huge], [line(1, -(10**15) - 1, reference(1))]) == "reference and amount"
    assert one_match([huge], [line(1, -(10**15), reference(1))]) == "reference within tolerance"
    assert one_match([huge], [line(1, -(10**15) + 100, reference(1))]) == "nothing"
