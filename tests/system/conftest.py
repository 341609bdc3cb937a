"""What the system tests share: the `hebat` command in a process of its own, and one demo day for all who look at it."""

from __future__ import annotations

import fcntl
import json
import os
import shutil
import signal
import subprocess
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.system.ready import Started, ready

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).parents[2]


@dataclass(frozen=True)
class Ran:
    """What a process said."""

    code: int
    out: str
    err: str


def hebat(*arguments: str | Path, **environment: str) -> Ran:
    """Run the command as a user would, in a process of its own; that process is forked from one that has its modules loaded."""
    command, around = ready().command(*map(str, arguments)), os.environ | environment
    done = subprocess.run(
        command, cwd=ROOT, capture_output=True, text=True, timeout=300, check=False, env=around
    )
    return Ran(done.returncode, done.stdout, done.stderr)


@dataclass(frozen=True)
class Demo:
    """A demo day that was kept."""

    folder: Path
    ran: Ran
    report: dict[str, Any]


@pytest.fixture(scope="session")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Demo:
    """A day of 60 cards: played once for all of pytest-xdist's processes, each with a copy of its own."""
    folder = tmp_path_factory.mktemp("demo") / "city"
    base = tmp_path_factory.getbasetemp()
    common = base.parent / "demo-of-all" if "PYTEST_XDIST_WORKER" in os.environ else base / "demo-of-one"
    common.mkdir(exist_ok=True)
    with (common / "lock").open("w") as held:
        fcntl.flock(held, fcntl.LOCK_EX)  # let go when it is closed
        if not (common / "ran.json").exists():
            played = hebat("demo", "--cards", "60", "--seed", "5", "--keep", common / "city", "--json")
            (common / "ran.json").write_text(json.dumps([played.code, played.out, played.err]))
    shutil.copytree(common / "city", folder)
    ran = Ran(*json.loads((common / "ran.json").read_text()))
    return Demo(folder, ran, json.loads(ran.out or "{}"))


@contextmanager
def serving_process(folder: Path, **environment: str) -> Iterator[tuple[Started, str]]:
    """`hebat serve` over a city's folder, in a process of its own: that process, and its address."""
    around = os.environ | environment
    with Started("serve", "--data", folder, "--port", "0", stdout=subprocess.PIPE, env=around) as process:
        assert process.stdout is not None
        yield process, process.stdout.readline().split("/night")[0]
        process.send_signal(signal.SIGINT)
        assert process.wait(60) in {0, 130}


@contextmanager
def serving(folder: Path, **environment: str) -> Iterator[str]:
    """The same: its address alone."""
    with serving_process(folder, **environment) as (_, address):
        yield address


@pytest.fixture
def served(demo: Demo, tmp_path: Path) -> Iterator[tuple[Path, str]]:
    """A copy of the demo's city, served: folder and address."""
    folder = tmp_path / "city"
    shutil.copytree(demo.folder, folder)
    with serving(folder) as address:
        yield folder, address
