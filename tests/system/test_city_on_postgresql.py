"""A city founded at a terminal on a PostgreSQL of its own, as docs/operations.md has it: the database is named before anything is there."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from tests.empty import new_database
from tests.ledger.conftest import postgres  # noqa: F401  its server, for this test too
from tests.system.conftest import ROOT, hebat
from tests.system.typist import PASSPHRASE, Typist

if TYPE_CHECKING:
    from pathlib import Path

EXAMPLE = ROOT / "deploy" / "participants.toml"


@pytest.fixture
def named(postgres: Path, monkeypatch: pytest.MonkeyPatch) -> str:  # noqa: F811  the fixture
    """An empty database, named by HEBAT_DATABASE_URL."""
    address = new_database(postgres, empty=True)
    monkeypatch.setenv("HEBAT_DATABASE_URL", address)
    return address


def founding(folder: Path) -> Typist:
    typist = Typist("keys", "found", "--draw", "--participants", EXAMPLE, "--data", folder)
    typist.answer("Passphrase of the vault: ", PASSPHRASE)
    typist.answer("The same again: ", PASSPHRASE)
    return typist


@pytest.mark.usefixtures("named")
def test_it_is_founded_once_on_the_database_that_is_named(tmp_path: Path) -> None:
    city, other = tmp_path / "city", tmp_path / "other"
    typist = founding(city)
    assert typist.end() == 0, typist.seen
    assert not (city / "ledger.db").exists()
    upgraded = hebat("ledger", "upgrade", "--data", city)
    assert (upgraded.code, "up to date: schema " in upgraded.out) == (0, True), upgraded.err
    again = hebat("keys", "found", "--draw", "--participants", EXAMPLE, "--data", other)
    assert (again.code, "holds a ledger already: name an empty one" in again.err) == (2, True), again.err
    assert not other.exists()


@pytest.mark.usefixtures("named")
def test_a_founding_that_goes_on_keeps_the_record_of_its_ceremonies(tmp_path: Path) -> None:
    city = tmp_path / "city"
    typist = founding(city)
    assert typist.end() == 0, typist.seen
    record = (city / "ceremony.cose").read_bytes()
    # as a founding leaves it whose database said no after the keys were made
    with pytest.MonkeyPatch.context() as elsewhere:
        elsewhere.delenv("HEBAT_DATABASE_URL")
        typist = Typist("keys", "found", "--participants", EXAMPLE, "--data", city)
        typist.answer("Passphrase of the vault: ", PASSPHRASE)
        assert typist.end() == 0, typist.seen
    assert (city / "ceremony.cose").read_bytes() == record
    assert (city / "ledger.db").exists()


def test_a_database_that_does_not_answer_is_told_before_anything_is_made(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HEBAT_DATABASE_URL", f"postgresql+psycopg2://hebat@/city?host={tmp_path}")
    ran = hebat("keys", "found", "--draw", "--participants", EXAMPLE, "--data", tmp_path / "city")
    assert (ran.code, "the database city does not answer" in ran.err, "Traceback" in ran.err) == (
        2,
        True,
        False,
    ), ran.err
    assert not (tmp_path / "city").exists()


@pytest.mark.usefixtures("named")
def test_an_empty_database_is_not_upgraded_and_says_what_to_do() -> None:
    ran = hebat("ledger", "upgrade", "--database", os.environ["HEBAT_DATABASE_URL"])
    assert (ran.code, "holds no ledger: make one with `hebat ledger init`" in ran.err) == (2, True), ran.err
