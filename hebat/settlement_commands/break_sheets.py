"""Breaks as a table for a spreadsheet: CSV or a workbook. Amounts are rupiah with two decimals."""

from __future__ import annotations

import csv
from decimal import Decimal
from pathlib import Path  # noqa: TC003  Typer reads the annotations
from typing import Any

from keys.money import Sen, plain

COLUMNS = (
    "break", "reason", "cause", "severity", "age", "bank", "reference", "difference", "owner", "since", "state", "evidence", "why",
)  # fmt: skip


def write_csv(out: Path, rows: list[dict[str, Any]]) -> None:
    """A new CSV file; no text of a stranger is taken for a formula."""
    from settlement.console.sheets import safe  # noqa: PLC0415  loads only where a table is wanted

    with out.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(COLUMNS)
        for row in rows:
            told = row | {"difference": plain(Sen(row["difference"]))}
            writer.writerow(
                [
                    value if name == "difference" else safe(str(value))
                    for name, value in ((one, told[one]) for one in COLUMNS)
                ]
            )


def write_xlsx(out: Path, rows: list[dict[str, Any]]) -> None:
    """A new workbook with one sheet."""
    import xlsxwriter  # noqa: PLC0415  loads only where a workbook is wanted

    with xlsxwriter.Workbook(str(out), {"constant_memory": True}) as book:
        sheet = book.add_worksheet("breaks")
        bold, money = book.add_format({"bold": True}), book.add_format({"num_format": "#,##0.00"})
        sheet.freeze_panes(1, 0)
        for column, name in enumerate(COLUMNS):
            sheet.write_string(0, column, name, bold)
        for place, row in enumerate(rows, start=1):
            for column, name in enumerate(COLUMNS):
                if name == "difference":
                    sheet.write_number(place, column, Decimal(plain(Sen(row[name]))), money)
                else:
                    sheet.write_string(place, column, str(row[name]))
