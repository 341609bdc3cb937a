"""A full disk, a file system that takes no writes, a file that is gone, damaged pages: one clear sentence each, and going on afterwards."""

from __future__ import annotations

import errno
import shutil
import subprocess
from contextlib import closing
from typing import TYPE_CHECKING

import pytest

from keys.clock import SystemClock
from ledger.book import Ledger
from ledger.errors import DatabaseDamaged, LeaseLost, StorageError
from ledger.store import Database
from tests.ledger.crash.books import Books
from tests.ledger.crash.disk import Fate, Kind
from tests.ledger.crash.test_crash_disk import PIECES, all_frail, frail, said_on
from tests.ledger.crash.test_crash_kills import file_ledger
from tests.ledger.crash.test_crash_wire import patiently
from tests.ledger.entries import CASH, PURSE, transfer

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.ledger.crash.cluster import Cluster
    from tests.ledger.crash.nursery import Nursery

__all__ = ["all_frail", "frail"]

SMALL_DISK_KB = 1500


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of its own with little room, taken away at the end; a test that may not mount is left out, and says so."""
    folder = tmp_path / "small"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", f"size={SMALL_DISK_KB}k", "none", str(folder)]
    if subprocess.run(mount, capture_output=True, check=False).returncode:
        pytest.skip(
            "mounting a small file system needs root: the same errors come from the disk that fails (test_crash_disk)"
        )
    yield folder
    subprocess.run(["umount", "-l", str(folder)], check=True)


def fill_up(folder: Path) -> Path:
    """Leave no room on a disk."""
    ballast = folder / "ballast"
    with ballast.open("wb", buffering=0) as file:
        try:
            while True:
                file.write(bytes(4096))
        except OSError as error:
            assert error.errno == errno.ENOSPC
    return ballast


def test_a_full_disk_is_said_to_be_full_and_the_ledger_goes_on_once_it_has_room(
    small_disk: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ledger.mending.ANSWER_SECONDS_MAX", 0.2)
    url = file_ledger(small_disk, 0)
    with Ledger.open(url, SystemClock()) as ledger:
        ledger.post([transfer(CASH, PURSE, 5, uid=1, tmc=1)])
        ballast = fill_up(small_disk)
        posted = 1
        with pytest.raises(StorageError, match="full") as caught:  # noqa: PT012  until there is no room
            for tmc in range(2, 10_000):
                ledger.post([transfer(CASH, PURSE, 5, uid=1, tmc=tmc)], document=bytes(2000))
                posted += 1
        with pytest.raises(StorageError, match="full"):
            ledger.post([transfer(CASH, PURSE, 5, uid=1, tmc=1)], document=bytes(2000))
        assert "\n" not in str(caught.value)
        assert ledger.balance(PURSE).credits_posted == 5 * posted
        ballast.unlink()
        assert patiently(ledger, transfer(CASH, PURSE, 5, uid=1, tmc=99_999))[0].position == posted + 1
        assert ledger.rebuild_check() == posted + 1
    with Ledger.open(url, SystemClock()) as again:
        assert again.head().position == posted + 1


def test_a_read_only_file_system_refuses_a_start_in_a_sentence(small_disk: Path) -> None:
    url = file_ledger(small_disk, 0)
    with Ledger.open(url, SystemClock()) as ledger:
        ledger.post([transfer()])
    for left in small_disk.glob("*.lease"):
        left.unlink()
    subprocess.run(["mount", "-o", "remount,ro", str(small_disk)], check=True)
    with pytest.raises(StorageError, match=r"(?i)read-?only|unable to open") as caught:
        Ledger.open(url, SystemClock())
    assert "\n" not in str(caught.value)
    subprocess.run(["mount", "-o", "remount,rw", str(small_disk)], check=True)
    with Ledger.open(url, SystemClock()) as again:
        assert again.post([transfer()])[0].position == 2


@pytest.mark.parametrize("error", [errno.ENOSPC, errno.EDQUOT, errno.EROFS])
def test_a_write_that_is_refused_once_costs_no_more_than_one_more_try(
    frail: Nursery, tmp_path: Path, error: int
) -> None:
    """Whatever the disk says of a write, the transaction is not there; what a disk says of a sync is another matter."""
    books = Books(file_ledger(tmp_path, 0))
    lines, code = said_on(frail, books.url, Fate.FAIL_ONCE, 3, kinds=Kind.WRITES, error=error)
    assert code == 0
    refused = [line for line in lines if line.startswith(b"!")]
    assert len(refused) == (1 if error == errno.ENOSPC else PIECES + 1)
    told = b"! NotWritten: " if error == errno.ENOSPC else b"! LedgerStopped: "
    assert all(line.startswith(told) for line in refused), refused
    books.told(lines)
    books.check()


@pytest.mark.parametrize("how", ["moved", "deleted", "replaced"])
def test_a_file_that_is_gone_under_the_server_stops_it_instead_of_losing_what_it_answers_for(
    tmp_path: Path, how: str
) -> None:
    url = file_ledger(tmp_path, 0)
    path = Database(url).path
    ledger = Ledger.open(url, SystemClock())
    ledger.post([transfer()])
    if how == "moved":
        path.rename(tmp_path / "elsewhere.db")
    elif how == "deleted":
        path.unlink()
    else:
        shutil.copy(path, tmp_path / "copy")
        (tmp_path / "copy").replace(path)
    with pytest.raises(LeaseLost, match="moved, deleted or replaced"):
        ledger.post([transfer()])
    ledger.close()


def test_a_damaged_page_of_postgresql_is_called_damage(cluster: Cluster) -> None:
    url = cluster.ledger()
    name = str(Database(url).url.database)
    with Ledger.open(url, SystemClock()) as ledger:
        ledger.post([transfer(CASH, PURSE, 5, uid=1, tmc=1)])
    with closing(cluster.connect(name)) as connection, connection.cursor() as cursor:
        cursor.execute("SELECT pg_relation_filepath('blocks')")
        path = cluster.data / cursor.fetchone()[0]
    cluster.execute(name, "CHECKPOINT")
    cluster.stop()
    with path.open("r+b") as file:
        file.seek(8192 - 20)
        file.write(bytes([0xFF]) * 8)
    cluster.start()
    with pytest.raises(DatabaseDamaged, match="restore it from backup") as caught:
        Ledger.open(url, SystemClock())
    assert "invalid page" in str(caught.value)


def cut_off(cluster: Cluster, name: str) -> None:
    """End all connections to a database: new ones have its new settings."""
    cluster.execute(
        "postgres", f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{name}'"
    )


def test_a_postgresql_that_takes_no_writes_refuses_them_in_a_sentence_and_is_used_again(
    cluster: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ledger.mending.ANSWER_SECONDS_MAX", 0.2)
    url = cluster.ledger()
    with Ledger.open(url, SystemClock()) as ledger:
        ledger.post([transfer(CASH, PURSE, 5, uid=1, tmc=1)])
        name = str(ledger.database.url.database)
        cluster.execute("postgres", f"ALTER DATABASE {name} SET default_transaction_read_only = on")
        cut_off(cluster, name)
        with pytest.raises(StorageError, match="read-only"):  # noqa: PT012  once the server has read its settings
            for tmc in range(2, 10_000):
                ledger.post([transfer(CASH, PURSE, 5, uid=1, tmc=tmc)])
        posted = ledger.head().position
        cluster.execute("postgres", f"ALTER DATABASE {name} RESET default_transaction_read_only")
        cut_off(cluster, name)
        assert patiently(ledger, transfer(CASH, PURSE, 5, uid=1, tmc=99_999))[0].position == posted + 1
        assert ledger.rebuild_check() == posted + 1


def test_a_postgresql_killed_under_a_ledger_comes_back_and_the_ledger_goes_on(cluster: Cluster) -> None:
    url = cluster.ledger()
    with Ledger.open(url, SystemClock()) as ledger:
        ledger.post([transfer(CASH, PURSE, 5, uid=1, tmc=1)])
        cluster.kill()
        cluster.start()
        assert patiently(ledger, transfer(CASH, PURSE, 5, uid=1, tmc=2))[0].position == 2
        cluster.kill_backend(cluster.backends()[0])
        assert patiently(ledger, transfer(CASH, PURSE, 5, uid=1, tmc=3))[0].position == 3
        assert ledger.rebuild_check() == 3
