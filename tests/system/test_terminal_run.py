"""`hebat terminal run` as a device runs it: a process of its own, light, alone on its outbox, and gone when it is told to."""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import httpx2
import pytest

from tests.system.conftest import ROOT, hebat

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.system.conftest import Demo

MEMORY_KB_MAX = 120 * 1024
HEAVY = ("numpy", "numba", "sqlalchemy", "psycopg2", "polars", "lxml")


@pytest.fixture
def till(demo: Demo, tmp_path: Path) -> Path:
    """A till's own disk, and nothing else of its city."""
    shutil.copytree(demo.folder / "terminals" / "2001", tmp_path / "2001")
    shutil.copy(demo.folder / "terminals" / "2001.secret", tmp_path)
    return tmp_path / "2001"


@contextmanager
def at_work(folder: Path, *options: str) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """The command in a process, and its screen's address."""
    command = [sys.executable, "-m", "hebat.cli", "terminal", "run", "--folder", str(folder), "--port", "0"]
    away = [*command, "--ledger", "http://127.0.0.1:9", *options]
    with subprocess.Popen(
        away, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    ) as process:
        assert process.stdout is not None
        found = re.match(r"(http://127\.0\.0\.1:\d+)  \(terminal 2001, a merchant", process.stdout.readline())
        try:
            assert found is not None
            yield process, found[1]
        finally:
            process.kill()


def test_a_till_works_without_the_ledgers_packages_and_ends_when_it_is_told_to(till: Path) -> None:
    with at_work(till) as (process, address):
        press = httpx2.post(f"{address}/press", json={"action": "open-shift", "value": "Kasir 1"}, timeout=30)
        assert press.status_code == 204
        status = Path(f"/proc/{process.pid}/status").read_text(encoding="ascii")
        peak = re.search(r"VmHWM:\s+(\d+) kB", status)
        assert peak is not None
        assert int(peak[1]) < MEMORY_KB_MAX
        mapped = Path(f"/proc/{process.pid}/maps").read_text(encoding="utf-8")
        assert [name for name in HEAVY if f"/{name}/" in mapped] == []
        process.send_signal(signal.SIGTERM)
        assert process.wait(60) == 0


def test_a_second_process_on_the_same_outbox_is_refused_in_a_sentence(till: Path) -> None:
    with at_work(till):
        ran = hebat("terminal", "run", "--folder", till, "--port", "0")
        assert (ran.code, "another process uses outbox.db: stop it first" in ran.err) == (2, True)
        assert "Traceback" not in ran.err


def test_a_till_that_was_killed_in_its_shift_goes_on_with_it(till: Path) -> None:
    with at_work(till) as (process, address):
        httpx2.post(f"{address}/press", json={"action": "open-shift", "value": "Kasir 1"}, timeout=30)
        os.kill(process.pid, signal.SIGKILL)
        process.wait(60)
    with at_work(till) as (_, address):
        again = httpx2.post(f"{address}/press", json={"action": "open-shift", "value": "Kasir 2"}, timeout=30)
        assert again.status_code == 422
        sold = httpx2.post(f"{address}/press", json={"action": "sale", "value": "5.000"}, timeout=30)
        assert sold.status_code == 204


def test_a_folder_without_a_terminal_is_refused_in_a_sentence(tmp_path: Path) -> None:
    ran = hebat("terminal", "run", "--folder", tmp_path / "nothing")
    assert ran.code == 2
    assert "holds no terminal: enrol one" in ran.err
