"""`hebat ledger archive` beside `hebat serve`, both as processes and under load: killed at random, run again, and nobody notices but the disk."""

from __future__ import annotations

import contextlib
import json
import random
import signal
import subprocess
import threading
import time
from collections import Counter
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from datetime import time as time_of_day
from typing import TYPE_CHECKING, Any

import httpx2
import pytest

from card.layout import TapKind
from hebat.demo import town
from hebat.folder import Folder
from hebat.issuing import Issuer
from hebat.progress import Quiet
from hebat.schema import CHANGED, KEPT
from hebat.story_clock import StoryClock
from hebat.verifying import verify_folder
from hebat.wiring import City
from keys.clock import CITY, SystemClock, UnixMs, date_of, day_of, local, moment
from ledger.chart import purse
from ledger.clients.register import add_client
from ledger.clients.scopes import Scope
from ledger.granting import store as granting
from ledger.store import Database
from tests.founding import found
from tests.ledger.conftest import postgres
from tests.ledger.desk import Scene
from tests.ledger.roles import made
from tests.ledger.test_api_process import STOP_SECONDS_MAX, Caller, Town, fund
from tests.system.ready import Started

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from keys.clock import Day

__all__ = ["postgres"]

DAY_MS = 24 * 3_600_000
DAYS, FARES, KILLS = 2, 40, 4
HEADERS = {"Content-Type": "application/cose"}


@dataclass
class Old:
    """A city with two settled dates behind it: who asks for it, its owner's address where the server is not the owner, a batch of then."""

    town: Town
    owner: str
    account: int
    first: Day
    batches: list[tuple[bytes, bytes]] = field(default_factory=list)

    def archive(self, *more: str) -> Started:
        """The command, which goes on by itself."""
        words: tuple[str | Path, ...] = (
            "ledger",
            "archive",
            "--data",
            self.town.folder.root,
            "--json",
            *more,
        )
        database = ("--database", self.owner) if self.owner else ()
        return Started(*words, *database, stdout=subprocess.PIPE, stderr=subprocess.PIPE)


def lived(folder: Folder, account_of: list[int]) -> tuple[Day, list[tuple[bytes, bytes]]]:
    """Two dates with taps and a night each, some days ago; the first date, and each batch with its answer."""
    noon = datetime.combine(local(SystemClock().now()).date() - timedelta(days=5), time_of_day(12), CITY)
    clock, batches = StoryClock(moment(noon)), []
    with City(folder, town.CONFIGURATION, clock) as city:
        scene = Scene(city, clock, Issuer(city, 1), folder.root / "desks")
        card, desk = scene.card(loaded=500_000), scene.desk()
        account_of.append(purse(card.identity.card_number))
        for day in range(DAYS):
            for _ in range(FARES):
                desk.tap(card, TapKind.FARE, 1_000)
            body = desk.body()
            batches.append((body, city.intake.receive(body).encoded()))
            desk.next_batch(body)
            clock.move_to(UnixMs(moment(noon) + (day + 1) * DAY_MS))
            city.night.run(day_of(noon.date() + timedelta(days=day)))
    return day_of(noon.date()), batches


@pytest.fixture(params=["sqlite", "postgresql"])
def old(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Old:
    """On PostgreSQL the server comes as a role that owns nothing, and the archiving as the owner."""
    folder, owner, accounts = Folder(tmp_path / "city"), "", list[int]()
    if request.param == "postgresql":
        roles = made(request.getfixturevalue("postgres"), ledger=False)
        owner = roles.owner
        monkeypatch.setenv("HEBAT_DATABASE_URL", owner)
    found(folder, SystemClock(), "demo")
    first, batches = lived(folder, accounts)
    if owner:
        database = Database(owner)
        with database.transaction() as connection:
            granting.grant(connection, roles.role, CHANGED, KEPT)
        database.close()
        monkeypatch.setenv("HEBAT_DATABASE_URL", roles.server)
    database = Database(folder.database_url)
    token = add_client(database, "caller", tuple(Scope), UnixMs(1))
    database.close()
    return Old(Town(folder, token), owner, accounts[0], first, batches)


@dataclass
class Reader(threading.Thread):
    """Asks for an account's statement over and over; everything that it was told."""

    old: Old
    port: int
    done: threading.Event = field(default_factory=threading.Event)
    told: Counter[tuple[int, str]] = field(default_factory=Counter)

    def __post_init__(self) -> None:
        threading.Thread.__init__(self, daemon=True)

    def __hash__(self) -> int:
        return id(self)

    def run(self) -> None:
        headers = {"Authorization": f"Bearer {self.old.town.token}"}
        with httpx2.Client(base_url=f"http://127.0.0.1:{self.port}", timeout=60, headers=headers) as client:
            while not self.done.is_set():
                page = client.get(f"/v1/accounts/{self.old.account}/statement", params={"limit": 500})
                said = json.dumps([page.json().get("lines"), page.json().get("closing")])
                self.told[page.status_code, said] += 1


@contextlib.contextmanager
def busy(old: Old) -> Iterator[tuple[Started, int, list[Caller], Reader]]:
    """A server at work: callers who take money, and somebody who reads old lines."""
    with old.town.served() as (process, port):
        fund(old.town, port)
        callers = [Caller(old.town, port, serial, "load") for serial in range(1, 4)]
        reader = Reader(old, port)
        for one in (*callers, reader):
            one.start()
        while min(len(one.answers) for one in callers) < 20 or not reader.told:
            time.sleep(0.01)
        yield process, port, callers, reader


def ran(archiving: Started) -> list[dict[str, Any]]:
    said, errors = archiving.communicate(timeout=300)
    assert archiving.returncode == 0, errors
    found: list[dict[str, Any]] = json.loads(said)
    return found


@pytest.mark.slow
def test_dates_go_to_the_archive_beside_a_server_and_no_answer_is_another(old: Old) -> None:
    before, dice = old.town.debited(), random.Random(7)
    until = ("--until", date_of(type(old.first)(old.first + DAYS - 1)).isoformat())
    with busy(old) as (process, port, callers, reader):
        for _ in range(KILLS):
            with old.archive(*until) as archiving:
                time.sleep(dice.uniform(0.2, 1.5))
                archiving.send_signal(signal.SIGKILL)
        with old.archive(*until) as archiving:
            told = ran(archiving)
        assert [(one["business_date"], one["in_database"]) for one in told] == [
            (date_of(type(old.first)(old.first + day)).isoformat(), False) for day in range(DAYS)
        ]
        assert all(one["transfers"] >= FARES for one in told)
        reached = {one.serial: len(one.answers) for one in callers}
        while any(len(one.answers) < reached[one.serial] + 20 for one in callers):
            time.sleep(0.01)
        for body, answer in old.batches:
            again = httpx2.post(
                f"http://127.0.0.1:{port}/v1/batches", content=body, headers=HEADERS, timeout=60
            )
            assert (again.status_code, again.content) == (200, answer)
        reader.done.set()
        reader.join(60)
        process.send_signal(signal.SIGTERM)
        assert process.wait(STOP_SECONDS_MAX) == 0
        for one in callers:
            one.join(60)
    statuses = Counter(status for one in callers for status, _ in one.answers.values())
    assert set(statuses) == {201}
    assert len(reader.told) == 1, reader.told.keys()
    assert next(iter(reader.told))[0] == 200
    assert old.town.debited() - before == statuses[201]
    evidence = verify_folder(old.town.folder, Quiet()).evidence
    assert evidence is not None
    assert evidence.taps == 1 + DAYS * FARES
