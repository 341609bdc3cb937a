"""A ledger of any older release, with data in it, is recognised, upgraded whole, and verifies."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import psycopg2
import pytest
import sqlalchemy as sa
from alembic.script import ScriptDirectory

from hebat.migrations import upgrade as migrations
from keys.clock import Day, UnixMs
from ledger import journal
from ledger.book import Ledger
from ledger.errors import DatabaseMissing, StorageError
from ledger.rows.store import name_of_day
from ledger.store import Database
from ledger.transfer import ROW
from ledger.verify import verify
from tests.ledger.conftest import postgres  # noqa: F401  its server, for these tests too
from tests.ledger.entries import SetClock, transfer
from tests.system.conftest import hebat

if TYPE_CHECKING:
    from collections.abc import Sequence

REVISIONS = sorted(
    script.revision for script in ScriptDirectory(str(Path(migrations.__file__).parent)).walk_revisions()
)
CLOCK = SetClock(UnixMs(1_750_000_000_000))


def put(connection: sa.Connection, table: str, names: Sequence[str], rows: Sequence[Sequence[Any]]) -> None:
    columns, marks = ",".join(names), ",".join(f":{name}" for name in names)
    statement = sa.text(f"INSERT INTO {table} ({columns}) VALUES ({marks})")
    connection.execute(statement, [dict(zip(names, row, strict=True)) for row in rows])


def schema_of(connection: sa.Connection) -> int:
    """The version of the ledger's own tables that a revision has."""
    tables = sa.inspect(connection)
    return 1 + tables.has_table("snapshots") + tables.has_table("archives")


def old_ledger(url: str, revision: str) -> None:
    """Two business dates of transfers under an older schema, which nobody noted: as a city was founded then."""
    migrations.upgrade(url, revision)
    engine = sa.create_engine(url)
    with engine.begin() as connection:
        connection.execute(sa.text("DROP TABLE alembic_version"))
        put(
            connection,
            "meta",
            ("partition", "name", "value"),
            [(0, "schema", schema_of(connection))],
        )
        before = None
        for day in (20_254, 20_255):
            received = UnixMs(1_749_900_000_000 + day)
            rows = journal.rows_of([transfer(), transfer(amount=7)], received, Day(day))
            first = before.last_position + 1 if before else 1
            rows["position"] = np.arange(first, first + 2)
            before = journal.make_block(before, rows, [b"signed"], received, Day(day))
            if engine.dialect.name == "postgresql" and revision >= "0013":
                connection.exec_driver_sql(
                    f"CREATE TABLE {name_of_day(Day(day))} PARTITION OF transfers FOR VALUES FROM ({day}) TO ({day + 1})"
                )
            put(connection, "transfers", ROW.names or (), rows.tolist())
            put(
                connection, "blocks",
                ("partition", "block", "first_position", "rows", "received_at", "business_date", "documents", "previous", "digest"),
                [(0, before.block, before.first_position, 2, received, day, before.documents, before.previous, before.digest)],
            )  # fmt: skip
            put(
                connection,
                "documents",
                ("partition", "block", "ordinal", "body"),
                [(0, before.block, 0, b"signed")],
            )
    engine.dispose()


POSTGRESQL_ONLY = {"0052": "0051"}
"""Steps that change nothing in a file, and as what such a file is recognised."""


def check_upgraded(url: str, revision: str) -> None:
    old_ledger(url, revision)
    recognised = POSTGRESQL_ONLY.get(revision, revision) if url.startswith("sqlite") else revision
    assert migrations.migrate(url) == (recognised, REVISIONS[-1])
    database = Database(url)
    found = verify(database)
    assert (found.transfers, found.blocks, found.documents) == (4, 2, 2)
    database.close()
    with Ledger.open(url, CLOCK) as ledger:
        assert ledger.post([transfer()])[0].position == 5
        assert ledger.rebuild_check() == 5
    assert migrations.migrate(url) == (REVISIONS[-1], REVISIONS[-1])


@pytest.mark.parametrize("revision", REVISIONS)
def test_a_file_of_any_older_release_is_upgraded_with_its_data(tmp_path: Path, revision: str) -> None:
    check_upgraded(f"sqlite:///{tmp_path / 'ledger.db'}", revision)


@pytest.mark.parametrize("revision", ["0001", REVISIONS[-2], REVISIONS[-1]])
def test_a_postgresql_database_of_an_older_release_is_upgraded_with_its_data(
    postgres: Path,  # noqa: F811  the fixture
    revision: str,
) -> None:
    name = f"upgraded_{revision}"
    connection = psycopg2.connect(host=str(postgres), user="postgres", dbname="postgres")
    connection.autocommit = True
    with connection.cursor() as cursor:
        cursor.execute(f"CREATE DATABASE {name}")
    connection.close()
    check_upgraded(f"postgresql+psycopg2://postgres@/{name}?host={postgres}", revision)


def test_an_older_ledger_is_told_to_upgrade_and_the_command_does(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'ledger.db'}"
    old_ledger(url, "0008")
    with pytest.raises(StorageError, match="run `hebat ledger upgrade`"):
        Ledger.open(url, CLOCK)
    ran = hebat("ledger", "upgrade", "--database", url)
    assert (ran.code, f"from schema 0008 to {REVISIONS[-1]}" in ran.out) == (0, True), ran
    assert "up to date" in hebat("ledger", "upgrade", "--database", url).out
    with Ledger.open(url, CLOCK) as ledger:
        busy = hebat("ledger", "upgrade", "--database", url)
        assert (busy.code, "stop it first" in busy.err) == (4, True), busy
        assert ledger.head().position == 4


def test_a_step_that_fails_takes_back_the_steps_before_it(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'ledger.db'}"
    old_ledger(url, "0008")
    engine = sa.create_engine(url)
    with engine.begin() as connection:
        connection.execute(sa.text("CREATE TABLE snapshots (other INTEGER)"))  # in the way of 0013
        connection.execute(sa.text("CREATE TABLE alembic_version (version_num VARCHAR(32) NOT NULL)"))
        connection.execute(sa.text("INSERT INTO alembic_version VALUES ('0008')"))
    with pytest.raises(sa.exc.OperationalError, match="snapshots"):
        migrations.migrate(url)
    with engine.begin() as connection:
        assert migrations.noted(connection) == "0008"
        assert not sa.inspect(connection).has_table("clients")
        assert connection.execute(sa.text("SELECT count(*) FROM transfers")).scalar() == 4
    engine.dispose()


def test_where_there_is_no_ledger_there_is_nothing_to_upgrade(tmp_path: Path) -> None:
    with pytest.raises(DatabaseMissing):
        migrations.migrate(f"sqlite:///{tmp_path / 'none.db'}")
    ran = hebat("ledger", "upgrade", "--database", f"sqlite:///{tmp_path / 'other.db'}")
    assert (ran.code, "hebat ledger init" in ran.err) == (2, True), ran
    assert not (tmp_path / "other.db").exists()
