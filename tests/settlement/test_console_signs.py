"""A zero byte is no text (PostgreSQL keeps none): whatever of a call has one is refused before a page has it, and nothing else stops for it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from hebat.schema import TABLES
from ledger.store import Database
from tests.ledger.conftest import postgres, postgres_url
from tests.settlement.at_desk import Opened, browser, cheaply, member, opened, send, token_of
from tests.settlement.town import open_stage
from tests.settlement.worked import STRAY, Worked

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from settlement.participants import Participants

__all__ = ["postgres", "postgres_url"]


@pytest.fixture(params=["sqlite", "postgresql"])
def at(request: pytest.FixtureRequest, tmp_path: Path, city: Participants) -> Iterator[Opened]:
    """A console with a night whose breaks can be worked on."""
    postgresql = request.param == "postgresql"
    url = request.getfixturevalue("postgres_url") if postgresql else f"sqlite:///{tmp_path / 'ledger.db'}"
    database = Database(url)
    if postgresql:
        with database.transaction() as connection:
            for metadata in TABLES:
                metadata.create_all(connection)
    else:
        database.create(*TABLES)
    with open_stage(database, tmp_path / "out", city) as stage:
        Worked.on(stage).take([STRAY])
        yield opened(stage, tmp_path)


def own(at: Opened) -> str:
    """The address of some break."""
    with at.desk.database.transaction() as connection:
        return (
            f"/console/breaks/{connection.exec_driver_sql('SELECT break_id FROM settlement_breaks').scalar()}"
        )


def test_a_zero_byte_in_a_form_or_an_address_is_refused(at: Opened) -> None:
    client, page = member(at, "maker"), own(at)
    asked: list[tuple[str, dict[str, Any]]] = [
        (f"{page}/comment", {"text": "one\0two"}),
        ("/console/breaks/no%00such/comment", {"text": "looked at"}),
        ("/console/worklist/breaks", {"break_id": "no\0such", "act": "comment", "text": "seen"}),
    ]
    for path, form in asked:
        assert send(client, path, "/night", **form).status_code in {400, 404, 422}, path
    for path in ("/console/worklist?q=a%00b", "/console/breaks/a%00b", "/console/worklist?reason=%00"):
        assert client.get(path).status_code == 400, path
    assert send(client, f"{page}/comment", "/night", text="looked at").status_code == 303
    assert "looked at" in client.get(page).text


def test_a_zero_byte_in_a_name_at_the_door_is_refused_before_it_is_looked_up(at: Opened) -> None:
    client = browser(at)
    form = {
        "name": "ma\0ker",
        "password": "not the one",
        "form_token": token_of(client.get("/staff/sign-in").text),
    }
    with cheaply():
        assert client.post("/staff/sign-in", data=form).status_code == 400
