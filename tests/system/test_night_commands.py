"""The night from a shell: what is due is run, what was run is the same again, and a night that is killed goes on."""

from __future__ import annotations

import json
import os
import shutil
import signal
import sqlite3
import subprocess
import time
from contextlib import closing, contextmanager
from typing import TYPE_CHECKING, Any

import httpx2
import pytest

from tests.ledger.unguarded import unguard_file
from tests.system.conftest import hebat
from tests.system.ready import BEFORE, Started

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.system.conftest import Demo

DAY = "2026-11-18"
LATE = "2026-11-19"


@pytest.fixture(scope="module")
def city(demo: Demo, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the demo's city."""
    folder = tmp_path_factory.mktemp("night") / "city"
    shutil.copytree(demo.folder, folder)
    return folder


def test_a_settled_night_run_again_says_the_same_and_that_there_are_breaks_to_look_at(city: Path) -> None:
    first, second = (hebat("night", "--data", city, "--date", DAY, "--json") for _ in range(2))
    assert (first.code, second.code, first.out) == (5, 5, second.out)
    (night,) = json.loads(first.out)
    assert len(night["breaks"]) == 4
    assert sum(one["net"] for one in night["nets"]) == 0
    assert "statements less expected" in {one["name"] for one in night["three_way"] if one["figure"]}
    assert not any(one["unexplained"] for one in night["three_way"])


STANDS_STILL = """
import time
from ledger.book import Ledger
close = Ledger.close_window
def closed_and_still(self, day):
    close(self, day)
    time.sleep(600)
Ledger.close_window = closed_and_still
"""
"""A night that goes no further once it has closed a window: it is killed there, however busy the machine is."""


def still() -> dict[str, str]:
    return os.environ | {BEFORE: STANDS_STILL}


def test_a_night_that_is_killed_goes_on_where_it_was(city: Path, tmp_path: Path) -> None:
    folder = tmp_path / "city"
    shutil.copytree(city, folder)
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    with Started("night", "--data", folder, env=still(), **quiet) as running:
        while running.poll() is None and closed_windows(folder) < 2:
            time.sleep(0.005)
        running.send_signal(signal.SIGKILL)
    assert running.returncode == -signal.SIGKILL
    ran = hebat("night", "--data", folder, "--json")
    assert ran.code in {0, 5}, ran.err
    assert hebat("ledger", "verify", "--data", folder).code == 0
    states = json.loads(hebat("windows", "--data", folder, "--json").out)
    assert [one["state"] for one in states if one["business_date"] in {DAY, LATE}] == ["settled"] * 2


@contextmanager
def server_of(folder: Path, **options: Any) -> Iterator[tuple[Started, str]]:
    """A city served by a process of its own: that process, and its address."""
    with Started("serve", "--data", folder, "--port", "0", stdout=subprocess.PIPE, **options) as process:
        assert process.stdout is not None
        try:
            yield process, process.stdout.readline().split("/night")[0]
        finally:
            process.kill()


def test_a_night_beside_a_server_is_run_by_it_and_the_server_goes_on_answering(
    city: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "city"
    shutil.copytree(city, folder)
    alone = hebat("night", "--data", city, "--date", DAY, "--json")
    with server_of(folder) as (process, address), httpx2.Client(base_url=address, timeout=60) as client:
        beside = hebat("night", "--data", folder, "--date", DAY, "--json")
        assert (beside.code, beside.out) == (alone.code, alone.out)
        kept = json.loads((folder / "nights" / f"{DAY}.json").read_text(encoding="utf-8"))
        assert [kept] == json.loads(beside.out)
        refused = hebat("settle", "--data", folder, "--date", "2099-01-01")
        assert (refused.code, "is not settled" in refused.err) == (2, True)
        assert hebat("night", "--data", folder, "--json").code in {0, 5}  # the windows of all days since
        assert client.get("/ready").status_code == 200
        process.send_signal(signal.SIGTERM)
        assert process.wait(60) == 0
    assert not (folder / "night.sock").exists()
    assert hebat("ledger", "verify", "--data", folder).code == 0


def test_a_server_that_is_killed_in_a_night_leaves_one_that_goes_on(city: Path, tmp_path: Path) -> None:
    folder = tmp_path / "city"
    shutil.copytree(city, folder)
    with server_of(folder, env=still()) as (process, _):
        before = closed_windows(folder)
        pipes = {"stdout": subprocess.DEVNULL, "stderr": subprocess.PIPE}
        with Started("night", "--data", folder, **pipes) as asking:
            while asking.poll() is None and closed_windows(folder) == before:
                time.sleep(0.005)
            process.kill()
            assert asking.stderr is not None
            said = asking.stderr.read()
    assert (asking.returncode, "it goes on where it was" in said) == (4, True), said
    assert (folder / "night.sock").exists()  # nobody took it away, and nobody minds
    ran = hebat("night", "--data", folder, "--json")
    assert ran.code in {0, 5}, ran.err
    states = json.loads(hebat("windows", "--data", folder, "--json").out)
    assert states[1]["state"] == "settled"
    assert hebat("ledger", "verify", "--data", folder).code == 0


@pytest.mark.parametrize("command", ["night", "settle"])
def test_damage_ends_a_night_with_the_code_that_it_ends_every_command_with(
    city: Path, tmp_path: Path, command: str
) -> None:
    folder = tmp_path / "city"
    shutil.copytree(city, folder)
    with closing(sqlite3.connect(folder / "ledger.db", isolation_level=None)) as database:
        unguard_file(database)
        last = "(SELECT max(block) FROM blocks)"
        assert database.execute(f"UPDATE blocks SET digest = zeroblob(32) WHERE block = {last}").rowcount == 1
    ran = hebat(command, "--data", folder, "--date", DAY)
    assert (ran.code, "Traceback" in ran.err, "restore" in ran.err) == (3, False, True), ran.err


def closed_windows(folder: Path) -> int:
    """How many windows are closed by now."""
    with closing(sqlite3.connect(f"file:{folder / 'ledger.db'}?mode=ro", uri=True)) as database:
        return int(database.execute("SELECT count(*) FROM windows").fetchone()[0])


def test_windows_are_shown_with_their_states(city: Path) -> None:
    ran = hebat("windows", "--data", city)
    assert ran.code == 0
    line = next(line for line in ran.out.splitlines() if line.startswith(DAY))
    assert "settled" in line
    assert "open" in ran.out


@pytest.mark.parametrize(
    ("words", "said"),
    [(("--date", "2099-01-01"), "is not settled"), (("--date", "1999-01-01"), "was never open")],
)
def test_a_night_that_cannot_be_run_is_refused_in_a_sentence(
    city: Path, words: tuple[str, str], said: str
) -> None:
    ran = hebat("settle", "--data", city, *words)
    assert ran.code == 2
    assert said in ran.err
    assert "Traceback" not in ran.err
