"""A ledger in a file on a disk that dies at every single write, that loses power, that fails to sync, and that is full."""

from __future__ import annotations

import errno
import os
import shutil
import signal
import time
from contextlib import suppress
from typing import TYPE_CHECKING, Final

import pytest

from keys.clock import SystemClock
from ledger.book import Ledger
from ledger.errors import StorageError
from ledger.verify import verify
from tests.ledger.crash.books import Books
from tests.ledger.crash.cluster import Cluster
from tests.ledger.crash.disk import Fate, Kind, compiled
from tests.ledger.crash.nursery import Nursery
from tests.ledger.crash.test_crash_kills import file_ledger
from tests.ledger.crash.test_crash_wire import patiently
from tests.ledger.entries import transfer

if TYPE_CHECKING:
    import random
    from collections.abc import Iterator
    from pathlib import Path

LONG: Final = os.environ.get("HEBAT_LONG") == "1"
PIECES: Final = 3
EVERYTHING: Final = Kind.WRITES | Kind.SYNCS


@pytest.fixture(scope="session")
def all_frail(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Nursery]:
    library = compiled(tmp_path_factory.mktemp("disk"))
    with Nursery({"LD_PRELOAD": str(library)}) as made:
        yield made


@pytest.fixture
def frail(all_frail: Nursery) -> Iterator[Nursery]:
    """Forks servers on a disk that can be told to fail."""
    yield all_frail
    all_frail.clear()


def said_on(frail: Nursery, url: str, fate: Fate, at: int, **how: int) -> tuple[list[bytes], int]:
    """What a server said on a disk to which something happens, and how it ended."""
    victim = frail.start("post_on", url=url, fate=fate, at=at, **{"pieces": PIECES, **how})
    lines = [line for line in victim.said if line.endswith(b"\n")]
    return lines, victim.wait()


@pytest.mark.slow
def test_law_04_a_server_that_dies_at_any_write_or_sync_keeps_what_it_answered_for(
    frail: Nursery, tmp_path: Path
) -> None:
    lines, code = said_on(frail, file_ledger(tmp_path, 0), Fate.DIE_AFTER, 1 << 40)
    assert code == 0
    operations = next(int(line[2:]) for line in lines if line.startswith(b"#"))
    fates = [Fate.DIE_BEFORE, Fate.DIE_INSIDE, Fate.DIE_AFTER]
    points = [(at, fate) for at in range(1, operations + 1) for fate in fates]
    for at, fate in points if LONG else points[::11]:
        books = Books(file_ledger(tmp_path, 10 * at + fate))
        lines, code = said_on(frail, books.url, fate, at)
        assert code == -signal.SIGKILL
        books.told(lines)
        books.check()


@pytest.mark.slow
def test_law_04_what_was_answered_for_was_on_the_disk_when_the_power_went(
    frail: Nursery, tmp_path: Path, dice: random.Random
) -> None:
    for number in range(20 if LONG else 4):
        folder, kept = tmp_path / str(number), tmp_path / f"{number}-kept"
        folder.mkdir()
        kept.mkdir()
        books = Books(file_ledger(folder, 0))
        shutil.copy(folder / "ledger-0.db", kept)
        victim = frail.start("post_mirrored", url=books.url, first=1, folder=str(kept))
        assert victim.line() == b"open\n"
        said = [victim.line()]
        time.sleep(dice.uniform(0, 0.15))
        books.told(said + victim.kill())
        after = Books(f"sqlite:///{kept / 'ledger-0.db'}", books.answered)
        after.check()
        assert after.answered


@pytest.mark.parametrize("at", [1, 2])
def test_law_04_a_sync_that_failed_stops_the_ledger_for_good(frail: Nursery, tmp_path: Path, at: int) -> None:
    books = Books(file_ledger(tmp_path, 0))
    lines, code = said_on(frail, books.url, Fate.FAIL_ONCE, at, kinds=Kind.SYNCS, error=errno.EIO)
    assert code == 0
    errors = [line for line in lines if line.startswith(b"!")]
    assert len(errors) == PIECES + 1 - (at - 1)  # nothing after it is answered for, and the disk works again
    for error in errors:
        assert error.startswith(b"! LedgerStopped: ")
        assert b"I/O error" in error
        assert b"restart" in error
    books.told(lines)
    books.check()
    lines, code = said_on(frail, books.url, Fate.NOTHING, 1)
    assert not [line for line in lines if line.startswith(b"!")]


def test_a_start_after_a_failed_sync_syncs_what_it_builds_on_or_refuses(
    frail: Nursery, tmp_path: Path
) -> None:
    books = Books(file_ledger(tmp_path, 0))
    lines, _ = said_on(frail, books.url, Fate.DIE_AFTER, 2, kinds=Kind.SYNCS)
    refused, code = said_on(frail, books.url, Fate.FAIL_ON, 1, kinds=Kind.SYNCS, error=errno.EIO, pieces=0)
    assert code == 0
    assert refused == [
        b"! DiskFailed: the disk under ledger-0.db failed: disk I/O error; look at the disk before anything else\n"
    ]
    books.told(lines)
    books.check()


@pytest.fixture
def syncing(tmp_path: Path) -> Iterator[tuple[Cluster, Path]]:
    """A PostgreSQL whose next sync of its own log fails once a file is there; and that file."""
    cluster = Cluster()
    shutil.copy(compiled(tmp_path), library := cluster.folder / "disk.so")
    library.chmod(0o755)
    trigger = cluster.folder / "fail"
    cluster.environment = {"LD_PRELOAD": str(library), "DISK_TRIGGER": str(trigger)}
    with cluster:
        yield cluster, trigger


def test_law_04_a_postgresql_whose_sync_fails_goes_down_and_the_ledger_looks_what_it_kept(
    syncing: tuple[Cluster, Path],
) -> None:
    cluster, trigger = syncing
    answered: list[int] = []
    with Ledger.open(cluster.ledger(), SystemClock()) as ledger:
        for tmc in range(1, 8, 2):
            answered += [one.position for one in patiently(ledger, transfer(uid=1, tmc=tmc))]
            trigger.touch()
            with suppress(StorageError):
                answered += [one.position for one in ledger.post([transfer(uid=1, tmc=tmc + 1)])]
            assert not trigger.exists()
            assert "could not fdatasync" in (cluster.folder / "log").read_text()
        patiently(ledger, transfer(uid=1, tmc=99))
        rows = ledger.rows()
        assert sorted(set(answered)) == answered
        assert set(answered) <= set(rows["position"].tolist())
        assert len(set(rows["tmc"].tolist())) == len(rows)
        assert verify(ledger.database).transfers == ledger.rebuild_check() == len(rows)
    assert (cluster.folder / "log").read_text().count("PANIC") == 4
