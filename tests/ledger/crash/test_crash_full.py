"""The disk under PostgreSQL is full, that of its tables or that of its own log: said as it is, nothing half done, and the ledger goes on once there is room."""

from __future__ import annotations

import re
import shutil
import subprocess
import tempfile
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from keys.clock import SystemClock
from ledger.book import Ledger
from ledger.errors import NotWritten, StorageError
from ledger.verify import verify
from tests.benchmarks.ledger_load import fares
from tests.ledger.crash.cluster import Cluster, _drop
from tests.ledger.crash.test_crash_storage import fill_up
from tests.ledger.crash.test_crash_wire import patiently
from tests.ledger.entries import transfer

if TYPE_CHECKING:
    from collections.abc import Iterator

BATCH = 4_000


@contextmanager
def disk(megabytes: int) -> Iterator[Path]:
    """A disk of that size, in memory, that PostgreSQL may write to."""
    with tempfile.TemporaryDirectory(prefix="kshfull") as folder:
        options = f"size={megabytes}m,uid={_drop() or 'root'}"
        mounted = subprocess.run(
            ["mount", "-t", "tmpfs", "-o", options, "tmpfs", folder], capture_output=True, check=False
        )
        if mounted.returncode:
            pytest.skip(f"no file system may be mounted here: {mounted.stderr.decode().strip()}")
        try:
            yield Path(folder)
        finally:
            subprocess.run(["umount", "--lazy", folder], check=True)


@pytest.fixture
def small_disk() -> Iterator[Path]:
    with disk(16) as made:
        yield made


@pytest.fixture
def on_small_disk(small_disk: Path) -> Iterator[Ledger]:
    """A ledger whose tables are on that disk; PostgreSQL's own log is elsewhere.

    The server is this ledger's alone: one that cannot write a page of a lost disk refuses whoever needs that page's place in its memory.
    """
    with Cluster() as cluster:
        cluster.execute("postgres", f"CREATE TABLESPACE small LOCATION '{small_disk}'")
        cluster.execute("postgres", "CREATE DATABASE ledger_small TABLESPACE small")
        Ledger.create(cluster.url("ledger_small")).close()
        with Ledger.open(cluster.url("ledger_small"), SystemClock()) as ledger:
            yield ledger


def until_refused(ledger: Ledger, rows: Any) -> tuple[int, str]:
    """How many transfers were answered before one batch was refused, and what was said of that."""
    for answered in range(0, 20 * BATCH, BATCH):
        try:
            ledger.writer.submit(ledger.columns(rows)).result(30)
        except NotWritten as error:
            return answered, str(error)
    raise AssertionError("80,000 transfers fit on 16 MB")


def test_a_full_disk_under_postgresql_is_said_to_be_and_harms_no_answered_transfer(
    on_small_disk: Ledger, small_disk: Path
) -> None:
    rows = fares(BATCH)
    answered, said = until_refused(on_small_disk, rows)
    assert re.search(
        r"the disk under the database ledger_\w+ is full: .*No space left.*make room.*send it again",
        said,
        re.DOTALL,
    )
    # What is read meanwhile is right, or refused: a page read may first need the place of one that the disk does not take.
    with suppress(StorageError):
        assert on_small_disk.rebuild_check() == answered
    subprocess.run(["mount", "-o", "remount,size=64m", str(small_disk)], check=True)
    assert on_small_disk.rebuild_check() == answered > 0
    assert on_small_disk.writer.submit(on_small_disk.columns(rows)).result(30).positions[0] == answered + 1
    assert on_small_disk.rebuild_check() == answered + BATCH


@pytest.fixture
def wal_disk() -> Iterator[Path]:
    with disk(96) as made:
        yield made


@pytest.fixture
def small_log(wal_disk: Path) -> Iterator[Cluster]:
    """A PostgreSQL whose write-ahead log is on a disk of 96 MB, and nothing else of it."""
    cluster = Cluster(min_wal_size="32MB", max_wal_size="32MB")
    log = cluster.data / "pg_wal"
    subprocess.run(["cp", "-a", str(log), str(wal_disk / "wal")], check=True)
    shutil.rmtree(log)
    log.symlink_to(wal_disk / "wal")
    with cluster:
        yield cluster


def until_stopped(ledger: Ledger, rows: Any) -> tuple[int, StorageError]:
    """How many transfers were answered before one batch was not, and what was said of that."""
    for answered in range(0, 200 * BATCH, BATCH):
        try:
            ledger.writer.submit(ledger.columns(rows)).result(60)
        except StorageError as error:
            return answered, error
    raise AssertionError("800,000 transfers fit on 96 MB")


def test_a_full_disk_under_the_log_of_postgresql_harms_no_answered_transfer_and_the_ledger_goes_on_once_it_has_room(
    small_log: Cluster, wal_disk: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ledger.mending.ANSWER_SECONDS_MAX", 0.5)
    with Ledger.open(small_log.ledger(), SystemClock()) as ledger:
        ballast = fill_up(wal_disk)
        answered, said = until_stopped(ledger, fares(BATCH))
        assert re.search("is full|does not answer|went away", str(said))
        with pytest.raises(StorageError, match=r"goes on by itself|does not answer|went away"):
            ledger.post([transfer(uid=1, tmc=1)])
        assert "No space left" in (small_log.folder / "log").read_text()
        ballast.unlink()
        small_log.revive()
        [posted] = patiently(ledger, transfer(uid=1, tmc=2))
        # The batch that nobody was answered for may be there: then all of it is.
        assert posted.position - 1 in {answered, answered + BATCH}
        assert verify(ledger.database).transfers == ledger.rebuild_check() == posted.position
