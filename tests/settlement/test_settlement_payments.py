"""Payment files leave by four eyes and once, in the bank's own form, and what the bank says of them is kept."""

from __future__ import annotations

import csv
import io
from datetime import datetime, time
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from lxml import etree

from hebat.demo.statements import Account, Movement, camt053
from keys.clock import CITY, UnixMs, moment
from keys.money import Rupiah, Sen, plain, sen_of
from ledger.chart import Code
from settlement.breaks.kept import Cause
from settlement.errors import OutputDiffers, ReleaseRefused, ReportRefused, RuleRefused
from settlement.items import Item, ItemKind, reference
from settlement.participants import Bank, City, Operator, Participants
from settlement.payments import outbox, pain002, store
from settlement.payments.desk import PaymentDesk
from settlement.payments.files import payment_files
from settlement.payments.model import Status
from settlement.payments.rails import Rail, RailRules
from settlement.payments.table import template_of
from settlement.rulebook.model import RuleKind
from settlement.statements.desk import StatementDesk
from settlement.statements.schemas import Schemas
from settlement.store import items_of, payment_files_of
from settlement.view import view
from tests.settlement.reports import report
from tests.settlement.town import BNI, CHECKER, DATE, DAY, JATENG, MAKER

if TYPE_CHECKING:
    from pathlib import Path

    from tests.settlement.town import Stage

AT = moment(datetime.combine(DATE, time(23, 30), CITY))
NAME = "pain001-20261118-0009.xml"
RULES = RailRules()
MESSAGE = "KSH-20261118-0009"


@pytest.fixture
def desk(stage: Stage) -> PaymentDesk:
    """The desk of a city whose window is settled."""
    stage.night.run(DAY)
    return stage.night.payments


def out(stage: Stage) -> list[str]:
    return sorted(path.name for path in stage.out.iterdir() if path.is_file()) if stage.out.exists() else []


# Four eyes


def test_no_file_goes_out_before_one_made_it_and_another_released_it(stage: Stage, desk: PaymentDesk) -> None:
    assert out(stage) == []
    with pytest.raises(ReleaseRefused, match=f"nobody made {NAME} yet"):
        desk.release(DAY, BNI, by=CHECKER, at=AT)
    desk.make(DAY, BNI, by=MAKER, at=AT)
    assert out(stage) == []
    for name in (MAKER, MAKER.lower()):
        with pytest.raises(ReleaseRefused, match="another one must release it"):
            desk.release(DAY, BNI, by=name, at=AT)
    assert out(stage) == []
    released = desk.release(DAY, BNI, by=CHECKER, at=AT)
    assert out(stage) == [NAME]
    kept = released.release
    assert (kept.made_by, kept.released_by, kept.released_at) == (MAKER, CHECKER, AT)
    with stage.ledger.database.transaction() as connection:
        (file,) = [one for one in payment_files_of(connection, DAY) if one.bank == BNI]
    assert (stage.out / NAME).read_bytes() == file.content


def test_a_file_that_was_fetched_is_never_written_again(stage: Stage, desk: PaymentDesk) -> None:
    stage.release()
    (stage.out / NAME).unlink()  # the bank's transport takes it away
    again = desk.release(DAY, BNI, by=CHECKER, at=UnixMs(AT + 1))
    assert again.release.released_at != AT + 1
    stage.night.run(DAY)
    assert NAME not in out(stage)


@pytest.mark.parametrize("moment_", ["before the record", "after the record"])
def test_a_crash_in_the_middle_of_a_release_lets_it_go_out_exactly_once(
    stage: Stage, desk: PaymentDesk, monkeypatch: pytest.MonkeyPatch, moment_: str
) -> None:
    desk.make(DAY, BNI, by=MAKER, at=AT)

    def crash(*_: object) -> None:
        raise KeyboardInterrupt

    place = (store, "record_release") if moment_ == "before the record" else (outbox, "put_out")
    with monkeypatch.context() as patched:
        patched.setattr(*place, crash)
        with pytest.raises(KeyboardInterrupt):
            desk.release(DAY, BNI, by=CHECKER, at=AT)
    assert out(stage) == [f".{NAME}.part"]
    stage.night.run(DAY)  # the night finishes what was released, and only that
    assert out(stage) == ([f".{NAME}.part"] if moment_ == "before the record" else [NAME])
    desk.release(DAY, BNI, by=CHECKER, at=AT)
    assert out(stage) == [NAME]


def test_another_cannot_make_or_release_what_was_made_or_released(desk: PaymentDesk) -> None:
    first = desk.make(DAY, BNI, by=MAKER, at=AT)
    assert desk.make(DAY, BNI, by=MAKER, at=UnixMs(AT + 1)) == first
    with pytest.raises(ReleaseRefused, match=f"made by {MAKER} already"):
        desk.make(DAY, BNI, by="Siti", at=AT)
    desk.release(DAY, BNI, by=CHECKER, at=AT)
    with pytest.raises(ReleaseRefused, match=f"released by {CHECKER}: it is on its way"):
        desk.release(DAY, BNI, by="Siti", at=AT)


def test_a_file_in_its_place_that_is_another_stops_the_release(stage: Stage, desk: PaymentDesk) -> None:
    desk.make(DAY, BNI, by=MAKER, at=AT)
    stage.out.mkdir(exist_ok=True)
    (stage.out / NAME).write_bytes(b"somebody's own")
    with pytest.raises(OutputDiffers):
        desk.release(DAY, BNI, by=CHECKER, at=AT)
    with stage.ledger.database.transaction() as connection:
        kept = store.release_of(connection, DAY, BNI)
    assert kept is not None
    assert not kept.is_released


@pytest.mark.parametrize("name", ["", " Ratna", "Ratna\n", "x" * 81])
def test_nobody_is_not_a_name(desk: PaymentDesk, name: str) -> None:
    with pytest.raises(ReleaseRefused, match="nobody's name"):
        desk.make(DAY, BNI, by=name, at=AT)


def test_a_bank_without_a_file_has_nothing_to_release(desk: PaymentDesk) -> None:
    with pytest.raises(ReleaseRefused, match="bank 0077 has no payment file of 2026-11-18"):
        desk.make(DAY, 77, by=MAKER, at=AT)


# pain.001, against its schema


def participants(names: list[str]) -> Participants:
    banks = [
        Bank(BNI, "Bank Negara Indonesia", "BNINIDJA", "0099001122"),
        Bank(JATENG, "Bank Jateng", "PDJTIDJ1", "1130014455"),
    ]
    operators = [
        Operator(number, name, (BNI, JATENG)[number % 2], f"10{number}")
        for number, name in enumerate(names, start=1)
    ]
    city = City(1, "Pemerintah Kota Semarang", JATENG, "1013000001")
    return Participants(banks=banks, operators=operators, merchants=[], agents=[], city=city)


NAMES = st.lists(
    st.text(st.characters(codec="utf-8", categories=("L", "N", "P", "S", "Zs")), min_size=1, max_size=40)
    .map(lambda text: " ".join(text.split()))
    .filter(lambda text: text and text.isprintable()),
    min_size=1,
    max_size=6,
)


def batch(city: Participants, rupiah: list[int]) -> tuple[Item, ...]:
    """BNI pays each operator, at whichever bank it is."""
    made = []
    for (number, party), amount in zip(city.operators.items(), rupiah, strict=False):
        owed = sen_of(Rupiah(amount))
        rail = RULES.rail(owed, same_bank=party.bank == BNI, day=DAY)
        due, code = RULES.execution(rail, DAY), Code.OPERATOR_PAYABLE
        made.append(
            Item(
                DAY,
                reference(DAY, BNI, number),
                BNI,
                ItemKind.PAYOUT,
                code,
                number,
                party.name,
                Sen(-owed),
                due,
                rail,
            )
        )
    return tuple(made)


@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(names=NAMES, rupiah=st.lists(st.integers(1, 10**12), min_size=6, max_size=6))
def test_every_batch_is_valid_against_the_schema_and_the_same_each_time(
    names: list[str], rupiah: list[int], data: Path
) -> None:
    city = participants(names)
    expected = batch(city, rupiah)
    (file,) = payment_files(DAY, AT, expected, city)
    assert pain002.schema_says(file.content, Schemas(data / "xsd")) == ""
    assert payment_files(DAY, AT, tuple(reversed(expected)), city)[0].content == file.content
    told = [name.text for name in etree.fromstring(file.content).iterfind(".//{*}Cdtr/{*}Nm")]
    assert sorted(map(str, told)) == sorted(names)


def test_a_file_that_its_schema_refuses_is_not_released(
    stage: Stage, desk: PaymentDesk, tmp_path: Path
) -> None:
    schema = '<xs:schema xmlns:xs="http://www.w3.org/2001/XMLSchema"><xs:element name="Nothing"/></xs:schema>'
    (tmp_path / "pain.001.001.09.xsd").write_text(schema)
    strict = PaymentDesk(stage.ledger.database, stage.out, Schemas(tmp_path))
    desk.make(DAY, BNI, by=MAKER, at=AT)
    with pytest.raises(ReleaseRefused, match="not valid against its schema"):
        strict.release(DAY, BNI, by=CHECKER, at=AT)
    assert out(stage) == []


# A bank's own table

TEMPLATE: dict[str, Any] = {
    "columns": [
        {"title": "No", "value": "number"}, {"title": "Rek Tujuan", "value": "account"}, {"title": "Nama", "value": "name"},
        {"title": "Jumlah", "value": "amount"}, {"title": "Ref", "value": "reference"}, {"title": "Layanan", "value": "rail"},
        {"title": "Tgl", "value": "date"}, {"title": "Mata Uang", "fixed": "IDR"}, {"title": "Ket", "value": "text"},
    ],
    "decimal": ",",
    "rails": {"BI_FAST": "BIF", "IN_HOUSE": "OVB"},
    "date_format": "dd/mm/yyyy",
}  # fmt: skip


@settings(max_examples=40)
@given(names=NAMES, rupiah=st.lists(st.integers(1, 10**12), min_size=6, max_size=6))
def test_a_banks_table_holds_every_payment_to_the_sen(names: list[str], rupiah: list[int]) -> None:
    city = participants([f"PT {name}" for name in names])
    expected = batch(city, rupiah)
    (file,) = payment_files(DAY, AT, expected, city, {BNI: template_of(TEMPLATE)})
    header, *rows = csv.reader(io.StringIO(file.content.decode(), newline=""), delimiter=";")
    assert header[:4] == ["No", "Rek Tujuan", "Nama", "Jumlah"]
    assert file.name == "payments-20261118-0009.csv"
    by_reference = {item.reference: item for item in expected}
    assert [row[4] for row in rows] == sorted(by_reference)
    for row in rows:
        item = by_reference[row[4]]
        assert (row[2], row[3], row[7]) == (item.name, plain(Sen(-item.amount)).replace(".", ","), "IDR")
        assert row[5] == {Rail.BI_FAST: "BIF", Rail.IN_HOUSE: "OVB"}.get(
            item.rail or Rail.RTGS, item.rail and item.rail.name
        )


def test_the_window_uses_the_template_that_staff_keep_for_a_bank(stage: Stage) -> None:
    rulebook = StatementDesk(stage.ledger.database, stage.participants).rulebook
    rulebook.add(RuleKind.PAYMENT_TEMPLATE, "0009", TEMPLATE, author=MAKER, reason="no ISO yet", at=AT)
    stage.night.run(DAY)
    stage.release()
    assert out(stage) == [
        "pain001-20261118-0008.xml",
        "pain001-20261118-0113.xml",
        "payments-20261118-0009.csv",
    ]


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"columns": []}, "a list of 1 to 60"),
        ({"columns": [{"title": "x", "value": "secret"}]}, "a value of number"),
        ({"columns": [{"title": "x", "value": "amount"}]}, "reference, account and amount are needed"),
        ({"decimal": ";"}, "a point or a comma"),
        ({"encoding": "ebcdic"}, "utf-8 or cp1252"),
        ({"rails": {"PIGEON": "x"}}, "the bank's names of"),
        ({"colour": 1}, "has the fields"),
    ],
)
def test_a_template_that_is_not_as_it_must_be_is_refused(changes: dict[str, Any], words: str) -> None:
    with pytest.raises(RuleRefused, match=words):
        template_of(TEMPLATE | changes)


def test_a_name_that_a_spreadsheet_would_run_or_the_bank_cannot_read_is_refused() -> None:
    for name, changes in (("=SUM(A1)", {}), ("工商银行", {"encoding": "cp1252"})):
        city = participants([name])
        with pytest.raises(RuleRefused, match=r"formula|cannot be written"):
            payment_files(DAY, AT, batch(city, [5]), city, {BNI: template_of(TEMPLATE | changes)})


# What the bank says


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
