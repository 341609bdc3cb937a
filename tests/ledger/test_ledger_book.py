"""Opening a ledger, and what it says where it cannot; balances and rows as its users see them."""

from __future__ import annotations

import stat
import subprocess
import sys
from datetime import datetime
from typing import TYPE_CHECKING

import pytest
from sqlalchemy import text
from sqlalchemy.exc import IntegrityError

from keys.clock import moment
from ledger.book import Ledger
from ledger.chart import Code
from ledger.errors import DatabaseBusy, DatabaseDamaged, DatabaseMissing, StorageError
from ledger.store import Database
from ledger.transfer import Flag
from tests.ledger.entries import CASH, OPERATOR, PURSE, WALLET, SetClock, transfer

if TYPE_CHECKING:
    from pathlib import Path


def test_law_08_a_reopened_ledger_has_the_same_balances_holds_and_head(url: str, clock: SetClock) -> None:
    with Ledger.open(url, clock) as ledger:
        ledger.post([transfer(CASH, WALLET, 100), transfer(WALLET, PURSE, 60, flags=Flag.PENDING)], b"order")
        ledger.post([transfer(WALLET, PURSE, 60, flags=Flag.POST_PENDING, hold=2), transfer(amount=7)])
        balances, head = ledger.balances(), ledger.head()
        assert ledger.rebuild_check() == 4
    with Ledger.open(url, clock) as again:
        assert (again.balances(), again.head()) == (balances, head)
        assert again.rebuild_check() == 4
        assert again.block(1).position == 2


def test_a_rebuild_check_finds_a_balance_that_is_not_the_journals(file_ledger: Ledger) -> None:
    file_ledger.post([transfer()])
    with file_ledger.database.writing() as connection:
        connection.execute(text("UPDATE transfers SET amount = 1"))
    with pytest.raises(DatabaseDamaged, match="purse 1001 has another balance"):
        file_ledger.rebuild_check()


def test_there_is_no_ledger(tmp_path: Path, clock: SetClock) -> None:
    with pytest.raises(DatabaseMissing, match="hebat ledger init"):
        Ledger.open(f"sqlite:///{tmp_path / 'none.db'}", clock)
    assert list(tmp_path.iterdir()) == []


def test_a_database_of_others_holds_no_ledger(tmp_path: Path, clock: SetClock) -> None:
    url = f"sqlite:///{tmp_path / 'other.db'}"
    database = Database(url)
    database.path.touch()
    with database.writing() as connection:
        connection.execute(text("CREATE TABLE songs (name TEXT)"))
    database.close()
    with pytest.raises(DatabaseMissing, match="holds no ledger"):
        Ledger.open(url, clock)


@pytest.mark.parametrize("keep", [0, 1, 15, 100, 4096, 10_000])
def test_a_file_cut_off_is_called_damaged(sqlite_url: str, clock: SetClock, keep: int) -> None:
    with Ledger.open(sqlite_url, clock) as ledger:
        ledger.post([transfer()] * 100)
    path = Database(sqlite_url).path
    path.write_bytes(path.read_bytes()[:keep])
    with pytest.raises(DatabaseDamaged, match="restore it from backup"):
        Ledger.open(sqlite_url, clock)


@pytest.mark.parametrize("garbage", [b"not a database at all " * 400, b"SQLite format 3\0" + b"\xaa" * 8000])
def test_garbage_is_called_damaged(sqlite_url: str, clock: SetClock, garbage: bytes) -> None:
    Database(sqlite_url).path.write_bytes(garbage)
    with pytest.raises(DatabaseDamaged, match="restore it from backup"):
        Ledger.open(sqlite_url, clock)


def test_rows_beyond_the_last_block_are_damage(sqlite_url: str, clock: SetClock) -> None:
    with Ledger.open(sqlite_url, clock) as ledger:
        ledger.post([transfer()])
        ledger.post([transfer()])
        with ledger.database.writing() as connection:
            connection.execute(text("DELETE FROM blocks WHERE block = 2"))
    with pytest.raises(DatabaseDamaged, match="rows up to position 2, and blocks up to 1"):
        Ledger.open(sqlite_url, clock)


@pytest.mark.parametrize(
    ("version", "advice"), [(0, "run `hebat ledger upgrade`"), (99, "install a newer release")]
)
def test_another_schema_is_refused_with_advice(url: str, clock: SetClock, version: int, advice: str) -> None:
    database = Database(url)
    with database.writing() as connection:
        connection.execute(text(f"UPDATE meta SET value = {version} WHERE name = 'schema'"))
    database.close()
    with pytest.raises(StorageError, match=advice):
        Ledger.open(url, clock)


def test_a_second_ledger_on_the_same_database_is_refused(url: str, clock: SetClock) -> None:
    with Ledger.open(url, clock), pytest.raises(DatabaseBusy, match="stop it first"):
        Ledger.open(url, clock)
    with Ledger.open(url, clock) as after:
        assert after.post([transfer()])[0].position == 1


def test_another_process_is_refused_by_another_name_of_the_file_too(
    file_ledger: Ledger, tmp_path: Path
) -> None:
    link = tmp_path / "link.db"
    link.symlink_to(file_ledger.database.path)
    program = (
        "import sys; from keys.clock import SystemClock; from ledger.book import Ledger\n"
        "Ledger.open(sys.argv[1], SystemClock())"
    )
    ran = subprocess.run(
        [sys.executable, "-c", program, f"sqlite:///{link}"], capture_output=True, text=True, check=False
    )
    assert ran.returncode != 0
    assert "DatabaseBusy" in ran.stderr


def test_a_ledger_that_cannot_be_rebuilt_gives_its_lease_back(sqlite_url: str, clock: SetClock) -> None:
    with Ledger.open(sqlite_url, clock) as ledger:
        ledger.post([transfer()])
    database = Database(sqlite_url)
    with database.writing() as connection:
        connection.execute(text("UPDATE transfers SET flags = 8"))
    for _ in range(2):
        with pytest.raises(DatabaseDamaged, match="not what was written"):
            Ledger.open(sqlite_url, clock)
    database.close()


def test_a_new_ledger_is_its_owners_alone_and_never_overwrites_another(sqlite_url: str) -> None:
    database = Database(sqlite_url)
    assert stat.S_IMODE(database.path.stat().st_mode) == 0o600
    with pytest.raises(StorageError, match="holds a ledger already"):
        Ledger.create(sqlite_url)


def test_sqlite_waits_for_the_disk(file_ledger: Ledger) -> None:
    with file_ledger.database.writing() as connection:
        said = [
            connection.exec_driver_sql(f"PRAGMA {name}").scalar()
            for name in ("journal_mode", "synchronous", "foreign_keys")
        ]
    assert said == ["wal", 2, 1]


@pytest.mark.parametrize("wrong", ["amount = 0", "amount = -5", "debit = credit"])
def test_law_07_the_database_itself_refuses_what_is_no_transfer(ledger: Ledger, wrong: str) -> None:
    ledger.post([transfer()])
    with pytest.raises(IntegrityError), ledger.database.writing() as connection:
        connection.execute(text(f"UPDATE transfers SET {wrong}"))


def test_rows_come_by_business_date(ledger: Ledger, clock: SetClock) -> None:
    ledger.post([transfer(amount=1)])
    clock.at = moment(datetime(2025, 6, 2, 23, 0))  # noqa: DTZ001  the city's wall clock
    ledger.post([transfer(amount=2)])
    days = ledger.rows()["business_date"].tolist()
    assert days[1] == days[0] + 1
    assert [ledger.rows(day)["amount"].tolist() for day in days] == [[1], [2]]
    assert len(ledger.rows(type(ledger.open_window())(days[1] + 1))) == 0


def test_rows_are_stored_as_they_were_posted(ledger: Ledger) -> None:
    made = transfer(uid=0x04A1B2C3D4E5F6, tmc=41, terminal=2**31, sequence=2**31 + 5)
    ledger.post([made])
    row = ledger.rows()[0]
    assert (row["partition"], row["position"], row["debit"], row["credit"]) == (3, 1, PURSE, OPERATOR)
    assert (row["uid"], row["tmc"], row["terminal"], row["sequence"]) == (
        0x04A1B2C3D4E5F6, 41, 2**31, 2**31 + 5,
    )  # fmt: skip


def test_a_trial_balance_goes_by_kind(file_ledger: Ledger) -> None:
    file_ledger.post([transfer(CASH, PURSE, 50), transfer(CASH, PURSE, 20, flags=Flag.PENDING)])
    lines = {line.code: line for line in file_ledger.trial_balance().lines}
    assert set(lines) == {Code.PURSE, Code.AGENT_CASH}
    assert (lines[Code.AGENT_CASH].debits, lines[Code.AGENT_CASH].pending) == (50, 20)
    assert file_ledger.trial_balance().debits == file_ledger.trial_balance().credits
