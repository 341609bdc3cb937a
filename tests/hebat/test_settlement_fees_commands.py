"""`hebat settlement fees`: a city's own dated rates beside the shipped ones, checked first, never changed for a settled day."""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING

import pytest

from hebat.errors import InputRefused
from keys.clock import UnixMs, day_of
from ledger.chain.store import Window, insert_window
from settlement.errors import FeeTableInvalid
from settlement.fee_book import city_fees
from settlement.participants import MerchantClass
from settlement.rulebook.book import Rulebook
from tests.hebat.settlement_desk import Shell, open_shell

if TYPE_CHECKING:
    from pathlib import Path

HEADER = "class,valid_from,percent,fixed,free_up_to,minimum,maximum\n"
WHO = ("--by", "Ratna", "--reason", "surat edaran")


@pytest.fixture
def shell(tmp_path: Path) -> Shell:
    return open_shell(tmp_path / "city")


def put(shell: Shell, rows: str) -> Path:
    file = shell.folder.root / "fees.csv"
    file.write_text(HEADER + rows, encoding="utf-8")
    return file


def points(shell: Shell, kind: MerchantClass, day: date) -> int:
    database = shell.database()
    try:
        return city_fees(Rulebook(database)).rate(kind, day_of(day)).basis_points
    finally:
        database.close()


def close(shell: Shell, day: date) -> None:
    database = shell.database()
    with database.writing() as connection:
        insert_window(connection, Window(day_of(day), UnixMs(1), 0, bytes(32)))
    database.close()


def test_a_citys_own_rates_hold_from_their_day_on_beside_the_shipped_ones(shell: Shell) -> None:
    file = put(shell, "UKE,2027-01-01,0.5,100,0,250,5000\n")
    assert "UKE from 2027-01-01: 0.70 % -> 0.50 %, fixed Rp100, minimum Rp250, maximum Rp5.000" in shell.ran(
        "fees", "check", file
    )
    assert points(shell, MerchantClass.UKE, date(2027, 1, 1)) == 70  # a check changes nothing
    assert "version 1, by Ratna" in shell.ran("fees", "import", file, *WHO)
    assert [points(shell, MerchantClass.UKE, date(year, 1, 1)) for year in (2026, 2027)] == [70, 50]
    assert points(shell, MerchantClass.UMI, date(2027, 1, 1)) == 30
    (found,) = [one for one in shell.told("fees", "show", "--on", "2027-02-01") if one["class"] == "UKE"]
    assert (found["percent"], found["fixed_sen"], found["since"]) == ("0.50", 100_00, "2027-01-01")
    assert "Nothing changes." in shell.ran("fees", "import", file, *WHO)


def test_a_rate_that_a_closed_window_was_settled_with_is_not_changed(shell: Shell) -> None:
    shell.ran("fees", "import", put(shell, "UKE,2027-01-01,0.5,0,0,0,0\n"), *WHO)
    close(shell, date(2027, 1, 3))
    for rows in (
        "UKE,2027-01-01,0.4,0,0,0,0\n",  # another rate from the same day
        "UKE,2027-01-03,0.4,0,0,0,0\n",  # one that begins on a settled day
        "UKE,2027-01-01,0.5,0,0,0,0\nUKE,2027-01-03,0.4,0,0,0,0\n",  # the same beside the used one
        "UKE,2027-01-04,0.4,0,0,0,0\n",  # the used one left out
        "UKE,2027-01-01,0.5,0,0,0,0\nNEW,2020-01-01,0,0,0,0,0\n",
    ):
        with pytest.raises(FeeTableInvalid):
            shell.ran("fees", "import", put(shell, rows), *WHO)
    assert points(shell, MerchantClass.UKE, date(2027, 1, 3)) == 50
    later = put(shell, "UKE,2027-01-01,0.5,0,0,0,0\nUKE,2027-01-04,0.4,0,0,0,0\n")
    assert "1 rates change." in shell.ran("fees", "import", later, *WHO)
    assert [points(shell, MerchantClass.UKE, date(2027, 1, day)) for day in (3, 4)] == [50, 40]


@pytest.mark.parametrize(
    ("rows", "words"),
    [
        ("UKE,2027-01-01,101,0,0,0,0\n", "line 2: .*0 to 100 percent"),
        ("XXX,2027-01-01,1,0,0,0,0\n", "line 2"),
        ("UKE,2027-01-01,1,0,0,9,3\n", "maximum below its minimum"),
        ("UKE,2027-01-01,1,0,0,0,0\nUKE,2027-01-01,2,0,0,0,0\n", "two rates of one class"),
    ],
)
def test_a_table_that_is_none_is_refused_by_its_line(shell: Shell, rows: str, words: str) -> None:
    with pytest.raises(FeeTableInvalid, match=words):
        shell.ran("fees", "check", put(shell, rows))


def test_a_file_that_is_not_there_or_no_text_is_refused(shell: Shell) -> None:
    with pytest.raises(InputRefused, match="there is no file"):
        shell.ran("fees", "check", shell.folder.root / "nowhere.csv")
    file = put(shell, "")
    file.write_bytes(b"\xff\xfe")
    with pytest.raises(InputRefused, match="no UTF-8 text"):
        shell.ran("fees", "check", file)
