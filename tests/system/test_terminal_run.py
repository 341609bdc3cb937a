"""`hebat terminal run` as a device runs it: a process of its own, light, alone on its outbox, and gone when it is told to."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tomllib
from contextlib import contextmanager
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx2
import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from card.layout import AID, File
from card.personalise import personalise
from card.virtual import VirtualCard
from card.virtual.vpcd import VpcdSlot
from hebat.folder import Folder
from keys.clock import SystemClock
from keys.ledgervault import LedgerVault
from terminals.outbox import Outbox
from tests.system.conftest import ROOT, hebat
from tests.system.ready import Started
from tests.terminals.depot import IDENTITY, value_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.card.pcscd import Pcscd
    from tests.system.conftest import Demo

pytest_plugins = ["tests.card.pcscd_fixtures"]
MEMORY_KB_MAX = 120 * 1024
START_S_MAX = 3.0
SALES = 4


def not_installed() -> list[str]:
    """The modules of all packages that are no part of a terminal's installation: the core, with the extras `terminal` and `reader`."""
    project = tomllib.loads(ROOT.joinpath("pyproject.toml").read_text(encoding="utf-8"))["project"]
    extras = project["optional-dependencies"]
    todo = [(line, "") for line in (*project["dependencies"], *extras["terminal"], *extras["reader"])]
    wanted = {"kartu-semarang-hebat"}
    while todo:
        line, extra = todo.pop()
        need = Requirement(line)
        one = str(canonicalize_name(need.name))
        if (need.marker is None or need.marker.evaluate({"extra": extra})) and one not in wanted:
            wanted.add(one)
            todo += [(line, extra) for extra in ("", *need.extras) for line in metadata.requires(one) or ()]
    found = metadata.packages_distributions().items()
    return [module for module, names in found if wanted.isdisjoint(map(canonicalize_name, names))]


MISSING = """
import os, sys
class Missing:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in os.environ["NOT_INSTALLED"].split():
            raise ModuleNotFoundError(f"no module {name}: it is no part of a terminal", name=name)
sys.meta_path.insert(0, Missing())
"""


@pytest.fixture
def as_installed(tmp_path: Path, pcscd: Pcscd) -> dict[str, str]:
    """The environment of a device with a terminal's packages alone, and its reader."""
    folder = tmp_path / "site"
    folder.mkdir()
    folder.joinpath("sitecustomize.py").write_text(MISSING, encoding="utf-8")
    named = not_installed()
    assert {"numba", "numpy", "sqlalchemy", "alembic", "polars", "lxml", "textual"} <= set(named)
    assert not {"fastapi", "smartcard", "cryptography", "typer"} & set(named)
    return pcscd.environment | {"PYTHONPATH": str(folder), "NOT_INSTALLED": " ".join(named)}


@pytest.fixture
def till(demo: Demo, tmp_path: Path) -> Path:
    """A till's own disk, and nothing else of its city."""
    shutil.copytree(demo.folder / "terminals" / "2001", tmp_path / "2001")
    shutil.copy(demo.folder / "terminals" / "2001.secret", tmp_path)
    return tmp_path / "2001"


@contextmanager
def at_work(
    folder: Path, environment: dict[str, str] | None = None
) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """The command in a process, and its screen's address; in an environment of its own it has loaded nothing else before."""
    words = ["terminal", "run", "--folder", str(folder), "--port", "0", "--ledger", "http://127.0.0.1:9"]
    pipes: dict[str, Any] = {"stdout": subprocess.PIPE, "stderr": subprocess.DEVNULL}
    command = [sys.executable, "-m", "hebat.cli", *words]
    process: subprocess.Popen[str] = (
        subprocess.Popen(command, cwd=ROOT, text=True, env=environment, **pipes)
        if environment
        else Started(*words, **pipes)
    )
    with process:
        assert process.stdout is not None
        found = re.match(r"(http://127\.0\.0\.1:\d+)  \(terminal 2001, a merchant", process.stdout.readline())
        try:
            assert found is not None
            yield process, found[1]
        finally:
            process.kill()


def press(address: str, action: str, value: str) -> None:
    answer = httpx2.post(f"{address}/press", json={"action": action, "value": value}, timeout=60)
    assert answer.status_code == 204, answer.text


@contextmanager
def shown(address: str) -> Iterator[Iterator[str]]:
    """The words of the boards that a till shows from now on, the one that stands there first."""
    with httpx2.stream("GET", f"{address}/events", timeout=60) as feed:
        told = (line.removeprefix("data: ") for line in feed.iter_lines() if line.startswith("data: "))
        yield (json.loads(one)["board"]["word"] for one in told)


def memory_kb(process: subprocess.Popen[str]) -> int:
    """The most that a process ever had in memory."""
    status = Path(f"/proc/{process.pid}/status").read_text(encoding="ascii")
    peak = re.search(r"VmHWM:\s+(\d+) kB", status)
    assert peak is not None
    return int(peak[1])


def processor_s(process: subprocess.Popen[str]) -> float:
    """What a process has worked so far: load on the machine does not lengthen it, as it does the time on the wall."""
    fields = Path(f"/proc/{process.pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def card_of(city: Path) -> VirtualCard:
    """A card of the demo's city with value on it."""
    folder, chip = Folder(city), VirtualCard(b"\x04\x77" + bytes(5))
    personalise(chip, LedgerVault.open(folder.vault, folder.passphrase()), IDENTITY)
    chip.applications[AID].files[File.PURSE].value = 50_000
    return chip


def test_a_tills_packages_alone_start_in_time_sell_at_a_reader_in_little_memory_and_end_when_told_to(
    till: Path, demo: Demo, as_installed: dict[str, str], pcscd: Pcscd
) -> None:
    chip, now = card_of(demo.folder), SystemClock().now()
    for left in till.glob("outbox.db*"):  # the demo's day is long ago, or to come
        left.unlink()
    fresh = Outbox(till / "outbox.db")
    fresh.note_contact(now, 0)
    fresh.close()
    with at_work(till, as_installed) as (process, address):
        assert processor_s(process) < START_S_MAX
        press(address, "open-shift", "Kasir 1")
        for sold in range(1, SALES + 1):
            press(address, "sale", "1000")
            with shown(address) as words:
                assert "hold-card" in words
                with VpcdSlot(
                    chip, pcscd.port
                ):  # not pulled away before the till has said so: it would be torn
                    assert "paid" in words
            assert value_of(chip) == 50_000 - 1_000 * sold
        assert memory_kb(process) < MEMORY_KB_MAX
        process.send_signal(signal.SIGTERM)
        assert process.wait(60) == 0


def test_a_second_process_on_the_same_outbox_is_refused_in_a_sentence(till: Path) -> None:
    with at_work(till):
        ran = hebat("terminal", "run", "--folder", till, "--port", "0")
        assert (ran.code, "another process uses outbox.db: stop it first" in ran.err) == (2, True)
        assert "Traceback" not in ran.err


def test_a_till_that_was_killed_in_its_shift_goes_on_with_it(till: Path) -> None:
    with at_work(till) as (process, address):
        httpx2.post(f"{address}/press", json={"action": "open-shift", "value": "Kasir 1"}, timeout=60)
        process.kill()
        process.wait(60)
    with at_work(till) as (_, address):
        again = httpx2.post(f"{address}/press", json={"action": "open-shift", "value": "Kasir 2"}, timeout=60)
        assert again.status_code == 422
        sold = httpx2.post(f"{address}/press", json={"action": "sale", "value": "5.000"}, timeout=60)
        assert sold.status_code == 204


def test_a_folder_without_a_terminal_is_refused_in_a_sentence(tmp_path: Path) -> None:
    ran = hebat("terminal", "run", "--folder", tmp_path / "nothing")
    assert ran.code == 2
    assert "holds no terminal: enrol one" in ran.err
