"""A payment file that two make at the same moment has one maker, on the database that lets both look first."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from datetime import datetime, time
from typing import TYPE_CHECKING

import pytest

from hebat.schema import TABLES
from keys.clock import CITY, moment
from ledger.store import Database
from settlement.errors import ReleaseRefused
from settlement.payments import store
from tests.ledger.conftest import postgres, postgres_url
from tests.settlement.town import BNI, CHECKER, DATE, DAY, MAKER, open_stage

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from ledger.store import Connection
    from settlement.participants import Participants
    from settlement.payments.model import Release
    from tests.settlement.town import Stage

__all__ = ["postgres", "postgres_url"]
AT = moment(datetime.combine(DATE, time(23, 30), CITY))


@pytest.fixture
def stage(postgres_url: str, tmp_path: Path, city: Participants) -> Iterator[Stage]:
    """A real ledger on PostgreSQL after an ordinary day."""
    database = Database(postgres_url)
    with database.transaction() as connection:
        for metadata in TABLES:
            metadata.create_all(connection)
    with open_stage(database, tmp_path / "out", city) as opened:
        yield opened


def test_two_who_make_a_file_at_once_are_one_maker_and_one_refusal(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    stage.night.settle(DAY)
    both, insert = threading.Barrier(2), store.insert_release

    def inserted(connection: Connection, made: Release) -> None:
        with suppress(threading.BrokenBarrierError):
            both.wait(1)  # both are here only where nothing kept the second one out
        insert(connection, made)

    monkeypatch.setattr(store, "insert_release", inserted)
    made, refused = [], []

    def make(name: str) -> None:
        try:
            made.append(stage.night.payments.make(DAY, BNI, by=name, at=AT).made_by)
        except ReleaseRefused as error:
            refused.append(str(error))

    with ThreadPoolExecutor(2) as pool:
        list(pool.map(make, (MAKER, CHECKER)))
    (maker,) = made
    assert len(refused) == 1
    assert f"made by {maker} already" in refused[0]
