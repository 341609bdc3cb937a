"""Files of banks and feeds that broke a reader: members of archives, sheets, dates without a year."""

from __future__ import annotations

import io
import re
import zipfile
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Final

import pytest

from ledger.errors import ExportDamaged
from settlement.errors import StatementRefused
from settlement.statements.mapped import reading as mapped
from settlement.statements.mapped.mapping import mapping_of
from terminals.errors import FeedWrong
from terminals.gtfs.importing import import_tariff
from tests.fuzz import of_ledger, of_settlement, of_terminals, world
from tests.terminals.feeds import V2

if TYPE_CHECKING:
    from collections.abc import Callable


def _one_member_of(whole: bytes, name: str, change: Callable[[bytearray, int, int], None]) -> bytes:
    """A zip file with one member changed: its packed bytes, or its entries of the archive; the change gets where head and directory entry begin."""
    body = bytearray(whole)
    with zipfile.ZipFile(io.BytesIO(whole)) as opened:
        head = opened.getinfo(name).header_offset
    change(body, head, whole.rindex(b"PK\x01\x02", 0, whole.rindex(name.encode())))
    return bytes(body)


def _garbled(body: bytearray, head: int, _entry: int) -> None:
    first = head + 30 + int.from_bytes(body[head + 26 : head + 28], "little")
    body[first : first + 20] = b"\xff" * 20


def _packed_strangely(body: bytearray, head: int, entry: int) -> None:
    body[head + 8] = body[entry + 10] = 99


def _enciphered(body: bytearray, head: int, entry: int) -> None:
    body[head + 6] |= 1
    body[entry + 8] |= 1


def _longer_than_it_is(body: bytearray, head: int, entry: int) -> None:
    body[head + 8] = body[entry + 10] = 0
    body[entry + 20 : entry + 28] = b"\xff\xff\xff\x00" * 2


def _named_in_no_script(body: bytearray, _head: int, entry: int) -> None:
    body[entry + 9] |= 8
    body[entry + 46] = 0xFF


BROKEN_MEMBERS: Final = [
    _garbled, _packed_strangely, _enciphered, _longer_than_it_is, _named_in_no_script,
]  # fmt: skip


@pytest.mark.parametrize("change", BROKEN_MEMBERS)
def test_a_sheet_with_a_broken_member_is_refused_with_what_to_do(
    change: Callable[[bytearray, int, int], None],
) -> None:
    (whole,) = of_settlement._sheets()
    broken = _one_member_of(whole, "xl/worksheets/sheet1.xml", change)
    with pytest.raises(StatementRefused, match="save it anew") as refused:
        mapped.read(broken, of_settlement._MAPPINGS[0])
    assert len(str(refused.value)) < 400


@pytest.mark.parametrize("change", BROKEN_MEMBERS)
def test_a_feed_with_a_broken_member_is_refused_with_what_to_do(
    change: Callable[[bytearray, int, int], None], tmp_path: Path
) -> None:
    path = tmp_path / "feed.zip"
    path.write_bytes(_one_member_of(of_terminals._zipped(V2), "fare_products.txt", change))
    with pytest.raises(FeedWrong, match=r"pack it again|no folder") as refused:
        import_tariff(path)
    assert len(str(refused.value)) < 600


def test_a_book_without_sheets_is_refused() -> None:
    made = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(of_settlement._sheets()[0])) as old, zipfile.ZipFile(made, "w") as new:
        for name in old.namelist():
            new.writestr(name, re.sub(rb"<sheet .*?/>", b"", old.read(name)))
    with pytest.raises(StatementRefused, match="no sheet"):
        mapped.read(made.getvalue(), of_settlement._MAPPINGS[0])


WITHOUT_YEARS: Final = mapping_of(
    "x", 1,
    {"header": ["Tanggal"], "columns": {"booking_date": "Tanggal", "amount": 2}, "account": "1", "date_format": "dd/mm", "labels": {"period": "Periode"}},
)  # fmt: skip


def _dated(period: str, day: str) -> date:
    told = f"Periode: {period}\nTanggal,Mutasi\n{day},1.00\n".encode()
    return mapped.read(told, WITHOUT_YEARS).statements[0].lines[0].booking_date


@pytest.mark.parametrize(
    "period", ["20/08/2009 - 15/07/2009", "01/01/0001 - 31/12/9999", "1/1/99999999999999999999 - 1/1/2009"]
)
def test_a_period_that_ends_before_it_begins_or_lasts_for_ages_tells_no_year(period: str) -> None:
    with pytest.raises(StatementRefused, match="dates have no year"):
        _dated(period, "10/08")


def test_a_leap_day_is_one_of_the_year_that_has_it() -> None:
    assert _dated("20/12/2027 - 05/03/2028", "29/02") == date(2028, 2, 29)
    with pytest.raises(StatementRefused, match="no date"):
        _dated("20/12/2026 - 05/03/2027", "29/02")


def test_parquet_that_ends_its_readers_process_is_refused_and_the_next_file_is_read() -> None:
    endless = Path(__file__).resolve().parents[1] / "vectors" / "endless.parquet"
    with pytest.raises(ExportDamaged, match="no reader survives"):
        of_ledger._read_parquet(endless)
    good = world.folder() / "good.parquet"
    good.write_bytes(of_ledger._parquet())
    assert len(of_ledger._read_parquet(good)) == 2
