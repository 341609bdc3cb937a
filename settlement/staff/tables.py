"""The staff's tables. The log refuses change and removal in the database itself, on SQLite and on PostgreSQL."""

from __future__ import annotations

from typing import Final

from sqlalchemy import DDL, BigInteger, Integer, LargeBinary, MetaData, String, Table, Text, event

from ledger.schema import each, field, key, partition

metadata = MetaData()


staff = Table(
    "staff",
    metadata,
    partition(),
    key("name", String(40)),
    field("roles", String(60)),
    field("password", String(200)),
    field("must_change", Integer),
    field("authenticator", LargeBinary),
    field("enrolled", Integer),
    *each(BigInteger, "last_step", "created_at", "disabled_at"),
)

recovery_codes = Table(
    "staff_recovery_codes",
    metadata,
    partition(),
    key("name", String(40)),
    key("digest", LargeBinary(32)),
)

sessions = Table(
    "staff_sessions",
    metadata,
    partition(),
    key("digest", LargeBinary(32)),
    field("name", String(40), index=True),
    field("stage", String(10)),
    *each(BigInteger, "began_at", "seen_at"),
)

attempts = Table(
    "staff_attempts",
    metadata,
    partition(),
    key("subject", String(10)),
    key("value", String(80)),
    field("failures", Integer),
    *each(BigInteger, "last_at", "until"),
)

audit = Table(
    "staff_audit",
    metadata,
    partition(),
    key("number", BigInteger),
    field("at", BigInteger),
    field("who", String(60)),
    field("address", String(80)),
    field("action", String(40)),
    field("subject", String(140)),
    field("detail", Text),
    *each(LargeBinary(32), "previous", "digest"),
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
