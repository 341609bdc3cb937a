"""A demo that is killed leaves no bank behind: the kernel ends what it started, for nobody else is left to."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Final

from tests.system.ready import Started

if TYPE_CHECKING:
    from collections.abc import Callable

PATIENCE_S: Final = 120.0
BANKS: Final = 2


def banks_of(parent: int) -> set[int]:
    """The simulated banks that a process started and that live."""
    return {
        pid
        for pid in (int(one.name) for one in Path("/proc").iterdir() if one.name.isdigit())
        if _is_bank(pid, parent)
    }


def _is_bank(pid: int, parent: int) -> bool:
    try:
        words = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
        told = Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()
    except OSError:
        return False
    return b"simulate" in words and int(told[1]) == parent and told[0] != "Z"


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


def test_the_banks_of_a_demo_that_is_killed_end_with_it(tmp_path: Path) -> None:
    around = os.environ | {"TMPDIR": str(tmp_path)}
    with Started(
        "demo", "--cards", "20", stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=around
    ) as demo:
        pid = demo.command_pid
        assert comes_true(lambda: len(banks_of(pid)) == BANKS)
        banks = banks_of(pid)
        os.kill(pid, signal.SIGKILL)
        assert comes_true(lambda: not any(map(lives, banks)))
    assert not lives(pid)


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
