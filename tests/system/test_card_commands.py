"""A card's life at a real reader: every command a process of its own, through pcscd, with a ledger that is verified at the end."""

from __future__ import annotations

import json
import shutil
import signal
import subprocess
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import pytest

from tests.card.pcscd import SLOTS, WAIT_S, Pcscd
from tests.system.conftest import Ran, hebat
from tests.system.ready import Started

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.system.conftest import Demo

pytest_plugins = ["tests.card.pcscd_fixtures"]

START_S = 60.0
LIFE_S = 240.0


@pytest.fixture
def city(demo: Demo, tmp_path: Path) -> Path:
    """A copy of the demo's city."""
    return shutil.copytree(demo.folder, tmp_path / "city")


@contextmanager
def running(*arguments: str) -> Iterator[Started]:
    """A `hebat` process that goes on until it is told to stop; it is killed where it outlives its time."""
    with Started(*arguments, stdout=subprocess.PIPE) as process:
        late = threading.Timer(LIFE_S, process.kill)
        late.start()
        try:
            yield process
            process.send_signal(signal.SIGINT)
            assert process.wait(START_S) in {0, 130}
        finally:
            late.cancel()
            process.kill()


def line_of(process: Started) -> str:
    """The next line that a process says; empty where it has ended."""
    assert process.stdout is not None
    return process.stdout.readline().removesuffix("\n")


@contextmanager
def simulated(port: int, *arguments: str | Path) -> Iterator[str]:
    """A virtual card in the reader, from a process of its own; gives what that said first."""
    with running("card", "simulate", "--port", str(port), *map(str, arguments)) as process:
        yield line_of(process)
        process.send_signal(signal.SIGINT)
        assert process.wait(START_S) == 0


def card(command: str, *arguments: str | Path) -> Ran:
    """A card command that must succeed."""
    ran = hebat("card", command, *arguments, "--timeout", str(WAIT_S))
    assert ran.code == 0, ran
    return ran


def told(command: str, *arguments: str | Path) -> Any:
    """What a command says to machines."""
    return json.loads(card(command, *arguments, "--json").out)


@pytest.mark.slow
def test_a_card_lives_through_a_real_reader(pcscd: Pcscd, city: Path, tmp_path: Path) -> None:
    kept = tmp_path / "one.card"
    with simulated(pcscd.port, "--save", kept) as said:
        assert said.startswith("A virtual blank card, UID 04 ")
        assert told("info")["kind"] == "blank"
        shown = hebat("card", "readers").out
        assert f"{SLOTS[0]}   a card, ATR" in shown
        assert f"{SLOTS[1]}   no card" in shown
        assert "A new card of this city." in card("personalise", "--data", city).out
        assert "Rp50.000 loaded. The card holds Rp50.000." in card("load", "50.000", "--data", city).out
        assert [one["amount"] for one in told("log", "--data", city)] == [50_000]
        assert "9360 0009 0000" in card("info", "--data", city, "--reader", SLOTS[0].upper()).out
    assert kept.stat().st_mode & 0o777 == 0o600
    with simulated(pcscd.port, kept) as said:
        assert said.startswith("A virtual card of a city, UID 04 ")
        assert told("read", "--data", city)["balance"] == 50_000
        assert "is locked" in card("lock", "--data", city, "--yes").out
        refused = hebat("card", "load", "5000", "--data", city)
        assert (refused.code, refused.err) == (2, "hebat: this card is locked: nothing was loaded\n")
    assert hebat("ledger", "verify", "--data", city).code == 0


def test_watch_tells_of_a_card_that_comes_and_goes(pcscd: Pcscd) -> None:
    with running("card", "watch") as process:
        assert [line_of(process)[10:] for _ in SLOTS] == [f"{slot}  no card" for slot in SLOTS]
        with simulated(pcscd.port):
            assert line_of(process)[10:].startswith(f"{SLOTS[0]}  card, ATR 3B")
        assert line_of(process)[10:] == f"{SLOTS[0]}  no card"
        process.send_signal(signal.SIGINT)
        assert process.wait(START_S) == 0


@pytest.mark.slow
def test_a_load_through_a_server_that_is_running(pcscd: Pcscd, city: Path) -> None:
    with simulated(pcscd.port):
        card("personalise", "--data", city)
        card("load", "20000", "--data", city)  # enrols the counter
        with served(city) as address:
            busy = hebat("card", "load", "20000", "--data", city)
            assert busy.code == 4
            assert "or use its address" in busy.err
            card("load", "20000", "--data", city, "--address", address)
        assert told("read", "--data", city)["balance"] == 40_000
    assert hebat("ledger", "verify", "--data", city).code == 0


@contextmanager
def served(city: Path) -> Iterator[str]:
    """The city, served by a process of its own; gives its address."""
    with running("serve", "--data", str(city), "--port", "0") as process:
        yield line_of(process).split("/night")[0]
