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

from keys.clock import CITY, UnixMs, moment
from keys.money import Rupiah, Sen, plain, sen_of
from ledger.chart import Code
from settlement.errors import OutputDiffers, ReleaseRefused, RuleRefused
from settlement.items import Item, ItemKind, reference
from settlement.participants import Bank, City, Operator, Participants
from settlement.payments import outbox, pain002, store
from settlement.payments.desk import PaymentDesk
from settlement.payments.files import payment_files
from settlement.payments.model import Release
from settlement.payments.rails import Rail, RailRules
from settlement.payments.table import template_of
from settlement.rulebook.model import RuleKind
from settlement.statements.desk import StatementDesk
from settlement.statements.schemas import Schemas
from settlement.store import payment_files_of
from tests.settlement.town import BNI, CHECKER, DATE, DAY, JATENG, MAKER

if TYPE_CHECKING:
    from pathlib import Path

    from tests.settlement.town import Stage

AT = moment(datetime.combine(DATE, time(23, 30), CITY))
NAME = "pain001-20261118-0009.xml"
RULES = RailRules()


@pytest.fixture
def desk(stage: Stage) -> PaymentDesk:
    """The desk of a city whose window is settled."""
    stage.night.settle(DAY)
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
        desk.make(DAY, BNI, by="staff-a", at=AT)
    desk.release(DAY, BNI, by=CHECKER, at=AT)
    with pytest.raises(ReleaseRefused, match=f"released by {CHECKER}: it is on its way"):
        desk.release(DAY, BNI, by="staff-a", at=AT)


@pytest.mark.parametrize("written", [MAKER, MAKER.upper(), MAKER.title()])
def test_the_maker_releases_nothing_however_the_name_is_written(
    stage: Stage, desk: PaymentDesk, written: str
) -> None:
    desk.make(DAY, BNI, by=MAKER, at=AT)
    with pytest.raises(ReleaseRefused, match="another one must release it"):
        desk.release(DAY, BNI, by=written, at=AT)
    assert out(stage) == []


def test_a_file_that_was_changed_since_somebody_stood_behind_it_is_not_released(
    stage: Stage, desk: PaymentDesk
) -> None:
    with stage.ledger.database.transaction() as connection:
        (file,) = [one for one in payment_files_of(connection, DAY) if one.bank == BNI]
    with stage.ledger.database.writing() as connection:
        store.insert_release(connection, Release(DAY, BNI, "0" * 64, MAKER, AT))
    with pytest.raises(ReleaseRefused, match=f"{file.name} is not the file that {MAKER} made"):
        desk.release(DAY, BNI, by=CHECKER, at=AT)
    assert out(stage) == []


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


@pytest.mark.parametrize("name", ["", " maker", "maker\n", "x" * 81])
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


@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
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
