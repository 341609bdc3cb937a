"""Ctrl-C whenever it comes: a line, exit code 130, and nothing half made."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from typing import TYPE_CHECKING, Final

from tests.system.ready import BEFORE, ROOT, Started

if TYPE_CHECKING:
    from pathlib import Path

PATIENCE_S: Final = 120
NEVER_ENDS: Final = """
import time
from hebat.demo.play import Play
Play.end_shift = lambda *_, **__: time.sleep(600)
"""
"""A day that does not come to its evening: it is stopped in its course, however quick it is."""
WHILE_LOADING: Final = """
import sys
import hebat.start

class Loading:
    def find_spec(self, name, *_):
        if name == "hebat.cli":
            raise KeyboardInterrupt

sys.meta_path.insert(0, Loading())
hebat.start.main()
"""


def test_while_the_command_is_loaded_it_is_a_line_too() -> None:
    ran = subprocess.run([sys.executable, "-c", WHILE_LOADING], cwd=ROOT, capture_output=True, text=True, check=False, timeout=PATIENCE_S)  # fmt: skip
    assert (ran.returncode, ran.stderr) == (130, "hebat: stopped\n")


def test_a_kept_day_that_is_stopped_leaves_no_half_of_a_city(tmp_path: Path) -> None:
    city = tmp_path / "city"
    with Started(
        "demo", "--cards", "60", "--keep", city,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=os.environ | {BEFORE: NEVER_ENDS},
    ) as day:  # fmt: skip
        deadline = time.monotonic() + PATIENCE_S
        while not (city / "terminals").exists():
            assert time.monotonic() < deadline
            time.sleep(0.02)
        day.send_signal(signal.SIGINT)
        said = day.communicate(timeout=PATIENCE_S)[1]
    assert (day.returncode, said.endswith("hebat: stopped\n"), "Traceback" in said) == (130, True, False), (
        said
    )
    assert not city.exists()
