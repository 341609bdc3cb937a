"""On PostgreSQL each business date's table gets a key of its own, without the date: half as large, and quicker to write."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0052"
down_revision = "0051"

_DAYS = (
    "SELECT c.oid::regclass::text FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid "
    "WHERE i.inhparent = to_regclass('transfers') ORDER BY c.relname"
)
_KEY = (
    "EXECUTE ''ALTER TABLE '' || name || '' ADD PRIMARY KEY (partition, position) WITH (fillfactor = 100)''; "
)


def _open_day(key: str) -> None:
    """The function that makes a business date's table, as it stays with its owner and for nobody else."""
    body = (
        "DECLARE name text := ''transfers_'' || to_char(DATE ''1970-01-01'' + day::int, ''YYYYMMDD''); BEGIN "
        "IF to_regclass(name) IS NULL THEN "
        "EXECUTE ''CREATE TABLE '' || name || '' (LIKE transfers INCLUDING DEFAULTS INCLUDING CONSTRAINTS)''; "
        f"{key}"
        "EXECUTE ''ALTER TABLE transfers ATTACH PARTITION '' || name || "
        "'' FOR VALUES FROM ('' || day || '') TO ('' || day + 1 || '')''; END IF; END"
    )
    head = "CREATE OR REPLACE FUNCTION ledger_open_day(day bigint) RETURNS void LANGUAGE plpgsql SECURITY DEFINER SET search_path = "
    text = f"{head}' || quote_ident(current_schema()) || ', pg_temp AS ' || quote_literal('{body}')"
    op.get_bind().exec_driver_sql(f"DO $do$ BEGIN EXECUTE '{text}; END $do$")


def upgrade() -> None:
    """Make the keys anew; a file of SQLite has one table, and stays as it is."""
    if op.get_bind().dialect.name == "sqlite":
        return
    op.execute("ALTER TABLE transfers DROP CONSTRAINT transfers_pkey")
    for day in op.get_bind().execute(sa.text(_DAYS)).scalars().all():
        op.execute(f"ALTER TABLE {day} ADD PRIMARY KEY (partition, position) WITH (fillfactor = 100)")
    _open_day(_KEY)


def downgrade() -> None:
    """One key of all days again."""
    if op.get_bind().dialect.name == "sqlite":
        return
    for day in op.get_bind().execute(sa.text(_DAYS)).scalars().all():
        op.execute(f"ALTER TABLE {day} DROP CONSTRAINT {day}_pkey")
    op.execute("ALTER TABLE transfers ADD PRIMARY KEY (partition, position, business_date)")
    _open_day("")
