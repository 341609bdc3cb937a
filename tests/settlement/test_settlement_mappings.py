"""Tables of banks by mappings: what an independent writer wrote is read back, and what does not fit is refused with its line."""

from __future__ import annotations

import csv
import io
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any

import openpyxl
import pytest
import xlsxwriter
from hypothesis import given, settings
from hypothesis import strategies as st

from keys.money import Sen, plain
from settlement.errors import RuleRefused, StatementRefused
from settlement.statements.mapped import mapping as mappings
from settlement.statements.mapped import reading, rows
from settlement.statements.mapped.mapping import mapping_of
from settlement.statements.model import Statement, checked
from settlement.statements.reading import Reader
from tests.settlement.mappings import KLIKBCA, MANDIRI_CMS

DAY = date(2026, 11, 18)


@dataclass(frozen=True, slots=True)
class Row:
    """One line of a bank's table."""

    day: date
    text: str
    amount: int


@dataclass(frozen=True, slots=True)
class Style:
    """How a bank writes its table."""

    delimiter: str
    decimal: str
    thousands: str
    sign: str
    dates: str
    encoding: str

    def mapping(self) -> dict[str, Any]:
        columns: dict[str, Any] = {"booking_date": "Tanggal", "text": "Keterangan", "balance": "Saldo"}
        columns |= {"columns": {"debit": 3, "credit": 4}, "mark": {"amount": 3, "mark": 4}}.get(
            self.sign, {"amount": 3}
        )
        return {
            "delimiter": self.delimiter, "decimal": self.decimal, "thousands": self.thousands, "sign": self.sign,
            "date_format": self.dates, "encoding": self.encoding, "header": ["Tanggal", "Keterangan", "Saldo"],
            "columns": columns, "account": "0099001122",
        }  # fmt: skip

    def money(self, sen: int) -> str:
        whole, cents = plain(Sen(sen)).split(".")
        digits = whole.lstrip("-")
        grouped = f"{int(digits):,}".replace(",", self.thousands)
        return f"{'-' if sen < 0 else ''}{grouped}{self.decimal}{cents}"

    def moved(self, sen: int) -> list[str]:
        size = self.money(abs(sen))
        return {
            "signed": [self.money(sen), ""],
            "columns": [size, ""] if sen < 0 else ["", size],
            "mark": [size, "D" if sen < 0 else "C"],
            "suffix": [f"{size} {'D' if sen < 0 else 'CR'}", ""],
        }[self.sign]

    def day(self, day: date) -> str:
        return (
            self.dates.replace("yyyy", f"{day:%Y}")
            .replace("yy", f"{day:%y}")
            .replace("mm", f"{day:%m}")
            .replace("dd", f"{day:%d}")
        )

    def table(self, opening: int, lines: list[Row]) -> list[list[str]]:
        written, balance = [["Tanggal", "Keterangan", "Mutasi", "", "Saldo"]], opening
        for line in lines:
            balance += line.amount
            written.append([self.day(line.day), line.text, *self.moved(line.amount), self.money(balance)])
        return written


STYLES = st.builds(
    Style,
    st.sampled_from([",", ";", "|", "\t"]),
    st.sampled_from([",", "."]),
    st.sampled_from(["", " ", "'"]),
    st.sampled_from(["signed", "columns", "mark", "suffix"]),
    st.sampled_from(["dd/mm/yyyy", "yyyy-mm-dd", "dd.mm.yy"]),
    st.sampled_from(["utf-8", "cp1252"]),
)
TEXTS = st.text(st.sampled_from('abcXYZ 0123456789,;|"é/-'), max_size=20).map(
    lambda text: " ".join(text.split())
)
LINES = st.lists(
    st.builds(
        Row,
        st.integers(0, 300).map(lambda n: DAY - timedelta(n)),
        TEXTS,
        st.integers(-(10**13), 10**13).filter(bool),
    ),
    min_size=1,
    max_size=8,
).map(lambda lines: sorted(lines, key=lambda line: line.day))


def delimited(style: Style, table: list[list[str]]) -> bytes:
    text = io.StringIO()
    csv.writer(text, delimiter=style.delimiter, lineterminator="\r\n").writerows(table)
    return text.getvalue().encode(style.encoding)


def told(statement: Statement) -> list[Row]:
    return [Row(line.booking_date, line.text, line.amount) for line in statement.lines]


@given(style=STYLES, opening=st.integers(-(10**14), 10**14), lines=LINES)
def test_a_table_is_read_back_as_it_was_written_whatever_its_style(
    style: Style, opening: int, lines: list[Row]
) -> None:
    mapping = mapping_of("x", 1, style.mapping())
    content = delimited(style, style.table(opening, lines))
    (statement,) = checked(reading.read(content, mapping).statements)
    assert told(statement) == lines
    assert (statement.opening, statement.closing) == (opening, opening + sum(line.amount for line in lines))
    assert reading.fits(content, mapping)


@settings(max_examples=15)
@given(
    opening=st.integers(-(10**11), 10**11),
    lines=LINES.filter(lambda lines: all(abs(line.amount) < 10**11 for line in lines)),
)
def test_a_sheet_with_real_dates_and_numbers_is_read_back_to_the_sen(opening: int, lines: list[Row]) -> None:
    style = Style(",", ".", "", "signed", "dd/mm/yyyy", "utf-8")
    file = io.BytesIO()
    book = xlsxwriter.Workbook(file, {"in_memory": True})
    sheet = book.add_worksheet("Mutasi")
    day_form = book.add_format({"num_format": "dd/mm/yyyy"})
    sheet.write_row(0, 0, ["Rekening", "0099001122"])
    sheet.write_row(2, 0, ["Tanggal", "Keterangan", "Mutasi", "", "Saldo"])
    balance = opening
    for place, line in enumerate(lines, start=3):
        balance += line.amount
        sheet.write_datetime(place, 0, datetime.combine(line.day, datetime.min.time()), day_form)
        sheet.write_string(place, 1, line.text)
        sheet.write_number(place, 2, line.amount / 100)
        sheet.write_number(place, 4, balance / 100)
    book.close()
    mapping = mapping_of(
        "x", 1, style.mapping() | {"account": "", "labels": {"account": "Rekening"}, "sheet": "Mutasi"}
    )
    (statement,) = checked(Reader(mappings=(mapping,)).read(file.getvalue()).statements)
    assert told(statement) == lines
    assert (statement.account, statement.opening) == ("0099001122", opening)


STYLE = Style(",", ".", ",", "signed", "dd/mm/yyyy", "utf-8")
TABLE = b"""Tanggal,Keterangan,Mutasi,,Saldo
18/11/2026,setoran,"1,000.00",,"5,000.00"
19/11/2026,biaya,-10.50,,"4,989.50"
"""


def read(content: bytes, **changes: Any) -> Statement:
    mapping = mapping_of("x", 1, STYLE.mapping() | changes)
    return checked(reading.read(content, mapping).statements)[0]


def test_a_table_that_tells_the_newest_first_is_turned_round() -> None:
    lines = TABLE.splitlines(keepends=True)
    statement = read(b"".join([lines[0], lines[2], lines[1]]))
    assert [line.amount for line in statement.lines] == [100_000, -1_050]
    assert (statement.opening, statement.closing) == (400_000, 498_950)


def test_within_one_day_the_balances_say_which_line_came_first() -> None:
    lines = TABLE.replace(b"19/11", b"18/11").splitlines(keepends=True)
    assert [line.amount for line in read(b"".join([lines[0], lines[2], lines[1]])).lines] == [100_000, -1_050]


@pytest.mark.parametrize(
    ("old", "new", "reason", "line"),
    [
        (b"-10.50", b'"-10,50"', "not grouped by ',' in threes", 3),
        (b"-10.50", b"-10.505", "no amount with '.' as decimal mark", 3),
        (b"-10.50", b"-10,50", "a row without a balance", 3),
        (b"-10.50", b"ten", "no amount", 3),
        (b"-10.50", b"", "a row without an amount", 3),
        (b"19/11/2026", b"2026-11-19", "no date as dd/mm/yyyy", 3),
        (b"19/11/2026", b"31/11/2026", "no date", 3),
        (b"19/11/2026", b"", "a row without a date", 3),
        (b"4,989.50", b"4,989.60", "does not follow from the one before and -10.50", 3),
        (b"Saldo", b"Sisa", "no row has the texts", 0),
        (b"biaya", b"\xff", "no utf-8 text", 3),
        (b"biaya", b"b" * 10_001, "a text of over 10000 characters", 3),
        (TABLE[33:], b"", "no row below the header", 1),
    ],
)
def test_a_table_that_does_not_fit_is_refused_whole_with_line_and_reason(
    old: bytes, new: bytes, reason: str, line: int
) -> None:
    with pytest.raises(StatementRefused, match=reason) as refused:
        read(TABLE.replace(old, new))
    assert refused.value.line == line


@given(st.binary(max_size=150))
def test_no_bytes_do_worse_to_a_table_than_to_be_refused(noise: bytes) -> None:
    mapping = mapping_of("x", 1, STYLE.mapping())
    for content in (noise, TABLE + noise, rows.XLSX_MARK + noise):
        try:
            statements = checked(reading.read(content, mapping).statements)
        except StatementRefused as refused:
            assert refused.reason
        else:
            assert all(one.opening + one.movement == one.closing for one in statements)


def test_a_sheet_that_unfolds_without_end_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    book = openpyxl.Workbook()
    assert book.active is not None
    book.active.append(["x" * 30_000])
    file = io.BytesIO()
    book.save(file)
    monkeypatch.setattr(rows, "XLSX_BYTES_MAX", 20_000)
    with pytest.raises(StatementRefused, match="unfold to over 20000 bytes"):
        read(file.getvalue())


def test_the_mapping_that_names_most_of_a_header_is_taken_and_a_tie_is_for_people() -> None:
    narrow = mapping_of("narrow", 1, STYLE.mapping() | {"header": ["Tanggal"]})
    wide = mapping_of("wide", 1, STYLE.mapping())
    assert Reader(mappings=(narrow, wide)).read(TABLE).format == "mapping wide 1"
    twin = mapping_of("twin", 1, STYLE.mapping())
    with pytest.raises(StatementRefused, match="wide and twin fit alike"):
        Reader(mappings=(wide, twin)).read(TABLE)
    with pytest.raises(StatementRefused, match=r"no mapping knows its header \(wide\)"):
        Reader(mappings=(wide,)).read(b"a,b\n1,2\n")


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"colour": "blue"}, "a mapping has no field colour"),
        ({"header": []}, "name texts of the header row"),
        ({"header": "Tanggal"}, "a list of texts"),
        ({"sign": "guess"}, "sign is 'guess'"),
        ({"sign": "columns"}, "needs the columns credit, debit"),
        ({"decimal": ","}, "the same mark"),
        ({"date_format": "dd/mm"}, "no year"),
        ({"date_format": "whenever"}, "date_format is 'whenever'"),
        ({"columns": {"when": 1}}, "no column when"),
        ({"columns": {"amount": 0}}, "column amount is 0"),
        ({"columns": {"amount": 3}}, "booking_date or value_date is needed"),
        ({"account": ""}, "where does the account stand"),
        ({"delimiter": "::"}, "one character"),
        ({"encoding": "ebcdic"}, "encoding is 'ebcdic'"),
        ({"cells": -1}, "cells is -1"),
        ({"labels": {"total": "x"}}, "labels are"),
        ({"currency": 360}, "currency is 360"),
    ],
)  # fmt: skip
def test_a_mapping_that_is_not_as_it_must_be_is_refused_by_its_field(
    changes: dict[str, Any], words: str
) -> None:
    with pytest.raises(RuleRefused, match=words):
        mapping_of("x", 1, STYLE.mapping() | changes)


def test_a_period_over_the_new_year_gives_each_day_its_own_year() -> None:
    text = "Account No : \t1 \tPeriod : \t20/12/2026 - 10/01/2027\r\r\nDate \tDescription \tAmount \tBalance\r\r\n"
    text += "28/12 \t28/12 \ta\t \t1,00 C \t1,00 C\r\r\n03/01 \t04/01 \tb\t \t2,00 D \t1,00 D\r\r\n"
    mapping = mapping_of("cms", 1, MANDIRI_CMS | {"balance_sign": "suffix"})
    (statement,) = checked(reading.read(text.encode(), mapping).statements)
    assert [line.booking_date.year for line in statement.lines] == [2026, 2027]
    assert (statement.opening, statement.closing) == (0, -100)


def test_a_row_that_is_cut_off_is_refused() -> None:
    cut = b"Date\tDescription\tbranch\tAmount\tBalance\n15/09\tTRSF\nmore\n"
    with pytest.raises(StatementRefused, match="a row of fewer than 6 cells"):
        reading.read(b"Period\t: \t14/09/2009 - 14/10/2009\n" + cut, mapping_of("b", 1, KLIKBCA))


def test_every_field_of_a_mapping_is_explained_where_it_is_defined() -> None:
    assert mappings.__doc__ is not None
    assert all(f"`{name}`" in mappings.__doc__ for name in mappings.FIELDS | set(mappings.COLUMNS))
