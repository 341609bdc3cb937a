"""The rows of a bank's table, cell by cell as text: of a delimited file, or of a sheet."""

from __future__ import annotations

import csv
import io
import zipfile
from contextlib import closing
from datetime import date, datetime
from typing import TYPE_CHECKING, Any, Final

from keys.quoting import cut
from settlement.errors import StatementRefused, StatementTooLarge
from settlement.statements.mapped.mapping import CELLS_MAX
from settlement.statements.model import LINES_MAX, TEXT_CHARACTERS_MAX

if TYPE_CHECKING:
    from collections.abc import Iterator

    from settlement.statements.mapped.mapping import Mapping

Row = tuple[int, list[str]]
"""A row: the file's line where it begins (from 1), and its cells without blanks around them."""
XLSX_MARK: Final = b"PK\x03\x04"
XLSX_BYTES_MAX: Final = 300_000_000
"""What the parts of an XLSX may unfold to; a bomb says more in its own directory, or is stopped by its rows."""


def rows(content: bytes, mapping: Mapping) -> Iterator[Row]:
    """The rows; raises StatementRefused."""
    return _bounded(
        _sheet(content, mapping) if content.startswith(XLSX_MARK) else _delimited(content, mapping)
    )


def _delimited(content: bytes, mapping: Mapping) -> Iterator[Row]:
    try:
        text = content.decode(mapping.encoding).removeprefix("\ufeff")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise StatementRefused(f"a byte that is no {mapping.encoding} text", line) from None
    lines = (line.rstrip("\r\n") for line in io.StringIO(text, newline="\n"))
    reader = csv.reader(lines, delimiter=mapping.delimiter, strict=True)
    number = 1
    try:
        for cells in reader:
            yield number, [cell.strip() for cell in cells]
            number = reader.line_num + 1
    except csv.Error as error:
        raise StatementRefused(
            f"no table with {mapping.delimiter!r} between cells: {error}", number
        ) from None


def _sheet(content: bytes, mapping: Mapping) -> Iterator[Row]:
    try:
        yield from _sheet_rows(content, mapping)
    except StatementRefused:
        raise
    except Exception as error:  # noqa: BLE001  members may be cut, packed in strange ways or no XML: each library brings its own errors, some of them at a late row
        raise StatementRefused(
            f"no XLSX that can be read ({cut(error) or type(error).__name__}): save it anew as XLSX, or as CSV"
        ) from None


def _sheet_rows(content: bytes, mapping: Mapping) -> Iterator[Row]:
    import openpyxl  # noqa: PLC0415  a second's loading, for those who send sheets

    with zipfile.ZipFile(io.BytesIO(content)) as parts:
        if sum(part.file_size for part in parts.infolist()) > XLSX_BYTES_MAX:
            raise StatementTooLarge(f"the sheets unfold to over {XLSX_BYTES_MAX} bytes")
    book = openpyxl.load_workbook(io.BytesIO(content), read_only=True, data_only=True)
    with closing(book):
        if mapping.sheet and mapping.sheet not in book.sheetnames:
            raise StatementRefused(f"there is no sheet {mapping.sheet!r}: {cut(', '.join(book.sheetnames))}")
        if not book.worksheets:
            raise StatementRefused("the XLSX has no sheet: export the statement again")
        sheet: Any = book[mapping.sheet] if mapping.sheet else book.worksheets[0]
        for number, cells in enumerate(sheet.iter_rows(values_only=True), start=1):
            yield number, [_cell(cell, mapping) for cell in cells]


def _cell(value: Any, mapping: Mapping) -> str:
    """A cell as the mapping's marks write it. Excel's numbers are binary fractions: two decimals of them are exact."""
    if value is None:
        return ""
    if isinstance(value, datetime | date):
        told = mapping.date_format.replace("yyyy", f"{value.year:04d}").replace(
            "yy", f"{value.year % 100:02d}"
        )
        return told.replace("mm", f"{value.month:02d}").replace("dd", f"{value.day:02d}")
    if isinstance(value, float):
        return f"{value:.2f}".replace(".", mapping.decimal)
    return str(value).strip()


def _bounded(found: Iterator[Row]) -> Iterator[Row]:
    for count, (number, cells) in enumerate(found):
        if count > LINES_MAX:
            raise StatementTooLarge(f"over {LINES_MAX} rows", number)
        if len(cells) > CELLS_MAX and any(cells[CELLS_MAX:]):
            raise StatementRefused(f"a row of over {CELLS_MAX} cells", number)
        if any(len(cell) > TEXT_CHARACTERS_MAX for cell in cells):
            raise StatementRefused(f"a text of over {TEXT_CHARACTERS_MAX} characters", number)
        yield number, cells[:CELLS_MAX]
