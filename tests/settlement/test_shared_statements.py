"""Every statement file of the public suites and every Indonesian sample: read to its expected values, or refused for a known reason.

The table of verdicts is also in docs/statements.md, row by row.
"""

from __future__ import annotations

import re
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import pytest

from keys.money import Sen
from settlement.errors import StatementRefused
from settlement.statements import mt940
from settlement.statements.dialects import BTN, EUROPEAN, Mend
from settlement.statements.mapped.mapping import mapping_of
from settlement.statements.model import checked
from settlement.statements.reading import Reader
from settlement.statements.schemas import Schemas
from tests.settlement.expected_yml import expected
from tests.settlement.mappings import KLIKBCA, MANDIRI_CMS, MANDIRI_MCM

if TYPE_CHECKING:
    from settlement.statements.model import Reading

REVERSED = re.compile(r":61:\d{6}(\d{4})?R[CD]")
DOCS = Path(__file__).parents[2] / "docs" / "statements.md"


class Verdict(NamedTuple):
    """What becomes of a file: how many statements and lines, what was mended; or why it is refused."""

    statements: int = 0
    lines: int = 0
    mends: tuple[Mend, ...] = ()
    refused: str = ""


NOT_ADDED_UP = "but the closing balance says"
EXCERPT = "where 20 belongs"
MT940 = {
    "betterplace_sepa_mt9401.sta": Verdict(26, 97),
    "betterplace_with_binary_character.sta": Verdict(2, 4),
    "jejik_rabobank-iban.sta": Verdict(2, 4, (Mend.HEADER,)),
    "self-provided_wrapped_timestamp.sta": Verdict(1, 1, (Mend.MONTH_END, Mend.NO_FIELD)),
    "btn-idr-mock.txt": Verdict(1, 2, (Mend.LONG_NUMBER, Mend.NO_COMMA)),
    "jejik_ing.sta": Verdict(1, 7, (Mend.HEADER, Mend.TABS, Mend.TRAILER), NOT_ADDED_UP),
    "jejik_triodos.sta": Verdict(1, 2, (Mend.FIELD_28,), NOT_ADDED_UP),
    "mBank_with_newline_in_tnr.sta": Verdict(1, 2, (Mend.CONTROL,), NOT_ADDED_UP),
    "self-provided_details_60-63.sta": Verdict(1, 1, (), NOT_ADDED_UP),
    "self-provided_malformed_details.sta": Verdict(1, 1, (), NOT_ADDED_UP),
    "self-provided_overly_long_details.sta": Verdict(1, 1, (), NOT_ADDED_UP),
    "self-provided_gv_codes.sta": Verdict(refused="without a closing balance"),
    "self-provided_sparkassen.sta": Verdict(refused=EXCERPT),
    "betterplace_amount_formats.sta": Verdict(refused=EXCERPT),
    "betterplace_empty_entry_date.sta": Verdict(refused=EXCERPT),
    "cmxl_account_balance_debit.sta": Verdict(refused=EXCERPT),
    "cmxl_available_balance.sta": Verdict(refused=EXCERPT),
    "cmxl_reference.sta": Verdict(refused="without a closing balance"),
    "cmxl_statement_number.sta": Verdict(refused=EXCERPT),
}
CAMT = {
    "camt053.v2.multi.statement.xml": Verdict(2, 2),
    "camt054.v2.xml": Verdict(0, 1),
    "camt053.v2.minimal.xml": Verdict(refused="closing balance is in SEK, the opening balance in EUR"),
    "camt053.v4.xml": Verdict(refused="closing balance is in SEK, the opening balance in EUR"),
    "camt053.v2.wrong.xml": Verdict(refused=r"not valid against the schema: .* Expected is \( Stmt \)"),
}
TABLES = {
    "stmt-cms.txt": Verdict(1, 3),
    "stmt-mcm-v201901.csv": Verdict(1, 5),
    "stmt1-en.opera10linux.txt": Verdict(1, 17),
}
FOLDERS = {"mt940": MT940, "camt": CAMT, "csv-text": TABLES}
WHOLE = [name for name, verdict in MT940.items() if verdict.statements]
WITH_YML = [name for name in WHOLE if name != "btn-idr-mock.txt"]
MAPPINGS = tuple(
    mapping_of(name, 1, told)
    for name, told in (("cms", MANDIRI_CMS), ("mcm", MANDIRI_MCM), ("klikbca", KLIKBCA))
)


def content(data: Path, folder: str, name: str) -> bytes:
    return (data / "statements" / folder / name).read_bytes()


def read_mt940(data: Path, name: str) -> Reading:
    return mt940.read(content(data, "mt940", name), BTN if name.startswith("btn") else EUROPEAN)


def test_every_shared_file_has_a_verdict_here_and_in_the_page(data: Path) -> None:
    page = DOCS.read_text(encoding="utf-8")
    for folder, verdicts in FOLDERS.items():
        names = {path.name for path in (data / "statements" / folder).iterdir()}
        known = {name for name in names if not name.endswith(".yml") and not name.startswith("LICENSE")}
        assert known == verdicts.keys()
        for name, verdict in verdicts.items():
            row = next(line for line in page.splitlines() if line.startswith(f"| `{name}` |"))
            assert ("refused" in row) == bool(verdict.refused), row


@pytest.mark.parametrize("name", WHOLE)
def test_whole_messages_are_read_and_what_was_mended_is_said(name: str, data: Path) -> None:
    told, verdict = read_mt940(data, name), MT940[name]
    lines = [line for one in told.statements for line in one.lines]
    assert (len(told.statements), len(lines)) == (verdict.statements, verdict.lines)
    assert {remark.text for remark in told.remarks} == {mend.value for mend in verdict.mends}
    if verdict.refused:
        with pytest.raises(StatementRefused, match=verdict.refused):
            checked(told.statements)
    else:
        assert checked(told.statements) == told.statements


@pytest.mark.parametrize("name", WITH_YML)
def test_lines_have_the_values_that_the_public_suite_expects(name: str, data: Path) -> None:
    wanted = expected(content(data, "mt940", name.replace(".sta", ".yml")).decode())
    lines = [line for one in read_mt940(data, name).statements for line in one.lines]
    source = content(data, "mt940", name).decode().splitlines()
    assert len(lines) == len(wanted)
    for line, one in zip(lines, wanted, strict=True):
        # The suite counts a reversed credit as a credit; the balances of its own file say that it is none.
        reversed_ = REVERSED.match(source[line.source_line - 1])
        assert line.amount == (-one.sen if reversed_ else one.sen)
        assert (line.value_date, line.bank_reference) == (one.value_date, one.bank_reference)
        assert one.customer_reference in {"", line.reference}


@pytest.mark.parametrize("name", [name for name, verdict in MT940.items() if not verdict.statements])
def test_excerpts_are_refused_as_no_whole_message(name: str, data: Path) -> None:
    with pytest.raises(StatementRefused, match=MT940[name].refused):
        read_mt940(data, name)


FRAME = ":20:X\n:25:1\n:28C:1/1\n:60F:C170914EUR100,00\n{lines}\n:62F:C170914EUR{closing}\n-\n"


@pytest.mark.parametrize(
    ("name", "closing"),
    [
        ("self-provided_sparkassen.sta", "130,00"),
        ("betterplace_empty_entry_date.sta", "150,00"),
    ],
)
def test_lines_of_excerpts_within_a_whole_message_have_the_expected_values(
    name: str, closing: str, data: Path
) -> None:
    excerpt = content(data, "mt940", name).decode().strip().removesuffix("-").strip()
    told = mt940.read(FRAME.format(lines=excerpt, closing=closing).encode(), EUROPEAN)
    (statement,) = checked(told.statements)
    wanted = expected(content(data, "mt940", name.replace(".sta", ".yml")).decode())
    assert [(line.amount, line.value_date) for line in statement.lines] == [
        (one.sen, one.value_date) for one in wanted
    ]


def test_both_lines_of_a_message_without_an_end_have_the_expected_values(data: Path) -> None:
    name = "self-provided_gv_codes"
    whole = content(data, "mt940", f"{name}.sta").rstrip() + b"\n:62F:C191025EUR12087,67\n-\n"
    (statement,) = checked(mt940.read(whole, EUROPEAN).statements)
    wanted = expected(content(data, "mt940", f"{name}.yml").decode())
    assert [(line.amount, line.value_date) for line in statement.lines] == [
        (one.sen, one.value_date) for one in wanted
    ]
    assert statement.lines[0].end_to_end == "1234567890123 PAYPAL"


@pytest.mark.parametrize(
    ("balance", "sen"),
    [("380115,12", 380_115_12), ("380115,1", 380_115_10), ("380115,", 380_115_00), ("0,12", 12), ("00,12", 12), ("001,12", 1_12)],
)  # fmt: skip
def test_amounts_are_read_in_every_form_that_an_excerpt_lists(balance: str, sen: int, data: Path) -> None:
    listed = content(data, "mt940", "betterplace_amount_formats.sta").decode().split()
    assert f":60F:C100318EUR{balance}" in listed
    message = f":20:X\n:25:1\n:28C:1\n:60F:C100318EUR{balance}\n:62F:C100318EUR{balance}\n-\n"
    assert mt940.read(message.encode()).statements[0].opening == Sen(sen)


def test_head_fields_of_excerpts_are_read_within_a_whole_message(data: Path) -> None:
    reference, number, opening, available = (
        content(data, "mt940", f"cmxl_{name}.sta").decode().strip()
        for name in ("reference", "statement_number", "account_balance_debit", "available_balance")
    )
    closing = opening.replace("60F", "62F")
    message = f"{reference}\n:25:1\n{number}\n{opening}\n{closing}\n{available}\n-"
    (statement,) = mt940.read(message.encode()).statements
    assert (statement.identifier, statement.number) == ("D140902049-00035/001", 35)
    assert (statement.opening, statement.opening_date) == (Sen(-147_64), date(2014, 8, 29))


def test_the_indonesian_sample_is_read_to_the_rupiah(data: Path) -> None:
    (statement,) = read_mt940(data, "btn-idr-mock.txt").statements
    assert (statement.account, statement.currency) == ("001401300018075", "IDR")
    assert (statement.opening, statement.closing) == (Sen(100_000_00), Sen(120_000_00))
    assert {line.bank_reference for line in statement.lines} == {"220412300000987654321"}
    assert [line.text for line in statement.lines] == ["987654321 PLS2123643239", "987654321 TKP1644336563"]


# camt


@pytest.mark.parametrize("name", CAMT)
def test_camt_files_are_read_or_refused_for_a_known_reason(name: str, data: Path) -> None:
    reader, verdict = Reader(Schemas(data / "xsd")), CAMT[name]
    if verdict.refused:
        with pytest.raises(StatementRefused, match=verdict.refused) as refused:
            reader.read(content(data, "camt", name))
        assert refused.value.line > 0
        return
    told = reader.read(content(data, "camt", name))
    lines = [line for one in told.statements for line in one.lines]
    lines += [line for one in told.notices for line in one.lines]
    assert (len(told.statements), len(lines)) == (verdict.statements, verdict.lines)


def test_two_statements_of_one_document_are_read_to_the_cent(data: Path) -> None:
    first, second = (
        Reader(Schemas(data / "xsd")).read(content(data, "camt", "camt053.v2.multi.statement.xml")).statements
    )
    assert (first.opening, first.movement, second.movement) == (Sen(18_15), Sen(8_85), Sen(-7_00))
    line = second.lines[0]
    assert (line.end_to_end, line.booking_date, line.value_date) == (
        "000000002",
        date(2014, 12, 31),
        date(2015, 1, 2),
    )


def test_a_notification_tells_its_movement(data: Path) -> None:
    (notice,) = Reader(Schemas(data / "xsd")).read(content(data, "camt", "camt054.v2.xml")).notices
    (line,) = notice.lines
    assert (notice.account, line.amount, line.currency) == ("CH2801234000123456789", Sen(-200_000_00), "SEK")
    assert line.value_date == date(2007, 10, 18)


# Tables of Indonesian banks


def test_mandiris_cash_management_text_is_read_by_a_mapping(data: Path) -> None:
    (statement,) = Reader(mappings=MAPPINGS).read(content(data, "csv-text", "stmt-cms.txt")).statements
    assert (statement.account, statement.currency) == ("1234567890123", "IDR")
    assert (statement.opening_date, statement.closing_date) == (date(2009, 8, 10), date(2009, 8, 15))
    assert (statement.opening, statement.closing) == (Sen(6_029_560_20), Sen(11_138_671_20))
    assert [line.amount for line in statement.lines] == [111_111_00, -2_000_00, 5_000_000_00]
    assert [line.value_date.day for line in statement.lines] == [10, 11, 11]
    assert statement.lines[1].text == "Transfer IB 1111111 1111 CA LC Deposit (PDC)"


def test_mandiris_csv_without_balances_is_read_and_says_so(data: Path) -> None:
    told = Reader(mappings=MAPPINGS).read(content(data, "csv-text", "stmt-mcm-v201901.csv"))
    (statement,) = told.statements
    assert [line.amount for line in statement.lines] == [
        917_180_00,
        -152_900_00,
        356_950_00,
        3_107_500_00,
        825_000_00,
    ]
    assert [line.reference for line in statement.lines] == ["", "whatever", "something", "", ""]
    assert (statement.account, statement.balanced) == ("1030001026344", False)
    assert [remark.text for remark in told.remarks] == [
        "the file tells no balances: its lines are taken on from the statement before"
    ]


def test_bcas_text_with_broken_rows_is_read_by_a_mapping(data: Path) -> None:
    (statement,) = (
        Reader(mappings=MAPPINGS).read(content(data, "csv-text", "stmt1-en.opera10linux.txt")).statements
    )
    assert (statement.account, statement.opening, statement.closing) == (
        "1234567890",
        Sen(13_023_039_77),
        Sen(6_261_232_46),
    )
    credits_ = sum(line.amount for line in statement.lines if line.amount > 0)
    assert (credits_, statement.movement - credits_) == (
        7_442_990_86,
        -14_204_798_17,
    )  # as the file's own totals say
    assert (
        statement.lines[0].text
        == "TRSF E-BANKING DB 1509/FTSCY/WS95011 1000000.00 AAAAAAAAA AAAAAAAA AAAAAA AAAAAAAA"
    )
    assert statement.lines[7].text == "KOR SETORAN TUNAI SALAH NOMINAL"
