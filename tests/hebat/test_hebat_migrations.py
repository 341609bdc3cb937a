"""Migrations give the schema that the code expects, no more and no less."""

from __future__ import annotations

from typing import TYPE_CHECKING

import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext

from hebat.migrations.upgrade import upgrade
from hebat.schema import TABLES
from ledger import tables as ledger_tables

if TYPE_CHECKING:
    from pathlib import Path


def expected() -> sa.MetaData:
    whole = sa.MetaData()
    for metadata in (ledger_tables.metadata, *TABLES):
        for table in metadata.tables.values():
            table.to_metadata(whole)
    return whole


def schema(url: str) -> list[str]:
    engine = sa.create_engine(url)
    with engine.connect() as connection:
        rows = connection.execute(
            sa.text("SELECT sql FROM sqlite_master WHERE sql IS NOT NULL ORDER BY name")
        ).scalars()
        found = [" ".join(str(sql).split()) for sql in rows]
    engine.dispose()
    return found


def test_the_steps_give_exactly_the_tables_of_the_code(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'migrated.db'}"
    upgrade(url)
    engine = sa.create_engine(url)
    with engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        assert compare_metadata(context, expected()) == []
    made = f"sqlite:///{tmp_path / 'made.db'}"
    maker = sa.create_engine(made)
    expected().create_all(maker)
    maker.dispose()
    engine.dispose()
    checks = [sql for sql in schema(made) if "CHECK" in sql]
    assert checks
    assert {sql.count("CHECK") for sql in checks} == {
        sql.count("CHECK") for sql in schema(url) if "CHECK" in sql
    }


def test_every_tables_key_starts_with_its_partition() -> None:
    for table in expected().tables.values():
        assert next(iter(table.primary_key.columns)).name == "partition", table.name


def test_upgrading_again_changes_nothing(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'migrated.db'}"
    upgrade(url)
    before = schema(url)
    upgrade(url)
    assert schema(url) == before
