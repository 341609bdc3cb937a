"""A GTFS feed, a folder or a zip file: tables of checked rows, every complaint with file, row and column.

GTFS Schedule reference, File Requirements: UTF-8 with or without a mark, comma-separated, the first line names the fields, values without tabs or line
ends, files at the root of the zip. Unknown fields of fare files are refused: a field that is not understood may change a price.
"""

from __future__ import annotations

import csv
import io
import lzma
import struct
import zipfile
import zlib
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final, Self

from keys.clock import Day, day_of
from keys.errors import MoneyError
from keys.money import Rupiah, parse, rupiah_of
from keys.quoting import cut, quoted
from terminals.errors import FeedWrong

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping
    from pathlib import Path
    from types import TracebackType

FILE_BYTES_MAX: Final = 64 << 20
ROWS_MAX: Final = 1_000_000
VALUE_CHARS_MAX: Final = 1_000
ID_CHARS_MAX: Final = 64
_BROKEN: Final = frozenset("\t\r\n")
_BROKEN_ZIP: Final = (
    OSError, EOFError, RuntimeError, ValueError, OverflowError, struct.error, zlib.error, lzma.LZMAError, zipfile.BadZipFile,
)  # fmt: skip
"""What `zipfile` raises for an archive or a member that is cut short, packed in a way that it lacks, enciphered, or no archive at all."""


@dataclass(frozen=True, slots=True)
class Row:
    """A row of a file: values without spaces around them, "" where there is none. The header is row 1."""

    file: str
    number: int
    values: Mapping[str, str]

    def wrong(self, column: str, reason: str) -> FeedWrong:
        """The error that names this place."""
        return FeedWrong(self.file, self.number, column, reason)

    def text(self, column: str) -> str:
        """A value; "" where the row or the file has none."""
        return self.values.get(column, "")

    def needed(self, column: str) -> str:
        """A value that must be there; raises FeedWrong."""
        return self.text(column) or self._absent(column)

    def _absent(self, column: str) -> str:
        raise self.wrong(column, "must not be empty")

    def name(self, column: str, *, needed: bool = False) -> str:
        """An identifier of at most 64 characters."""
        value = self.needed(column) if needed else self.text(column)
        if len(value) > ID_CHARS_MAX:
            raise self.wrong(column, f"longer than {ID_CHARS_MAX} characters")
        return value

    def one_of(self, column: str, known: Collection[str], what: str, *, needed: bool = False) -> str:
        """A reference to something that is defined elsewhere; "" where the row has none."""
        value = self.name(column, needed=needed)
        if value and value not in known:
            raise self.wrong(column, f"{quoted(value)} is no {what} of this feed")
        return value

    def whole(self, column: str, least: int, most: int, default: int | None = None) -> int:
        """A whole number; `default` where there is none, and an error without one."""
        value = self.text(column)
        if not value and default is not None:
            return default
        sign, digits = value[:1] == "-", value.removeprefix("-")
        number = int(digits) if digits.isascii() and digits.isdigit() and len(digits) < 10 else None  # noqa: PLR2004  no figure is longer
        number = -number if sign and number is not None else number
        if number is None or not least <= number <= most:
            raise self.wrong(column, f"{quoted(value)} is no whole number from {least} to {most}")
        return number

    def rupiah(self, column: str, least: int, most: int) -> Rupiah:
        """An amount in whole rupiah, written with decimals or without."""
        value = self.needed(column)
        try:
            amount = rupiah_of(parse(value))
        except MoneyError:
            raise self.wrong(
                column, f"{quoted(value)} is no amount in whole rupiah such as 3500.00"
            ) from None
        if not least <= amount <= most:
            raise self.wrong(column, f"{quoted(value)} is not from {least} to {most} rupiah")
        return amount

    def need_rupiah(self, column: str) -> None:
        """Raises FeedWrong where the currency is another."""
        if self.needed(column) != "IDR":
            raise self.wrong(column, f"{quoted(self.text(column))}: fares here are in IDR")

    def day(self, column: str) -> Day:
        """A date such as 20261125."""
        value = self.needed(column)
        try:
            when = datetime.strptime(value, "%Y%m%d").replace(tzinfo=UTC) if len(value) == 8 else None  # noqa: PLR2004  YYYYMMDD
        except ValueError:
            when = None
        if when is None or when.year < 1970:  # noqa: PLR2004  days are counted from then
            raise self.wrong(column, f"{quoted(value)} is no date such as 20261125")
        return day_of(when.date())

    def seconds(self, column: str, most: int) -> int:
        """A time such as 5:30:00 as seconds."""
        parts = self.needed(column).split(":")
        figures = [int(one) if one.isascii() and one.isdigit() and len(one) <= 3 else -1 for one in parts]  # noqa: PLR2004  hours of three digits are none
        if len(figures) != 3 or min(figures) < 0 or max(figures[1:]) > 59:  # noqa: PLR2004  hours, minutes, seconds
            raise self.wrong(column, f"{quoted(self.text(column))} is no time such as 05:30:00")
        total = 3600 * figures[0] + 60 * figures[1] + figures[2]
        if total > most:
            raise self.wrong(column, f"{quoted(self.text(column))} is later than {most // 3600}:00:00")
        return total


class Feed:
    """An open feed; a context manager."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._zip: zipfile.ZipFile | None = None

    def __enter__(self) -> Self:
        if self._path.is_dir():
            return self
        try:
            self._zip = zipfile.ZipFile(self._path)
        except _BROKEN_ZIP as error:
            raise FeedWrong(
                str(self._path),
                0,
                "",
                f"no folder and no zip file of a GTFS feed ({cut(error)}): fetch or pack it again",
            ) from None
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._zip is not None:
            self._zip.close()

    def has(self, file: str) -> bool:
        """Whether the feed holds a file."""
        return (self._path / file).is_file() if self._zip is None else file in self._zip.namelist()

    def data(self, file: str) -> bytes:
        """A file's bytes; raises FeedWrong where it is absent or too large."""
        if not self.has(file):
            raise FeedWrong(file, 0, "", "the feed lacks this file")
        try:
            if self._zip is None:
                with (self._path / file).open("rb") as opened:
                    found = opened.read(FILE_BYTES_MAX + 1)
            else:
                with self._zip.open(file) as packed:
                    found = packed.read(FILE_BYTES_MAX + 1)
        except _BROKEN_ZIP as error:
            raise FeedWrong(
                file, 0, "", f"it cannot be read ({cut(error)}): fetch or pack it again"
            ) from None
        if len(found) > FILE_BYTES_MAX:
            raise FeedWrong(file, 0, "", f"it is over {FILE_BYTES_MAX >> 20} MiB")
        return found

    def rows(self, file: str, needed: Collection[str], known: Collection[str] = ()) -> Iterator[Row]:
        """The rows of a file in order; where `known` is given, it names all fields that the file may have beside the needed ones.

        Raises FeedWrong.
        """
        try:
            text = self.data(file).decode("utf-8-sig")
        except UnicodeDecodeError as error:
            raise FeedWrong(file, 0, "", f"it is not UTF-8 (byte {error.start})") from None
        reader = csv.reader(io.StringIO(text, newline=""), strict=True)
        try:
            header = [name.strip() for name in next(reader, [])]
            _check_header(file, header, needed, known)
            for number, values in enumerate(reader, 2):
                if values:
                    yield _row(file, number, header, values)
        except csv.Error as error:
            raise FeedWrong(file, reader.line_num, "", f"no CSV: {error}") from None

    def optional(self, file: str, needed: Collection[str], known: Collection[str] = ()) -> Iterator[Row]:
        """The rows of a file that a feed may lack."""
        if self.has(file):
            yield from self.rows(file, needed, known)


def _check_header(file: str, header: list[str], needed: Collection[str], known: Collection[str]) -> None:
    for column in needed:
        if column not in header:
            raise FeedWrong(file, 1, column, "the header lacks this field")
    for column in header:
        if header.count(column) > 1:
            raise FeedWrong(file, 1, column, "the header has it twice")
        if known and column not in known and column not in needed:
            raise FeedWrong(
                file, 1, column, "this field is not understood, and may change a price: leave it out"
            )


def _row(file: str, number: int, header: list[str], values: list[str]) -> Row:
    if number > ROWS_MAX:
        raise FeedWrong(file, number, "", f"a file has at most {ROWS_MAX} rows")
    if len(values) != len(header):
        raise FeedWrong(file, number, "", f"it has {len(values)} values, and the header {len(header)} fields")
    for column, value in zip(header, values, strict=True):
        if len(value) > VALUE_CHARS_MAX or not _BROKEN.isdisjoint(value):
            raise FeedWrong(file, number, column, f"a tab, a line end, or over {VALUE_CHARS_MAX} characters")
    return Row(file, number, {column: value.strip() for column, value in zip(header, values, strict=True)})
