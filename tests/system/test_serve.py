"""A kept city, served again: its pages answer, and a second server on the same database is refused."""

from __future__ import annotations

import shutil
import signal
import subprocess
import sys
import time
from typing import TYPE_CHECKING

import httpx2
import pytest

from tests.system.conftest import ROOT, hebat

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.system.conftest import Demo


@pytest.fixture
def served(demo: Demo, tmp_path: Path) -> Iterator[tuple[Path, str]]:
    """A copy of the demo's city, served from a process of its own: folder and address."""
    folder = tmp_path / "city"
    shutil.copytree(demo.folder, folder)
    command = [sys.executable, "-u", "-m", "hebat.cli", "serve", "--data", str(folder), "--port", "0"]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        address = process.stdout.readline().split("/night")[0]
        yield folder, address
        process.send_signal(signal.SIGINT)
        assert process.wait(20) in {0, 130}


def test_the_pages_that_the_demo_names_answer(demo: Demo, served: tuple[Path, str]) -> None:
    _, address = served
    with httpx2.Client(base_url=address, timeout=20) as client:
        for name, path in demo.report["pages"]:
            assert client.get(path).status_code == 200, name
        night = client.get("/night/2026-11-18").text
        assert "amount differs" in night.lower()


def test_a_second_server_on_the_same_database_is_refused(served: tuple[Path, str]) -> None:
    folder, _ = served
    ran = hebat("serve", "--data", folder, "--port", "0")
    assert ran.code == 4
    assert "another server" in ran.err
    assert "Traceback" not in ran.err


def test_verify_may_look_while_the_server_runs(served: tuple[Path, str]) -> None:
    folder, _ = served
    assert hebat("ledger", "verify", "--data", folder).code == 0


def test_a_killed_server_leaves_a_ledger_that_opens_again(demo: Demo, tmp_path: Path) -> None:
    folder = tmp_path / "city"
    shutil.copytree(demo.folder, folder)
    command = [sys.executable, "-u", "-m", "hebat.cli", "serve", "--data", str(folder), "--port", "0"]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        process.stdout.readline()
        process.kill()
        process.wait(20)
    time.sleep(0.1)
    assert hebat("ledger", "verify", "--data", folder).code == 0
