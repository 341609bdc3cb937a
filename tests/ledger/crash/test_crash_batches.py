"""kill -9 of a server that terminals send signed batches to: what has a receipt is in the books, and asked again gets the same."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest

from hebat.progress import Quiet
from hebat.verifying import verify_folder
from ledger.intake import store
from ledger.store import Database
from tests.ledger.crash.conftest import kills
from tests.ledger.crash.traffic import Fleet, Traffic, make_traffic, place

if TYPE_CHECKING:
    import random
    from collections.abc import Callable
    from pathlib import Path

    from tests.ledger.crash.cluster import Cluster
    from tests.ledger.crash.nursery import Nursery

DELAY_SECONDS_MAX = 0.25
BATCHES = 20
ROUND = 5
"""Kills of one city."""


@pytest.fixture(scope="module")
def traffic(tmp_path_factory: pytest.TempPathFactory) -> Traffic:
    return make_traffic(tmp_path_factory.mktemp("traffic"), BATCHES)


@dataclass
class Town:
    """A city that is served, killed and served again, and its terminals."""

    nursery: Nursery
    folder: Path
    fleet: Fleet
    url: str = ""

    def kill_after(self, delay: float) -> None:
        """Serve under load, and kill the server."""
        victim = self.nursery.start("serve", folder=str(self.folder), url=self.url)
        address = victim.line().decode().strip()
        self.fleet.go(address)
        time.sleep(delay)
        victim.kill()
        self.fleet.join()
        self.look()

    def look(self) -> None:
        """Chain, evidence and sums; and each receipt's batch with its taps, once."""
        evidence = verify_folder(place(self.folder, self.url), Quiet()).evidence
        assert evidence is not None
        database = Database(place(self.folder, self.url).database_url)
        with database.transaction() as connection:
            batches = {(row.terminal, row.first_sequence): row for row in store.all_batches(connection)}
            taps = [(tap.uid, tap.tmc) for tap in store.all_taps(connection)]
        database.close()
        assert len(set(taps)) == len(taps) == evidence.taps
        for at, terminal in enumerate(self.fleet.terminals):
            for told in terminal.told:
                row = batches[1101 + at, told["results"][0]["sequence"]]
                assert row.results == told["results"]

    def check_end(self, taps: int) -> None:
        """Let every terminal send the rest; then all of it again. Each gets its first answer, and money has moved once."""
        victim = self.nursery.start("serve", folder=str(self.folder), url=self.url)
        address = victim.line().decode().strip()
        self.fleet.go(address)
        self.fleet.join()
        assert self.fleet.done, [one.stopped for one in self.fleet.terminals]
        for terminal in self.fleet.terminals:
            assert terminal.ask_again(address) == terminal.told
        victim.kill()
        evidence = verify_folder(place(self.folder, self.url), Quiet()).evidence
        assert evidence is not None
        assert evidence.taps == taps


def rounds(count: int) -> list[int]:
    """How many kills each city gets."""
    return [min(ROUND, count - at) for at in range(0, count, ROUND)]


@pytest.mark.slow
def test_law_03_a_server_killed_under_signed_batches_gives_each_its_first_answer(
    nursery: Nursery, traffic: Traffic, tmp_path: Path, dice: random.Random, killed: Callable[[int], None]
) -> None:
    for number, strikes in enumerate(rounds(kills(0.15))):
        town = Town(nursery, traffic.copy(tmp_path / str(number)), Fleet.of(traffic))
        for _ in range(strikes):
            town.kill_after(dice.uniform(0, DELAY_SECONDS_MAX))
        town.check_end(traffic.taps)
    killed(kills(0.15))


@pytest.mark.slow
def test_law_03_a_server_on_postgresql_killed_under_signed_batches_gives_each_its_first_answer(
    nursery: Nursery, cluster: Cluster, tmp_path: Path, dice: random.Random, killed: Callable[[int], None]
) -> None:
    template = cluster.database()
    traffic = make_traffic(tmp_path, BATCHES, template)
    for number, strikes in enumerate(rounds(kills(0.1))):
        town = Town(nursery, traffic.copy(tmp_path / str(number)), Fleet.of(traffic), cluster.clone(template))
        for _ in range(strikes):
            town.kill_after(dice.uniform(0, DELAY_SECONDS_MAX))
        town.check_end(traffic.taps)
    killed(kills(0.1))
