"""What people do with matches, over a real ledger: undo, match by hand, accept, reject, try rules. Nothing is deleted, all adds up."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
import sqlalchemy as sa

from hebat.demo.statements import Movement
from keys.clock import Day
from keys.money import Sen
from ledger.chart import Code, Partition, account_id
from settlement.breaks.model import Reason
from settlement.errors import MatchRefused, MatchUnknown, PersonInvalid, RulesInvalid
from settlement.matching.acts import Make
from settlement.matching.kept import ACCEPTED, BY_HAND, SuggestionState
from settlement.matching.rules import SHIPPED, parse
from settlement.people import person
from tests.settlement.town import BNI, DAY, JATENG
from tests.settlement.worked import STRAY, Worked

if TYPE_CHECKING:
    from tests.settlement.town import Stage


@pytest.fixture
def worked(stage: Stage) -> Worked:
    return Worked.on(stage)


def suspense(worked: Worked, bank: int = BNI) -> int:
    return worked.stage.ledger.balance(account_id(Code.SUSPENSE, Partition(0), bank)).net(
        account_id(Code.SUSPENSE, Partition(0), bank)
    )


def test_a_match_tells_its_rule_who_made_it_and_when(worked: Worked) -> None:
    (first, *_) = worked.items(BNI)
    worked.take([worked.told(first)])
    (found,) = worked.matching.matches()
    assert (found.items, found.rule, found.confidence, found.made_by) == (
        (first.reference,),
        "reference and amount",
        100,
        "night",
    )
    assert (found.made_at, found.night, found.bank) == (worked.stage.clock.at, DAY, BNI)


def test_an_undone_match_stays_with_who_and_why_and_its_line_is_open_for_good(worked: Worked) -> None:
    (first, *_) = worked.items(BNI)
    worked.take([worked.told(first)])
    (found,) = worked.matching.matches()
    undone = worked.matching.undo(found.number, "maker", "it was the other shop")
    assert (undone.undone_by, undone.undone_why, undone.holds) == ("maker", "it was the other shop", False)
    assert {one.reason for one in worked.open() if one.line.sha256} == {Reason.UNDONE}
    worked.sums()
    worked.run()
    assert worked.matching.matches() == []
    assert worked.matching.matches(undone=True) == [undone]
    assert {one.reason for one in worked.open() if one.line.sha256} == {Reason.UNDONE}
    assert worked.sums().in_breaks == first.amount
    with pytest.raises(MatchRefused, match="undone by maker already"):
        worked.matching.undo(found.number, "checker", "again")


def test_what_was_undone_can_be_matched_by_hand_and_stays_matched(worked: Worked) -> None:
    first, second, *_ = worked.items(BNI)
    worked.take([worked.told(first), worked.told(second)])
    one, other = sorted(worked.matching.matches(), key=lambda found: found.number)
    worked.matching.undo(one.number, "maker", "wrong")
    worked.matching.undo(other.number, "maker", "wrong too")
    made = worked.matching.pair([first.reference], one.lines, "checker", "the voucher says so")
    assert (made.rule, made.made_by, made.difference) == (BY_HAND, "checker", 0)
    worked.run()
    assert worked.matching.matches() == [made]
    assert worked.sums().matched == first.amount


def test_a_match_by_hand_with_a_difference_leaves_the_difference_as_a_break(worked: Worked) -> None:
    (first, *_) = worked.items(BNI)
    worked.take([Movement(Sen(first.amount - 12_345), "", "XX", "B1")])
    (line,) = worked.lines()
    worked.matching.pair([first.reference], [line.key], "checker", "a fee nobody knew of")
    (found,) = worked.open(Reason.FEE)
    assert (found.difference, found.match, found.bank) == (Sen(-12_345), 1, BNI)
    assert suspense(worked) == 0
    worked.run()
    assert [one.break_id for one in worked.open(Reason.FEE)] == [found.break_id]
    worked.matching.undo(1, "maker", "no such fee")
    assert worked.open(Reason.FEE) == []
    worked.sums()


def test_a_line_in_suspense_leaves_it_when_it_is_matched_and_comes_back_when_that_is_undone(
    worked: Worked,
) -> None:
    (first, *_) = worked.items(JATENG)
    worked.take([Movement(first.amount, "", "TANPA NAMA", "B1")], JATENG)
    (line,) = worked.lines()
    assert suspense(worked, JATENG) == first.amount
    assert worked.sums().in_suspense == first.amount
    made = worked.matching.pair([first.reference], [line.key], "checker", "asked the bank")
    assert suspense(worked, JATENG) == 0
    assert worked.sums().matched == first.amount
    worked.matching.undo(made.number, "maker", "the bank was wrong")
    assert worked.sums().in_breaks == first.amount
    worked.run()
    assert suspense(worked, JATENG) == first.amount
    assert worked.sums().in_suspense == first.amount


def test_a_suggestion_waits_for_a_person_and_is_made_when_it_is_accepted(worked: Worked) -> None:
    (first, *_) = worked.items(BNI)
    worked.take([Movement(first.amount, "", "PT CTRA ARMDA TRANSFER", "B1")])
    (likely,) = worked.matching.suggestions()
    assert (likely.reference, worked.matching.matches()) == (first.reference, [])
    assert "the same amount" in likely.evidence
    made = worked.matching.accept(likely.number, "maker")
    assert (made.rule, made.confidence, made.made_by) == (ACCEPTED, likely.score, "maker")
    assert worked.matching.suggestions() == []
    assert worked.sums().matched == first.amount
    with pytest.raises(MatchRefused, match="accepted by maker already"):
        worked.matching.reject(likely.number, "checker", "no")


def test_a_rejected_pair_is_neither_suggested_nor_matched_again(worked: Worked) -> None:
    (first, *_) = worked.items(BNI)
    worked.take([Movement(first.amount, "", "PT CTRA ARMDA TRANSFER", "B1")])
    (likely,) = worked.matching.suggestions()
    worked.matching.reject(likely.number, "maker", "another Citra")
    worked.run()
    assert worked.matching.suggestions() == []
    (kept,) = worked.matching.suggestions(SuggestionState.REJECTED)
    assert (kept.decided_by, kept.decided_why) == ("maker", "another Citra")


def test_a_suggestion_that_a_colleague_rejects_meanwhile_makes_no_match(worked: Worked) -> None:
    (first, *_) = worked.items(BNI)
    worked.take([Movement(first.amount, "", "PT CTRA ARMDA TRANSFER", "B1")])
    (likely,) = worked.matching.suggestions()
    late = Make((likely.reference,), (likely.line,), person("maker"), likely.evidence, likely)
    worked.matching.reject(likely.number, "colleague", "another Citra")
    with pytest.raises(MatchRefused, match="rejected by colleague already"):
        worked.stage.ledger.writer.submit(late).result()
    assert worked.matching.matches() == []


def test_a_match_is_refused_with_what_is_in_its_way(worked: Worked) -> None:
    first, second, *_ = worked.items(BNI)
    worked.take([worked.told(first), STRAY])
    used, stray = (line.key for line in worked.lines())
    for references, lines, reason in (
        ([second.reference], [used], "match 1 has a part of it already"),
        ([first.reference], [stray], "match 1 has a part of it already"),
        (["KSH-20261118-0009-9999"], [stray], "there is no KSH-20261118-0009-9999"),
        ([second.reference], [stray._replace(number=99)], "there is no "),
        ([second.reference], [], "a match has a line"),
        ([], [stray], "a match has a line"),
    ):
        with pytest.raises(MatchRefused, match=reason):
            worked.matching.pair(references, lines, "checker", "try")
    for number in (77, 0):
        with pytest.raises(MatchUnknown):
            worked.matching.undo(number, "checker", "x")
    with pytest.raises(MatchRefused, match="say why"):
        worked.matching.undo(1, "checker", "  ")
    for name in ("", "night", "Maker", "a" * 80, "x y"):
        with pytest.raises(PersonInvalid):
            worked.matching.undo(1, name, "x")
    assert len(worked.matching.matches()) == 1


def test_running_again_changes_nothing(worked: Worked) -> None:
    first, *_ = worked.items(BNI)
    worked.take([worked.told(first), STRAY, Movement(Sen(-2_500_00), first.reference, "BIAYA", "B9")])
    head = worked.stage.ledger.head()
    before = (worked.matching.matches(), worked.open(), worked.matching.suggestions(), worked.sums())
    worked.run()
    worked.run()
    assert (worked.matching.matches(), worked.open(), worked.matching.suggestions(), worked.sums()) == before
    assert worked.stage.ledger.head() == head


def test_a_dry_run_tells_what_would_be_won_lost_and_different_and_writes_nothing(worked: Worked) -> None:
    first, second, *_ = worked.items(BNI)
    worked.take([worked.told(first), worked.told(second, second.amount - 7_77)])
    head = worked.stage.ledger.head()
    rules = json.loads(SHIPPED.body)
    same = worked.matching.dry_run(json.dumps(rules), DAY, Day(DAY + 3))
    assert (same.won, same.lost, same.different, same.same) == ((), (), (), 1)
    next(one for one in rules["passes"] if one["name"] == "reference within tolerance")["fees"] = [777]
    won = worked.matching.dry_run(json.dumps(rules), DAY, Day(DAY + 3))
    assert [one.items for one in won.won] == [(second.reference,)]
    rules["passes"] = [one for one in rules["passes"] if one["name"] != "reference and amount"]
    changed = worked.matching.dry_run(json.dumps(rules), DAY, Day(DAY + 3))
    ((kept, would),) = changed.different
    assert (kept.number, kept.rule, would.rule) == (1, "reference and amount", "reference within tolerance")
    rules["passes"] = [one for one in rules["passes"] if one["by"] == "reversal"]
    assert [one.number for one in worked.matching.dry_run(json.dumps(rules), DAY, DAY).lost] == [1]
    assert worked.stage.ledger.head() == head
    assert len(worked.matching.matches()) == 1


def test_rules_are_put_in_force_as_a_version_that_later_matches_name(worked: Worked) -> None:
    first, *_ = worked.items(BNI)
    rules = json.loads(SHIPPED.body)
    next(one for one in rules["passes"] if one["name"] == "reference within tolerance")["fees"] = [777]
    made = worked.matching.put_rules(json.dumps(rules), "the bank takes Rp7,77", "maker")
    assert (made.version, worked.matching.rules().sha256) == (1, made.sha256)
    with pytest.raises(RulesInvalid, match="in force already"):
        worked.matching.put_rules(json.dumps(rules), "again", "maker")
    worked.take([worked.told(first, first.amount - 7_77)])
    (found,) = worked.matching.matches()
    assert (found.rule, found.rules, found.difference) == ("reference within tolerance", 1, -7_77)


def test_rules_that_cannot_be_used_are_refused_with_the_reason() -> None:
    good = json.loads(SHIPPED.body)
    for change, reason in (
        ({"passes": []}, "a set has 1 to 40"),
        ({"passes": [good["passes"][0]] * 2}, "two passes have one name"),
        ({"passes": [good["passes"][0] | {"by": "magic"}]}, "it must be one of"),
        ({"passes": [good["passes"][0] | {"days_late": 99}]}, "it must be 0 to 15"),
        ({"passes": [good["passes"][0] | {"confidence": 0.5}]}, "whole number"),
        ({"passes": [good["passes"][0] | {"fees": [-1]}]}, "above zero"),
        ({"passes": [good["passes"][0] | {"color": 1}]}, "a pass has no 'color'"),
        ({"suggest_from": 0}, "it must be 1 to 100"),
        ({"more": 1}, "a set has no 'more'"),
        ({"passes": 7}, "no set of rules"),
    ):
        with pytest.raises(RulesInvalid, match=reason):
            parse(json.dumps(good | change))
    with pytest.raises(RulesInvalid, match="no set of rules"):
        parse("{")
    assert parse(SHIPPED.body) == SHIPPED


def test_the_database_itself_lets_an_item_be_proven_and_a_line_be_used_once(worked: Worked) -> None:
    (first, *_) = worked.items(BNI)
    worked.take([worked.told(first)])
    for table, columns in (
        ("settlement_matching_items", "reference, active"), ("settlement_matching_lines", "sha256, statement, line, active"),
    ):  # fmt: skip
        copied = sa.text(
            f'INSERT INTO {table} (partition, "match", {columns}) SELECT partition, 99, {columns} FROM {table}'
        )
        with pytest.raises(sa.exc.IntegrityError), worked.stage.ledger.database.engine.begin() as connection:
            connection.execute(copied)
