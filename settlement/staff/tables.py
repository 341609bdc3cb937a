"""The staff's tables. The log refuses change and removal in the database itself, on SQLite and on PostgreSQL."""

from __future__ import annotations

from typing import Final

from sqlalchemy import DDL, BigInteger, Column, Integer, LargeBinary, MetaData, String, Table, Text, event

metadata = MetaData()


def _partition() -> Column[int]:
    return Column("partition", Integer, primary_key=True, autoincrement=False)


staff = Table(
    "staff",
    metadata,
    _partition(),
    Column("name", String(40), primary_key=True),
    Column("roles", String(60), nullable=False),
    Column("password", String(200), nullable=False),
    Column("must_change", Integer, nullable=False),
    Column("authenticator", LargeBinary, nullable=False),
    Column("enrolled", Integer, nullable=False),
    Column("last_step", BigInteger, nullable=False),
    Column("created_at", BigInteger, nullable=False),
    Column("disabled_at", BigInteger, nullable=False),
)

recovery_codes = Table(
    "staff_recovery_codes",
    metadata,
    _partition(),
    Column("name", String(40), primary_key=True),
    Column("digest", LargeBinary(32), primary_key=True),
)

sessions = Table(
    "staff_sessions",
    metadata,
    _partition(),
    Column("digest", LargeBinary(32), primary_key=True),
    Column("name", String(40), nullable=False, index=True),
    Column("stage", String(10), nullable=False),
    Column("began_at", BigInteger, nullable=False),
    Column("seen_at", BigInteger, nullable=False),
)

attempts = Table(
    "staff_attempts",
    metadata,
    _partition(),
    Column("subject", String(10), primary_key=True),
    Column("value", String(80), primary_key=True),
    Column("failures", Integer, nullable=False),
    Column("last_at", BigInteger, nullable=False),
    Column("until", BigInteger, nullable=False),
)

audit = Table(
    "staff_audit",
    metadata,
    _partition(),
    Column("number", BigInteger, primary_key=True, autoincrement=False),
    Column("at", BigInteger, nullable=False),
    Column("who", String(60), nullable=False),
    Column("address", String(80), nullable=False),
    Column("action", String(40), nullable=False),
    Column("subject", String(140), nullable=False),
    Column("detail", Text, nullable=False),
    Column("previous", LargeBinary(32), nullable=False),
    Column("digest", LargeBinary(32), nullable=False),
)

SQLITE_GUARDS: Final = tuple(
    f"CREATE TRIGGER staff_audit_no_{verb} BEFORE {verb} ON staff_audit "
    "BEGIN SELECT RAISE(ABORT, 'the log of staff is never changed'); END"
    for verb in ("update", "delete")
)
POSTGRESQL_GUARDS: Final = (
    (
        "CREATE OR REPLACE FUNCTION staff_audit_refuse() RETURNS trigger LANGUAGE plpgsql AS "
        "'BEGIN RAISE EXCEPTION ''the log of staff is never changed''; END'"
    ),
    (
        "CREATE TRIGGER staff_audit_no_change BEFORE UPDATE OR DELETE ON staff_audit "
        "FOR EACH ROW EXECUTE FUNCTION staff_audit_refuse()"
    ),
    (
        "CREATE TRIGGER staff_audit_no_emptying BEFORE TRUNCATE ON staff_audit "
        "FOR EACH STATEMENT EXECUTE FUNCTION staff_audit_refuse()"
    ),
)
for _dialect, _guards in (("sqlite", SQLITE_GUARDS), ("postgresql", POSTGRESQL_GUARDS)):
    for _guard in _guards:
        event.listen(audit, "after_create", DDL(_guard).execute_if(dialect=_dialect))  # type: ignore[no-untyped-call]
