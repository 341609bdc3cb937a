"""What people do with breaks, over a real ledger: four eyes, entries, history, files, disputes, ages. All adds up after each step."""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING

import pytest
import sqlalchemy as sa

from hebat.demo.statements import Movement
from keys.clock import Day, day_of
from keys.money import Sen
from ledger.chart import AccountId, Code, Partition, account_id
from settlement.breaks.disputes.kept import DisputeState
from settlement.breaks.filters import Filters
from settlement.breaks.kept import FILE_BYTES_MAX, Age, Cause, Severity, What
from settlement.breaks.model import Reason
from settlement.breaks.proposals.accounts import target
from settlement.breaks.proposals.kept import ProposalState
from settlement.errors import BreakRefused, BreakUnknown, FileRefused, MakerIsChecker, MatchRefused
from tests.settlement.town import BNI, DAY, SHOP, STALL
from tests.settlement.worked import STRAY, Worked

if TYPE_CHECKING:
    from settlement.breaks.kept import KeptBreak
    from tests.settlement.town import Stage


@pytest.fixture
def worked(stage: Stage) -> Worked:
    return Worked.on(stage)


def corrections(code: Code, number: int = BNI) -> AccountId:
    return account_id(code, Partition(0), number)


def net(worked: Worked, code: Code, number: int = BNI) -> int:
    account = corrections(code, number)
    return worked.stage.ledger.balance(account).net(account)


def stray(worked: Worked) -> KeptBreak:
    worked.take([STRAY])
    (found,) = worked.open(Reason.UNEXPECTED_ON_STATEMENT)
    return found


def test_a_line_that_nobody_knows_stands_in_its_banks_suspense_account(worked: Worked) -> None:
    before = net(worked, Code.BANK_SETTLEMENT)
    found = stray(worked)
    assert (net(worked, Code.SUSPENSE), net(worked, Code.BANK_SETTLEMENT) - before) == (
        STRAY.amount,
        STRAY.amount,
    )
    assert worked.breaks.suspense() == {BNI: (1, STRAY.amount)}
    folder = worked.breaks.folder(found.break_id)
    assert folder.suspense is not None
    assert [one.what for one in folder.events] == [What.OPENED, What.SUSPENSE]
    assert worked.sums().in_suspense == STRAY.amount


def test_a_write_off_is_posted_only_when_somebody_else_approves_it(worked: Worked) -> None:
    found, income = stray(worked), net(worked, Code.FEE_INCOME)
    made = worked.breaks.propose_write_off(found.break_id, "maker", "nobody asked for it in a year")
    assert (made.state, net(worked, Code.SUSPENSE)) == (ProposalState.WAITING, STRAY.amount)
    with pytest.raises(MakerIsChecker, match="maker proposed 1"):
        worked.breaks.approve(made.number, "maker")
    with pytest.raises(MakerIsChecker):
        worked.breaks.reject(made.number, "maker", "mine")
    done = worked.breaks.approve(made.number, "checker")
    assert (done.state, done.decided_by) == (ProposalState.APPROVED, "checker")
    assert worked.stage.ledger.rows()[done.position - 1]["amount"] == STRAY.amount
    assert (net(worked, Code.SUSPENSE), net(worked, Code.FEE_INCOME) - income) == (0, STRAY.amount)
    assert worked.breaks.folder(found.break_id).found.proposal == made.number
    assert worked.sums().matched == STRAY.amount
    worked.run()
    assert worked.open(Reason.UNEXPECTED_ON_STATEMENT) == []
    with pytest.raises(BreakRefused, match="approved by checker already"):
        worked.breaks.approve(made.number, "colleague")


def test_the_database_itself_refuses_a_checker_who_is_the_maker(worked: Worked) -> None:
    made = worked.breaks.propose_write_off(stray(worked).break_id, "maker", "x")
    forged = "UPDATE settlement_proposals SET state='approved', decided_by='maker', decided_at=1, position=1 WHERE number=:number"
    with (
        pytest.raises(sa.exc.IntegrityError, match="maker_is_not_checker"),
        worked.stage.ledger.database.engine.begin() as open_,
    ):
        open_.execute(sa.text(forged), {"number": made.number})
    with pytest.raises(sa.exc.IntegrityError), worked.stage.ledger.database.engine.begin() as open_:
        open_.execute(sa.text("UPDATE settlement_proposals SET state='approved', position=1"))


def test_the_database_itself_refuses_to_change_a_breaks_history(worked: Worked) -> None:
    stray(worked)
    for statement in ("UPDATE settlement_break_events SET said = ''", "DELETE FROM settlement_break_events"):
        with (
            pytest.raises(sa.exc.IntegrityError, match="never changed"),
            worked.stage.ledger.database.engine.begin() as open_,
        ):
            open_.execute(sa.text(statement))


def test_an_adjustment_gives_the_money_to_whom_it_belongs(worked: Worked) -> None:
    found = stray(worked)
    made = worked.breaks.propose_adjustment(
        found.break_id,
        target("merchant-payable", SHOP, worked.stage.participants),
        "maker",
        "rent of the kiosk",
    )
    worked.breaks.approve(made.number, "checker")
    assert (net(worked, Code.SUSPENSE), net(worked, Code.MERCHANT_PAYABLE, SHOP)) == (0, STRAY.amount)
    for code, number, reason in (("purse", 1, "is no account"), ("merchant-payable", 0, "has number 0")):
        with pytest.raises(BreakRefused, match=reason):
            target(code, number, worked.stage.participants)


def test_a_payment_that_was_never_made_can_be_owed_again(worked: Worked) -> None:
    first, *rest = worked.items(BNI)
    worked.take([worked.told(one) for one in rest])
    (found,) = worked.open(Reason.MISSING_ON_STATEMENT)
    before = net(worked, Code.BANK_SETTLEMENT)
    made = worked.breaks.propose_adjustment(
        found.break_id, target("merchant payable", STALL, worked.stage.participants), "maker", "pay it again"
    )
    worked.breaks.approve(made.number, "checker")
    assert net(worked, Code.BANK_SETTLEMENT) - before == -first.amount
    assert net(worked, Code.MERCHANT_PAYABLE, STALL) == -first.amount
    worked.run()
    assert worked.open(Reason.MISSING_ON_STATEMENT) == []
    worked.sums()


def test_a_fee_that_a_bank_kept_is_written_off_and_its_match_says_by_what(worked: Worked) -> None:
    first, *rest = worked.items(BNI)
    worked.take([worked.told(first, first.amount - 2_500_00), *(worked.told(one) for one in rest)])
    (found,) = worked.open()
    assert (found.reason, found.cause, found.difference) == (Reason.FEE, Cause.BANK_FEE, Sen(-2_500_00))
    before = net(worked, Code.BANK_SETTLEMENT)
    made = worked.breaks.propose_write_off(found.break_id, "maker", "BI-FAST")
    worked.breaks.approve(made.number, "checker")
    assert net(worked, Code.BANK_SETTLEMENT) - before == -2_500_00
    assert worked.matching.match(found.match).proposal == made.number
    worked.run()
    assert worked.open() == []
    with pytest.raises(MatchRefused, match="propose its reversal"):
        worked.matching.undo(found.match, "maker", "x")


def test_an_approved_entry_is_taken_back_by_another_and_everything_is_open_again(worked: Worked) -> None:
    found = stray(worked)
    first = worked.breaks.propose_write_off(found.break_id, "maker", "x")
    worked.breaks.approve(first.number, "checker")
    back = worked.breaks.propose_reversal(first.number, "maker", "its owner came")
    with pytest.raises(MakerIsChecker):
        worked.breaks.approve(back.number, "maker")
    worked.breaks.approve(back.number, "checker")
    assert (net(worked, Code.SUSPENSE), worked.sums().in_suspense) == (STRAY.amount, STRAY.amount)
    worked.run()
    (again,) = worked.open(Reason.UNEXPECTED_ON_STATEMENT)
    assert (again.break_id, worked.sums().in_suspense) == (found.break_id, STRAY.amount)
    with pytest.raises(BreakRefused, match="no entry to take back"):
        worked.breaks.propose_reversal(first.number, "maker", "twice")


def test_a_proposal_is_decided_once_withdrawn_by_its_maker_alone_and_one_waits_at_a_time(
    worked: Worked,
) -> None:
    found = stray(worked)
    first = worked.breaks.propose_write_off(found.break_id, "maker", "x")
    with pytest.raises(BreakRefused, match="proposal 1 waits"):
        worked.breaks.propose_write_off(found.break_id, "checker", "y")
    with pytest.raises(BreakRefused, match="only maker withdraws"):
        worked.breaks.withdraw(first.number, "checker", "z")
    assert worked.breaks.withdraw(first.number, "maker", "a mistake").state is ProposalState.WITHDRAWN
    second = worked.breaks.propose_write_off(found.break_id, "checker", "y")
    assert worked.breaks.reject(second.number, "maker", "not yet").decided_why == "not yet"
    assert (worked.breaks.proposals(), net(worked, Code.SUSPENSE)) == ([], STRAY.amount)
    assert [one.number for one in worked.breaks.folder(found.break_id).proposals] == [1, 2]


def test_what_changed_since_it_was_proposed_is_not_posted(worked: Worked) -> None:
    found = stray(worked)
    made = worked.breaks.propose_write_off(found.break_id, "maker", "x")
    first, *_ = worked.items(BNI)
    worked.matching.pair([first.reference], [found.line], "colleague", "it is that one")
    before = worked.stage.ledger.head()
    with pytest.raises(BreakRefused, match="is closed"):
        worked.breaks.approve(made.number, "checker")
    assert worked.stage.ledger.head() == before
    assert worked.breaks.reject(made.number, "checker", "matched").state is ProposalState.REJECTED


def test_a_break_has_an_owner_comments_files_and_a_history_in_order(worked: Worked) -> None:
    found = stray(worked)
    worked.breaks.assign([found.break_id], "colleague", "maker")
    worked.breaks.comment([found.break_id], "asked the bank", "colleague")
    digest = worked.breaks.attach(found.break_id, "letter of the bank.pdf", b"%PDF-1.7 letter", "colleague")
    worked.breaks.attach(found.break_id, "the same.pdf", b"%PDF-1.7 letter", "maker")
    worked.breaks.set_severity([found.break_id], Severity.HIGH, "maker", "the mayor asks")
    folder = worked.breaks.folder(found.break_id)
    assert (folder.found.owner, folder.found.severity) == ("colleague", Severity.HIGH)
    assert [(one.what, one.who) for one in folder.events][2:] == [
        (What.ASSIGNED, "maker"), (What.COMMENTED, "colleague"), (What.ATTACHED, "colleague"), (What.ATTACHED, "maker"), (What.SEVERITY, "maker"),
    ]  # fmt: skip
    assert (folder.events[4].sha256, worked.breaks.file(digest)) == (digest, b"%PDF-1.7 letter")
    assert worked.breaks.page(Filters(owner="colleague")) == [folder.found]
    assert worked.breaks.page(Filters(unowned=True, reason=Reason.UNEXPECTED_ON_STATEMENT.value)) == []


def test_a_file_over_the_limit_or_without_bytes_is_refused(worked: Worked) -> None:
    found = stray(worked)
    for content in (b"", b"x" * (FILE_BYTES_MAX + 1)):
        with pytest.raises(FileRefused, match="1 to"):
            worked.breaks.attach(found.break_id, "big.bin", content, "maker")
    with pytest.raises(BreakUnknown):
        worked.breaks.comment([found.break_id, "BRK-nothing"], "all or none", "maker")
    assert len(worked.breaks.folder(found.break_id).events) == 2


def test_a_dispute_has_a_claim_a_deadline_on_a_business_day_and_an_end(worked: Worked) -> None:
    found = stray(worked)
    friday, saturday = day_of(date(2026, 11, 20)), day_of(date(2026, 11, 21))
    with pytest.raises(BreakRefused, match="banks are closed"):
        worked.breaks.dispute(found.break_id, "Bank Negara Indonesia", "not ours", saturday, "maker")
    with pytest.raises(BreakRefused, match="is past"):
        worked.breaks.dispute(found.break_id, "Bank Negara Indonesia", "not ours", Day(DAY - 1), "maker")
    opened = worked.breaks.dispute(found.break_id, "Bank Negara Indonesia", "not ours", friday, "maker")
    assert (opened.deadline, opened.state) == (friday, DisputeState.OPEN)
    with pytest.raises(BreakRefused, match="open dispute already"):
        worked.breaks.dispute(found.break_id, "BNI", "again", friday, "checker")
    closed = worked.breaks.close_dispute(found.break_id, DisputeState.WON, "they took it back", "checker")
    assert (closed.state, closed.closed_by) == (DisputeState.WON, "checker")


def test_ages_count_business_days_where_the_bank_must_act_and_all_days_elsewhere(worked: Worked) -> None:
    rest = worked.items(BNI)[1:]
    worked.take([STRAY, *(worked.told(one) for one in rest)])
    (missing,), (unknown,) = (
        worked.open(Reason.MISSING_ON_STATEMENT),
        worked.open(Reason.UNEXPECTED_ON_STATEMENT),
    )
    sunday = day_of(date(2026, 11, 22))
    assert worked.breaks.age(missing, sunday) is Age.THREE_DAYS
    assert worked.breaks.age(unknown, sunday) is Age.FIVE_DAYS
    assert worked.breaks.age(missing, DAY) is Age.DAY
    assert worked.breaks.age(unknown, Day(DAY + 30)) is Age.OLDER
    by_age = worked.breaks.ageing(sunday)
    for age, (count, size) in by_age.items():
        asked = worked.breaks.with_age(Filters(), age, sunday)
        assert (worked.breaks.totals(asked).count, worked.breaks.totals(asked).size) == (count, size)
    assert by_age[Age.FIVE_DAYS] == (1, STRAY.amount)
    assert sum(count for count, _ in by_age.values()) == len(worked.open())


def test_pages_of_breaks_neither_repeat_nor_skip(worked: Worked) -> None:
    worked.take([Movement(Sen(number * 1_000), "", "SETORAN", f"S{number}") for number in range(1, 12)])
    every = worked.breaks.page(Filters())
    paged: list[KeptBreak] = []
    while page := worked.breaks.page(Filters(), (paged[-1].since, paged[-1].break_id) if paged else None, 4):
        paged += page
    assert paged == every == list(worked.breaks.each(Filters()))
    assert worked.breaks.totals(Filters()).count == len(every)
    assert [one.break_id for one in worked.breaks.page(Filters(text=every[3].break_id[4:].upper()))] == [
        every[3].break_id
    ]
