"""The same rows as XLSX, CSV and PDF. What a bank or a person wrote is text in all three, and never a formula."""

from __future__ import annotations

import csv
import io
import re
from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING, Final

import xlsxwriter
from fpdf import FPDF
from fpdf.fonts import FontFace

from keys.money import Sen, display, plain

if TYPE_CHECKING:
    from collections.abc import Sequence

    Cell = str | int | Sen | None

FORMULA: Final = ("=", "+", "-", "@", "\t", "\r", "\n")
"""How a text begins that a spreadsheet would compute (OWASP, CSV Injection)."""
_NEXT_CELL: Final = re.compile(r"([;\t\r\n])(?=[\s\"']*[=+\-@])")
"""Where a spreadsheet that divides cells at something else than a comma, as Indonesia's does at a semicolon, would find such a beginning within a text."""
PDF_ROWS_MAX: Final = 2_000
PDF_CHARACTERS_MAX: Final = 120
XLSX_ROWS_MAX: Final = 100_000
TYPES: Final = {
    "csv": "text/csv; charset=utf-8",
    "xlsx": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
    "pdf": "application/pdf",
}


@dataclass(frozen=True, slots=True)
class Column:
    """A column; money is in sen, and shown in rupiah."""

    name: str
    money: bool = False
    width: int = 16


@dataclass(frozen=True, slots=True)
class Sheet:
    """A title, columns, rows, and under them the sums of the money columns."""

    title: str
    columns: tuple[Column, ...]
    rows: Sequence[tuple[Cell, ...]]

    @property
    def sums(self) -> tuple[Cell, ...]:
        """The last row: the sum of each money column, in sen."""
        return tuple(
            Sen(sum(int(row[at] or 0) for row in self.rows)) if column.money else ("Sum" if at == 0 else "")
            for at, column in enumerate(self.columns)
        )


def written(sheet: Sheet, kind: str) -> bytes:
    """A sheet as csv, xlsx or pdf."""
    return {"csv": as_csv, "xlsx": as_xlsx, "pdf": as_pdf}[kind](sheet)


def safe(text: str) -> str:
    """A text that no spreadsheet takes for a formula, wherever it divides cells: an apostrophe stands before what begins like one."""
    told = _NEXT_CELL.sub(r"\1'", text)
    return f"'{told}" if told.startswith(FORMULA) else told


def as_csv(sheet: Sheet) -> bytes:
    """RFC 4180 in UTF-8 with a byte order mark, which Excel needs; amounts as 3500.00."""
    out = io.StringIO(newline="")
    table = csv.writer(out)
    table.writerow([safe(column.name) for column in sheet.columns])
    for row in (*sheet.rows, sheet.sums):
        table.writerow([_flat(cell, column) for cell, column in zip(row, sheet.columns, strict=True)])
    return b"\xef\xbb\xbf" + out.getvalue().encode()


def _flat(cell: Cell, column: Column) -> str:
    if cell is None:
        return ""
    return plain(Sen(int(cell))) if column.money and cell != "" else safe(str(cell))


def as_xlsx(sheet: Sheet) -> bytes:
    """A workbook: texts as texts whatever they begin with, amounts as numbers with two decimals."""
    out = io.BytesIO()
    book = xlsxwriter.Workbook(
        out, {"in_memory": True, "strings_to_formulas": False, "strings_to_urls": False, "strings_to_numbers": False}
    )  # fmt: skip
    page = book.add_worksheet("Sheet")
    bold, money = book.add_format({"bold": True}), book.add_format({"num_format": "#,##0.00"})
    for at, column in enumerate(sheet.columns):
        page.set_column(at, at, column.width)
        page.write_string(0, at, column.name, bold)
    for number, row in enumerate((*sheet.rows[:XLSX_ROWS_MAX], sheet.sums), 1):
        for at, (cell, column) in enumerate(zip(row, sheet.columns, strict=True)):
            if cell is None or cell == "":
                continue
            if column.money:
                page.write_number(number, at, _rupiah(int(cell)), money)
            elif isinstance(cell, int):
                page.write_number(number, at, cell)
            else:
                page.write_string(number, at, cell)
    page.freeze_panes(1, 0)
    page.autofilter(0, 0, max(len(sheet.rows), 1), len(sheet.columns) - 1)
    book.close()
    return out.getvalue()


def _rupiah(sen: int) -> Decimal:
    """A number cell's value: rupiah with exactly two decimals, no binary fraction on the way."""
    return Decimal(sen).scaleb(-2)


def as_pdf(sheet: Sheet) -> bytes:
    """A4 across, its head on each page; the standard fonts have Latin letters, others are shown as a question mark."""
    page = FPDF(orientation="landscape", format="A4")
    page.set_title(sheet.title)
    page.set_margin(10)
    page.add_page()
    page.set_font("Helvetica", "B", 13)
    page.cell(0, 9, _latin(sheet.title), new_x="LMARGIN", new_y="NEXT")
    page.set_font("Helvetica", size=7.5)
    shown = sheet.rows[:PDF_ROWS_MAX]
    with page.table(
        col_widths=tuple(column.width for column in sheet.columns), line_height=4.2,
        text_align=tuple("RIGHT" if column.money else "LEFT" for column in sheet.columns),
        headings_style=FontFace(emphasis="BOLD"),
    ) as table:  # fmt: skip
        table.row([_latin(column.name) for column in sheet.columns])
        for row in (*shown, sheet.sums):
            table.row([_printed(cell, column) for cell, column in zip(row, sheet.columns, strict=True)])
    if len(sheet.rows) > len(shown):
        page.cell(
            0,
            8,
            f"{len(shown)} of {len(sheet.rows)} rows; the sums are of all: take XLSX or CSV for the rest",
        )
    return bytes(page.output())


def _printed(cell: Cell, column: Column) -> str:
    if cell is None or cell == "":
        return ""
    return display(Sen(int(cell))) if column.money else _latin(str(cell))[:PDF_CHARACTERS_MAX]


def _latin(text: str) -> str:
    return text.encode("latin-1", "replace").decode("latin-1")
