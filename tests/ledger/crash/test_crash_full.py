"""The disk under PostgreSQL is full: said as it is, nothing half done, and the ledger goes on once there is room."""

from __future__ import annotations

import re
import subprocess
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import pytest

from keys.clock import SystemClock
from ledger.book import Ledger
from ledger.errors import NotWritten
from tests.benchmarks.ledger_load import fares
from tests.ledger.crash.cluster import _drop

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.ledger.crash.cluster import Cluster

BATCH = 4_000


@pytest.fixture
def small_disk() -> Iterator[Path]:
    """A disk of 16 MB, in memory, that PostgreSQL may write to."""
    with tempfile.TemporaryDirectory(prefix="kshfull") as folder:
        options = f"size=16m,uid={_drop() or 'root'}"
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
def on_small_disk(cluster: Cluster, small_disk: Path) -> Iterator[Ledger]:
    """A ledger whose tables are on that disk; PostgreSQL's own log is elsewhere."""
    name = f"ledger_{uuid4().hex[:12]}"
    cluster.execute("postgres", f"CREATE TABLESPACE {name} LOCATION '{small_disk}'")
    cluster.execute("postgres", f"CREATE DATABASE {name} TABLESPACE {name}")
    Ledger.create(cluster.url(name)).close()
    with Ledger.open(cluster.url(name), SystemClock()) as ledger:
        yield ledger
    cluster.execute("postgres", f"DROP DATABASE {name} WITH (FORCE)")
    cluster.execute("postgres", f"DROP TABLESPACE {name}")


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
        r"the disk under ledger_\w+ is full: .*No space left.*make room.*send it again", said, re.DOTALL
    )
    assert on_small_disk.rebuild_check() == answered > 0
    subprocess.run(["mount", "-o", "remount,size=64m", str(small_disk)], check=True)
    assert on_small_disk.writer.submit(on_small_disk.columns(rows)).result(30).positions[0] == answered + 1
    assert on_small_disk.rebuild_check() == answered + BATCH
