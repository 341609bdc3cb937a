"""A city whose ledger lies in a PostgreSQL of its own, named by HEBAT_DATABASE_URL."""

from __future__ import annotations

from contextlib import closing
from typing import TYPE_CHECKING

import psycopg2
import pytest

from hebat.configurations import configuration_of
from hebat.errors import InputRefused
from hebat.folder import Folder
from hebat.settings import named_database
from hebat.wiring import City
from keys.clock import SystemClock
from tests.founding import found
from tests.ledger.conftest import postgres  # noqa: F401  its server, for this test too
from tests.ledger.entries import transfer

if TYPE_CHECKING:
    from pathlib import Path


def test_a_city_is_founded_and_opened_on_the_database_that_is_named(
    tmp_path: Path,
    postgres: Path,  # noqa: F811  the fixture
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with closing(psycopg2.connect(host=str(postgres), user="postgres", dbname="postgres")) as connection:
        connection.autocommit = True
        connection.cursor().execute("CREATE DATABASE named_city")
    monkeypatch.setenv("HEBAT_DATABASE_URL", f"postgresql://postgres@/named_city?host={postgres}")
    folder = Folder(tmp_path / "city")
    found(folder, SystemClock(), "demo")
    with City(folder, configuration_of(folder), SystemClock()) as city:
        assert not city.ledger.database.is_sqlite
        assert city.ledger.post([transfer()])[0].position == 1
    assert folder.has_ledger
    assert not folder.ledger.exists()


def test_what_is_no_databases_address_is_refused(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    assert named_database() == ""
    monkeypatch.setenv("HEBAT_DATABASE_URL", "mysql://somewhere")
    with pytest.raises(InputRefused, match="begins with sqlite"):
        _ = Folder(tmp_path).database_url
