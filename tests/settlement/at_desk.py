"""The console over a real ledger, and people who are signed in at it."""

from __future__ import annotations

import re
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from argon2 import PasswordHasher
from fastapi import FastAPI
from fastapi.testclient import TestClient

from hebat.schema import TABLES
from keys.clock import SystemClock
from keys.filevault import FileVault
from ledger.cardholder.disputes import Disputes
from ledger.cardholder.sealing import Sealing, make_keys
from settlement.calendar.city import city_calendar
from settlement.console.console import Console
from settlement.console.desk import Desk
from settlement.console.web import router
from settlement.rulebook.book import Rulebook
from settlement.staff import passwords
from settlement.staff.log import Said
from settlement.staff.office import StaffOffice
from settlement.staff.roles import read_roles
from settlement.staff.seal import seal_of

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from keys.clock import Day
    from settlement.calendar.days import BankCalendar
    from settlement.console.scanning import Scanner
    from tests.settlement.town import Stage

PASSWORD = "four brown otters of a test"
SITE = "https://console.test"
BY = Said("test", "shell", "")
CHEAP = PasswordHasher(time_cost=1, memory_cost=64, parallelism=1)


@dataclass(frozen=True, slots=True)
class BankDays:
    """Implements `ledger.cardholder.disputes.Promise`: an answer within ten bank days."""

    calendar: BankCalendar

    def due(self, day: Day) -> Day:
        """Ten bank days later."""
        return self.calendar.plus(day, 10)


@dataclass(slots=True)
class Opened:
    """A console that is open, and the recovery codes of its people that are left."""

    app: FastAPI
    desk: Desk
    console: Console
    codes: dict[str, list[str]] = field(default_factory=dict, repr=False)


def opened(stage: Stage, folder: Path, scanner: Scanner | None = None) -> Opened:
    """A console over a stage, with nobody in it."""
    database = stage.ledger.database
    with database.writing() as connection:
        for metadata in TABLES:
            metadata.create_all(connection)
    office = StaffOffice(database, seal_of(folder / "staff.key"), SystemClock())
    vault = FileVault.create(folder / "staff-tests.vault", "x", 16)
    make_keys(vault)
    calendar = city_calendar(Rulebook(database))
    disputes = Disputes(stage.ledger, Sealing(vault), BankDays(calendar), stage.clock)
    desk = Desk(stage.ledger, stage.participants, office, stage.night, stage.clock, disputes)
    console = Console(desk, scanner)
    app = FastAPI()
    app.include_router(router(console))
    return Opened(app, desk, console)


@contextmanager
def cheaply() -> Iterator[None]:
    """While the context lasts, passwords are hashed at a small cost."""
    real, passwords.HASHER = passwords.HASHER, CHEAP
    try:
        yield
    finally:
        passwords.HASHER = real


def enrolled(at: Opened, name: str, roles: str) -> None:
    """Somebody with an account, enrolled; their password is hashed at a small cost."""
    with cheaply():
        _, codes = at.desk.office.add_enrolled(name, read_roles(roles), PASSWORD, BY)
    at.codes[name] = list(codes)


def token_of(page: str) -> str:
    """The token of a page's forms."""
    found = re.search(r'name="form_token" value="([0-9a-f]+)"', page)
    assert found is not None, page[:300]
    return found[1]


def browser(at: Opened) -> TestClient:
    """A browser in which nobody is signed in."""
    return TestClient(at.app, base_url=SITE, follow_redirects=False)


def signed_in(at: Opened, client: TestClient, name: str) -> None:
    """Sign in with password and a recovery code."""
    token = token_of(client.get("/staff/sign-in").text)
    form = {"name": name, "password": PASSWORD, "form_token": token}
    with cheaply():
        assert client.post("/staff/sign-in", data=form).status_code == 303
    token = token_of(client.get("/staff/code").text)
    done = client.post("/staff/code", data={"code": at.codes[name].pop(), "form_token": token})
    assert (done.status_code, done.headers["location"]) == (303, "/console")


def member(at: Opened, roles: str, name: str = "") -> TestClient:
    """A browser in which somebody with these roles is signed in; named after the roles unless told."""
    who = name or roles.replace(",", "-")
    if who not in at.codes:
        enrolled(at, who, roles)
    client = browser(at)
    signed_in(at, client, who)
    return client


def send(client: TestClient, path: str, page: str = "/night", **form: Any) -> Any:
    """Post a form as the page that holds it would."""
    files = form.pop("files", None)
    data = {"form_token": token_of(client.get(page).text), **form}
    return client.post(path, data=data, files=files)
