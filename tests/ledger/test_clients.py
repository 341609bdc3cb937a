"""Clients and their tokens: shown once, stored as a digest, known at once, gone within a second of their revocation."""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING

import pytest
from typer.testing import CliRunner

from hebat.cli import app
from hebat.folder import Folder
from keys.clock import SystemClock, UnixMs
from ledger.clients import store
from ledger.clients.register import (
    CLIENTS_MAX,
    FRESH_SECONDS,
    Clients,
    add_client,
    list_clients,
    revoke_client,
)
from ledger.clients.scopes import Party, PartyKind, Scope
from ledger.errors import ClientUnknown, ScopeMissing, TokenRefused
from ledger.store import Database
from tests.founding import found
from tests.ledger.served import add_tables

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

NOW = UnixMs(1_763_450_000_000)


@pytest.fixture
def database(url: str) -> Iterator[Database]:
    made = Database(url)
    add_tables(made)
    yield made
    made.close()


class Ticks:
    def __init__(self) -> None:
        self.at = 0.0

    def __call__(self) -> float:
        return self.at


def clients(database: Database, ticks: Ticks | None = None) -> Clients:
    made = Clients(database, ticks or Ticks())
    made.reload()
    return made


def test_a_token_lets_its_client_do_what_it_may_and_no_more(database: Database) -> None:
    token = add_client(database, "shop-1", [Scope.DEBITS], NOW, Party(PartyKind.MERCHANT, 502))
    known = clients(database)
    client = known.allowed(f"Bearer {token}", Scope.DEBITS)
    assert (client.name, client.party) == ("shop-1", Party(PartyKind.MERCHANT, 502))
    assert known.known(f"bearer   {token} ").name == "shop-1"
    with pytest.raises(ScopeMissing, match="holds"):
        known.allowed(f"Bearer {token}", Scope.HOLDS)


def test_nothing_that_is_stored_opens_anything(database: Database) -> None:
    token = add_client(database, "shop-1", [Scope.DEBITS], NOW)
    [row] = list_clients(database)
    assert row.token_digest == hashlib.sha256(token.encode()).digest()
    assert token.split(".")[2] not in repr(row)
    known = clients(database)
    for stored in (row.token_digest.hex(), f"ksh.shop-1.{row.token_digest.hex()}"):
        with pytest.raises(TokenRefused):
            known.known(f"Bearer {stored}")


@pytest.mark.parametrize(
    "sent",
    ["", "Bearer", "Bearer ", "Basic dXNlcjpwYXNz", "Bearer x", "Bearer ksh.shop-1.", "Bearer ksh.nobody.x", "Bearer ..",
     "Bearer " + "x" * 5000, "Bearer ksh.shop-1.\xff\u20ac"],
    ids=range(10),
)  # fmt: skip
def test_what_is_no_token_of_ours_is_refused(database: Database, sent: str) -> None:
    add_client(database, "shop-1", [Scope.DEBITS], NOW)
    with pytest.raises(TokenRefused):
        clients(database).known(sent)


def test_every_changed_character_of_a_token_is_refused(database: Database) -> None:
    token = add_client(database, "shop-1", [Scope.DEBITS], NOW)
    known = clients(database)
    for place in range(len(token)):
        changed = token[:place] + ("A" if token[place] != "A" else "B") + token[place + 1 :]
        with pytest.raises(TokenRefused):
            known.known(f"Bearer {changed}")


def test_a_revoked_client_is_out_once_the_list_is_read_again(database: Database) -> None:
    token, ticks = add_client(database, "shop-1", [Scope.DEBITS], NOW), Ticks()
    known = clients(database, ticks)
    revoke_client(database, "shop-1", NOW)
    assert not known.older_than(FRESH_SECONDS)
    ticks.at = FRESH_SECONDS * 1.01
    assert known.older_than(FRESH_SECONDS)
    known.reload()
    with pytest.raises(TokenRefused):
        known.known(f"Bearer {token}")
    revoke_client(database, "shop-1", UnixMs(NOW + 1))
    assert list_clients(database)[0].revoked_at == NOW


def test_a_name_is_given_once_for_all_time(database: Database) -> None:
    add_client(database, "shop-1", [Scope.DEBITS], NOW)
    revoke_client(database, "shop-1", NOW)
    with pytest.raises(ClientUnknown, match="already"):
        add_client(database, "shop-1", [Scope.DEBITS], NOW)
    for wrong in ("", "Shop", "a b", "-a", "x" * 41, "a.b"):
        with pytest.raises(ClientUnknown, match="no name"):
            add_client(database, wrong, [Scope.DEBITS], NOW)
    with pytest.raises(ClientUnknown):
        revoke_client(database, "nobody", NOW)


def test_there_are_only_so_many_clients(database: Database) -> None:
    with database.writing() as connection:
        for number in range(CLIENTS_MAX):
            store.insert_client(connection, store.ClientRow(f"c{number}", bytes(32), "debits", "", NOW))
    with pytest.raises(ClientUnknown, match=str(CLIENTS_MAX)):
        add_client(database, "one-more", [Scope.DEBITS], NOW)


@pytest.mark.parametrize(
    "text", ["", "merchant", "merchant:", "merchant:x", "city:1", "merchant:-1", "merchant:1" * 9]
)
def test_what_is_no_party_is_refused(text: str) -> None:
    with pytest.raises(ClientUnknown):
        Party.read(text)


def test_the_commands_make_list_and_revoke(tmp_path: Path) -> None:
    folder = Folder(tmp_path / "city")
    found(folder, SystemClock(), "demo")
    run, at = CliRunner(), ["--data", str(folder.root)]
    made = run.invoke(
        app, ["clients", "add", "shop-1", "--may", "debits,holds", "--for", "merchant:502", *at]
    )
    token = made.output.splitlines()[0]
    database = Database(folder.database_url)
    assert clients(database).known(f"Bearer {token}").party == Party(PartyKind.MERCHANT, 502)
    listed = run.invoke(app, ["clients", "list", "--json", *at])
    assert token not in listed.output
    assert json.loads(listed.output)[0]["scopes"] == ["debits", "holds"]
    assert run.invoke(app, ["clients", "revoke", "shop-1", *at]).exit_code == 0
    assert "revoked" in run.invoke(app, ["clients", "list", *at]).output
    with pytest.raises(TokenRefused):
        clients(database).known(f"Bearer {token}")
    database.close()
    assert run.invoke(app, ["clients", "add", "x", "--may", "everything", *at]).exit_code == 1
