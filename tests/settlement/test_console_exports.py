"""Exports read back: the same figures in all three forms, and nothing that a spreadsheet would compute. Charts: whole numbers in, exact bars out."""

from __future__ import annotations

import csv
import io
import re
import zlib
from typing import TYPE_CHECKING
from xml.etree import ElementTree as ET

import pytest
import sqlalchemy as sa
from hypothesis import given, settings
from hypothesis import strategies as st
from openpyxl import load_workbook

from hebat.demo.statements import Account, Movement, camt053
from keys.money import Sen, display, parse
from ledger.intake import tables as intake
from settlement.console.calls import Ask
from settlement.console.charts import LINES_MAX, Bar, bars, step_of
from settlement.console.figures_pages import money
from settlement.console.sheets import FORMULA, Column, Sheet, as_csv, as_pdf, as_xlsx, safe
from settlement.console.store import page, totals
from settlement.console.worklist import asked_filters
from settlement.view import view
from tests.settlement.at_desk import Opened, member, opened
from tests.settlement.test_console_desks import KEPT
from tests.settlement.town import BNI, DATE, DAY

if TYPE_CHECKING:
    from pathlib import Path

    from tests.settlement.town import Stage

HOSTILE = ('=HYPERLINK("http://evil.test")', "+1+1", "-2+3", "@SUM(A1)", "\t=1", "\r=1", "=cmd|' /C calc'!A0")


def sheet_of(texts: list[str], amounts: list[int]) -> Sheet:
    rows = [(text, Sen(amount)) for text, amount in zip(texts, amounts, strict=True)]
    return Sheet("A sheet", (Column("Text", width=60), Column("Amount", money=True)), rows)


def csv_rows(content: bytes) -> list[list[str]]:
    return list(csv.reader(io.StringIO(content.decode("utf-8-sig"), newline="")))


def xlsx_rows(content: bytes) -> list[list[object]]:
    page = load_workbook(io.BytesIO(content)).active
    assert page is not None
    return [[cell.value for cell in row] for row in page.iter_rows()]


def pdf_texts(content: bytes) -> list[str]:
    found: list[str] = []
    for stream in re.findall(rb"stream\r?\n(.*?)\r?\nendstream", content, re.DOTALL):
        try:
            text = zlib.decompress(stream).decode("latin-1")
        except zlib.error:
            continue
        found += [re.sub(r"\\(.)", r"\1", said) for said in re.findall(r"\(((?:\\.|[^\\()])*)\) Tj", text)]
    return found


@settings(max_examples=40, deadline=None)
@given(st.lists(st.tuples(st.text(max_size=12), st.integers(-(10**14), 10**14)), max_size=6))
def test_csv_gives_back_texts_and_sen_exactly_and_never_a_formula(rows: list[tuple[str, int]]) -> None:
    sheet = sheet_of([text for text, _ in rows], [amount for _, amount in rows])
    read = csv_rows(as_csv(sheet))
    assert [parse(row[1]) for row in read[1:]] == [amount for _, amount in rows] + [sum(a for _, a in rows)]
    for (text, _), row in zip(rows, read[1:], strict=False):
        assert not row[0].startswith(FORMULA)
        assert row[0].replace("'", "") == text.replace("'", "")


@pytest.mark.parametrize("divides", [";", "\t"])
@pytest.mark.parametrize(
    "text", ["BAYAR;=1+1", "A;-2+3|cmd", "X;\t@SUM(A1)", "A\n=1+1", 'B; "=1+1', "=1;=2", "\n+1;+1"]
)
def test_a_spreadsheet_that_divides_cells_elsewhere_finds_no_formula_either(text: str, divides: str) -> None:
    """Excel in Indonesia has a comma in its numbers, and so a semicolon between cells."""
    told = as_csv(sheet_of([text, "plain"], [1, 2])).decode("utf-8-sig")
    for quoting in (csv.QUOTE_NONE, csv.QUOTE_MINIMAL):
        rows = csv.reader(io.StringIO(told, newline=""), delimiter=divides, quoting=quoting)
        cells = [
            cell.strip(" \"'") if cell.startswith('"') else cell.lstrip() for row in rows for cell in row
        ]
        assert [one for one in cells if one.startswith(("=", "+", "@", "-"))] == []


def test_what_a_bank_wrote_stays_readable_where_nothing_in_it_is_a_formula() -> None:
    for text in ("a-b; c = d", "PT A; PT B", "0812-345;x", "line\nline"):
        assert safe(text) == text


@pytest.mark.parametrize("text", HOSTILE)
def test_what_begins_like_a_formula_is_text_in_csv_and_xlsx(text: str) -> None:
    sheet = sheet_of([text], [1])
    assert csv_rows(as_csv(sheet))[1][0] == safe(text)
    assert safe(text).startswith("'")
    assert safe(text).replace("'", "") == text.replace("'", "")
    book = load_workbook(io.BytesIO(as_xlsx(sheet)))
    assert book.active is not None
    cell = book.active["A2"]
    assert cell.data_type == "s"
    assert cell.hyperlink is None


@pytest.fixture
def at(stage: Stage, tmp_path: Path) -> Opened:
    made = opened(stage, tmp_path)
    stage.night.run(DAY)
    return made


def test_a_nights_report_has_the_same_figures_in_all_three(at: Opened, stage: Stage) -> None:
    night = view(stage.ledger.database, DAY)
    assert night is not None
    client = member(at, "auditor")
    got = {kind: client.get(f"/console/exports/night/2026-11-18/{kind}") for kind in ("csv", "xlsx", "pdf")}
    for kind, answer in got.items():
        assert answer.headers["content-disposition"] == f'attachment; filename="night-2026-11-18.{kind}"'
    nets = [one.net for one in night.positions]
    assert nets
    nets.append(Sen(sum(nets)))
    assert [parse(row[6]) for row in csv_rows(got["csv"].content)[1:]] == nets
    read = xlsx_rows(got["xlsx"].content)[1:]
    assert [round(float(str(row[6] or 0)) * 100) for row in read] == nets
    texts = pdf_texts(got["pdf"].content)
    for net in nets:
        assert display(net) in texts
    for position in night.positions:
        assert any(position.name in text or text in position.name for text in texts)


def test_the_worklist_has_the_same_rows_and_totals_in_all_three_and_on_its_page(
    at: Opened, stage: Stage
) -> None:
    night = view(stage.ledger.database, DAY)
    assert night is not None
    told = [Movement(Sen(one.amount - 50), one.reference, "", f"B{at}") for at, one in enumerate(night.items) if one.bank == BNI]  # fmt: skip
    told.append(Movement(Sen(700), "", HOSTILE[0], "B9"))
    stage.put("bni.xml", camt053(Account("BNI", "0099001122", DATE, 1, Sen(0), told), "08"))
    stage.night.run(DAY)
    with at.desk.database.writing() as connection:
        connection.execute(sa.insert(intake.quarantine), {"terminal": 1050, "sequence": 41, **KEPT})
    client = member(at, "auditor")
    assert client.get("/console/worklist").text.count("<tr data-row") == len(csv_rows(client.get("/console/exports/worklist/csv").content)) - 2  # fmt: skip
    for query in ("", "?source=break", "?bank=9", "?q=50"):
        with at.desk.database.transaction() as connection:
            filters = asked_filters(Ask("GET", "", "", query=[tuple(query[1:].split("="))] if query else []))  # type: ignore[list-item]
            work = page(connection, filters, None, 500)
            total = sum(one.amount for one in totals(connection, filters))
        assert work
        got = {kind: client.get(f"/console/exports/worklist/{kind}{query}").content for kind in ("csv", "xlsx", "pdf")}  # fmt: skip
        ids, amounts = [one.key for one in work], [one.amount for one in work]
        read = csv_rows(got["csv"])[1:]
        assert [row[2] for row in read] == [*ids, ""]
        assert [parse(row[7]) if row[7] else None for row in read] == [*amounts, total]
        cells = xlsx_rows(got["xlsx"])[1:]
        assert [row[2] or "" for row in cells] == [*ids, ""]
        assert [None if row[7] is None else round(float(str(row[7])) * 100) for row in cells] == [*amounts, total]  # fmt: skip
        texts = pdf_texts(got["pdf"])
        shown = [display(Sen(one)) for one in amounts if one is not None]
        assert [one for one in texts if one in {*shown, display(Sen(total))}] == [*shown, display(Sen(total))]
        for key in ids:
            assert any(key in text or text in key for text in texts), key


def test_the_worklist_goes_out_by_its_filters(at: Opened) -> None:
    client = member(at, "checker")
    whole = csv_rows(client.get("/console/exports/worklist/csv").content)
    none = csv_rows(client.get("/console/exports/worklist/csv?q=nothing-is-called-this").content)
    assert len(none) == 2
    assert len(whole) >= len(none)
    assert client.get("/console/exports/worklist/exe").status_code == 404
    assert client.get("/console/exports/night/2026-13-41/csv").status_code == 404


def test_a_pdf_of_other_scripts_is_made_all_the_same() -> None:
    assert as_pdf(sheet_of(["三宝垄 <b>", "ꦱꦼꦩꦫꦁ"], [350_000, -50])).startswith(b"%PDF-")


@given(st.integers(1, 10**16))
def test_an_axis_has_few_round_lines(most: int) -> None:
    step = step_of(most)
    assert step * LINES_MAX >= most
    assert int(str(step).rstrip("0")) in {1, 2, 5}
    assert step == 1 or step * LINES_MAX < most * 5


@settings(deadline=None)
@given(st.lists(st.integers(-(10**9), 10**9), min_size=1, max_size=30))
def test_a_chart_is_whole_xml_and_higher_values_have_higher_bars(values: list[int]) -> None:
    drawn = bars(
        "n",
        "A <title>",
        "Said & done",
        [Bar(f"<{at}>", one) for at, one in enumerate(values)],
        lambda value, _: str(value),
    )
    root = ET.fromstring(str(drawn))
    space = "{http://www.w3.org/2000/svg}"
    rects = [one for one in root.iter() if one.tag.removeprefix(space) == "rect"]
    heights = [int(one.attrib["height"]) for one in rects]
    assert len(rects) == len(values)
    for (a, high), (b, other) in zip(zip(values, heights, strict=True), zip(values[1:], heights[1:], strict=True), strict=False):  # fmt: skip
        if abs(a) > abs(b):
            assert high >= other - 1
    assert "style" not in str(drawn)


def test_figures_and_windows_show_what_the_books_have(at: Opened) -> None:
    client = member(at, "checker")
    page = client.get("/console/figures").text
    assert page.count('<svg class="chart"') == 3
    assert "Taps by hour on 2026-11-18" in page
    assert "settled" in client.get("/console/windows").text
    assert client.get("/console/figures?date=tomorrow").status_code == 200


def test_all_labels_of_an_axis_have_one_unit() -> None:
    night = [Bar("18 Nov", 233_400_00), Bar("19 Nov", 1_900_00)]
    drawn = bars("n", "Fee income", "Two nights.", night, money)
    axis = re.findall(r'text-anchor="end">([^<]+)<', drawn)
    assert axis == ["0 rb", "50 rb", "100 rb", "150 rb", "200 rb", "250 rb"]
    assert re.findall(r"<title>([^<]+)</title></rect>", drawn) == ["18 Nov: Rp233.400", "19 Nov: Rp1.900"]
