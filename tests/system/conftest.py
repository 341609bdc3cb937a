"""What the system tests share: the `hebat` command in a process of its own, and one demo day for all who look at it."""

from __future__ import annotations

import atexit
import json
import os
import subprocess
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from tests.system.ready import Ready

ROOT = Path(__file__).parents[2]


@dataclass(frozen=True)
class Ran:
    """What a process said."""

    code: int
    out: str
    err: str


def hebat(*arguments: str | Path) -> Ran:
    """Run the command as a user would, in a process of its own; that process is forked from one that has its modules loaded."""
    command = _ready().command(*map(str, arguments))
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=300, check=False)
    return Ran(done.returncode, done.stdout, done.stderr)


@cache
def _ready() -> Ready:
    ready = Ready()
    atexit.register(ready.end)
    return ready


@dataclass(frozen=True)
class Demo:
    """A demo day that was kept."""

    folder: Path
    ran: Ran
    report: dict[str, Any]


@pytest.fixture(scope="session")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Demo:
    """A day of 60 cards."""
    folder = tmp_path_factory.mktemp("demo") / "city"
    ran = hebat("demo", "--cards", "60", "--seed", "5", "--keep", folder, "--json")
    return Demo(folder, ran, json.loads(ran.out or "{}"))


def shared_data() -> Path | None:
    """The folder of real inputs beside the checkout (or where HEBAT_SHARED points), if it is there."""
    folder = Path(os.environ.get("HEBAT_SHARED", ROOT.parent / "shared")) / "data"
    return folder if folder.is_dir() else None


@pytest.fixture(scope="session")
def data() -> Path:
    """The real inputs; a test that needs them says so when they are absent."""
    folder = shared_data()
    if folder is None:
        pytest.skip("real inputs are absent: ../shared/data is not there and HEBAT_SHARED points nowhere")
    return folder
