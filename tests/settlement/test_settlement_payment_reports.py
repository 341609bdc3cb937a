"""What banks report on payments (pain.002): kept whole, the same twice, never better than it was, and a break where it matters."""

from __future__ import annotations

from datetime import datetime, time
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hebat.demo.statements import Account, Movement, camt053
from keys.clock import CITY, UnixMs, moment
from keys.money import Sen
from settlement.breaks.kept import Cause
from settlement.errors import ReportRefused
from settlement.payments import pain002, store
from settlement.payments.model import Status
from settlement.store import items_of
from settlement.view import view
from tests.settlement.reports import report
from tests.settlement.town import BNI, DATE, DAY

if TYPE_CHECKING:
    from settlement.payments.desk import PaymentDesk
    from tests.settlement.town import Stage

AT = moment(datetime.combine(DATE, time(23, 30), CITY))
MESSAGE = "KSH-20261118-0009"


@pytest.fixture
def desk(stage: Stage) -> PaymentDesk:
    """The desk of a city whose window is settled."""
    stage.night.settle(DAY)
    return stage.night.payments


def references(stage: Stage, bank: int = BNI) -> list[str]:
    with stage.ledger.database.transaction() as connection:
        return [item.reference for item in items_of(connection, DAY) if item.bank == bank and item.rail]


def known(stage: Stage) -> dict[str, Status]:
    with stage.ledger.database.transaction() as connection:
        return {name: one.status for name, one in store.outcomes(connection).items()}


def test_a_payment_that_the_bank_rejects_is_work_for_people_with_the_banks_reason(
    stage: Stage, desk: PaymentDesk
) -> None:
    stage.release()
    first, second, *_ = references(stage)
    content = report(MESSAGE, {first: ("RJCT", "AC01"), second: ("ACSC", "")}, group="PART")
    kept, told = desk.report("status.xml", content, AT)
    assert (kept.reason, len(told)) == ("", 2)
    assert known(stage) == {first: Status.REJECTED, second: Status.DONE}
    with stage.ledger.database.transaction() as connection:
        ((item, outcome),) = store.rejected(connection)
    assert (item.reference, outcome.reason) == (first, "AC01 says the bank")


def test_a_rejected_payment_that_the_statement_lacks_is_a_break_that_says_why(
    stage: Stage, desk: PaymentDesk
) -> None:
    stage.release()
    first = references(stage)[0]
    desk.report("status.xml", report(MESSAGE, {first: ("RJCT", "AC04")}), AT)
    night = view(stage.ledger.database, DAY)
    assert night is not None
    movements = [
        Movement(one.amount, one.told, "", "")
        for one in night.items
        if one.bank == BNI and one.reference != first
    ]
    stage.put("bni.xml", camt053(Account("BNI", "0099001122", DATE, 1, Sen(0), movements), "08"))
    stage.night.run(DAY)
    found = view(stage.ledger.database, DAY)
    assert found is not None
    (missing,) = [one for one in found.open_breaks if one.reference == first]
    assert (missing.cause, missing.cause_evidence) == (
        Cause.REJECTED_PAYMENT,
        "the bank rejected it: AC04 says the bank",
    )


def test_the_same_report_again_says_the_same_and_changes_nothing(stage: Stage, desk: PaymentDesk) -> None:
    stage.release()
    first = references(stage)[0]
    accepted, rejected = (report(MESSAGE, {first: (code, "")}) for code in ("ACSP", "RJCT"))
    once = desk.report("1.xml", accepted, AT)
    assert desk.report("again.xml", accepted, UnixMs(AT + 5)) == once
    desk.report("2.xml", rejected, AT)
    desk.report("1.xml", accepted, AT)  # a late copy never takes a rejection back
    assert known(stage) == {first: Status.REJECTED}
    desk.report("3.xml", report(MESSAGE, {first: ("ACSC", "")}), AT)
    assert known(stage) == {first: Status.REJECTED}


def test_a_status_of_the_whole_message_or_of_a_block_is_that_of_its_payments(
    stage: Stage, desk: PaymentDesk
) -> None:
    stage.release()
    desk.report("1.xml", report(MESSAGE, group="ACCP"), AT)
    assert set(known(stage)) == set(references(stage))
    assert set(known(stage).values()) == {Status.ACCEPTED}
    desk.report("2.xml", report(MESSAGE, blocks={f"{MESSAGE}-01": "ACSC"}, group="PART"), AT)
    assert Status.DONE in known(stage).values()


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (report("SOMEBODY-1", group="ACCP"), "message 'SOMEBODY-1' is none of ours"),
        (report("KSH-20261399-0009", group="ACCP"), "none of ours"),
        (report("KSH-20261117-0009", group="ACCP"), "was never released"),
        (report(MESSAGE, {"KSH-20261118-0009-9999": ("ACSC", "")}), "is no part of message"),
        (report(MESSAGE, blocks={f"{MESSAGE}-77": "ACSC"}), "is no part of message"),
        (report(MESSAGE, {"": ("ACSC", "")}), "without reference or status"),
        (report(MESSAGE, group="GOOD"), "'GOOD' is no status"),
        (report(MESSAGE).replace(b"pain.002", b"pain.003"), "no pain.002"),
        (report(MESSAGE)[:-5], "no well-formed XML"),
        (report(MESSAGE).replace(b"?>", b"?><!DOCTYPE d>", 1), "document type"),
    ],
)
def test_law_06_a_report_that_cannot_be_used_is_kept_with_its_reason_and_changes_nothing(
    stage: Stage, desk: PaymentDesk, content: bytes, reason: str
) -> None:
    stage.release()
    kept, told = desk.report("status.xml", content, AT)
    assert reason in kept.reason
    assert (told, known(stage)) == ((), {})
    with stage.ledger.database.transaction() as connection:
        assert store.report_with(connection, kept.sha256) == kept


def test_a_report_before_the_release_is_taken_once_the_file_is_released(
    stage: Stage, desk: PaymentDesk
) -> None:
    content = report(MESSAGE, group="ACCP")
    assert "never released" in desk.report("1.xml", content, AT)[0].reason
    stage.release()
    assert desk.report("1.xml", content, AT)[0].reason == ""
    assert set(known(stage).values()) == {Status.ACCEPTED}


def test_two_statuses_of_one_payment_in_one_report_are_refused() -> None:
    once = report(MESSAGE, {"KSH-1": ("ACSC", "")})
    entry = once[once.index(b"<TxInfAndSts>") : once.index(b"</OrgnlPmtInfAndSts>")]
    with pytest.raises(ReportRefused, match="two statuses"):
        pain002.read(once.replace(entry, entry + entry))


@given(st.binary(max_size=120))
def test_no_bytes_do_worse_to_a_report_than_to_be_refused(noise: bytes) -> None:
    for content in (noise, report(MESSAGE)[:200] + noise, report(MESSAGE) + noise):
        try:
            assert pain002.read(content).message == MESSAGE
        except ReportRefused as refused:
            assert refused.reason


def test_the_night_takes_reports_from_its_inbox_and_sends_no_rejected_payment_again(stage: Stage) -> None:
    stage.night.settle(DAY)
    stage.release()
    files = stage.night.write_files(DAY)
    for file in files:
        file.unlink()  # the bank fetched it
    first = references(stage)[0]
    stage.put("1-partly.xml", report(MESSAGE, {first: ("RJCT", "AC04")}, group="PART"))
    stage.put("2-unknown.xml", report("KSH-20261117-0009", group="ACCP"))
    figures = stage.night.run(DAY)
    assert (figures.rejected, figures.reports_refused, figures.files_refused) == (1, 1, 0)
    assert figures.to_look_at
    assert known(stage) == {first: Status.REJECTED}  # nothing was said of the others, and nothing is assumed
    night = view(stage.ledger.database, DAY)
    assert night is not None
    assert [(item.reference, outcome.reason) for item, outcome in night.unpaid] == [
        (first, "AC04 says the bank")
    ]
    assert "was never released" in night.reports_refused[0].reason
    stage.clock.at = UnixMs(stage.clock.at + 60_000)
    assert stage.night.run(DAY) == figures
    assert view(stage.ledger.database, DAY) == night
    assert not any(file.exists() for file in files)
