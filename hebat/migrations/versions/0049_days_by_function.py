"""Signed documents of closed windows stay; on PostgreSQL business dates begin and close by functions of the owner, so that a server need not own the journal."""

from __future__ import annotations

from alembic import op

revision = "0049"
down_revision = "0029"

_OPEN = (
    "DECLARE name text := ''transfers_'' || to_char(DATE ''1970-01-01'' + day::int, ''YYYYMMDD''); BEGIN "
    "IF to_regclass(name) IS NULL THEN "
    "EXECUTE ''CREATE TABLE '' || name || '' (LIKE transfers INCLUDING DEFAULTS INCLUDING CONSTRAINTS)''; "
    "EXECUTE ''ALTER TABLE transfers ATTACH PARTITION '' || name || "
    "'' FOR VALUES FROM ('' || day || '') TO ('' || day + 1 || '')''; END IF; END"
)
_SEAL = (
    "DECLARE name text; BEGIN FOR name IN SELECT c.relname FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid "
    "WHERE i.inhparent = to_regclass(''transfers'') AND c.relname <= last "
    "AND NOT EXISTS (SELECT 1 FROM pg_trigger t WHERE t.tgrelid = c.oid AND t.tgname = ''day_is_closed'') ORDER BY c.relname "
    "LOOP EXECUTE ''CREATE TRIGGER day_is_closed BEFORE INSERT ON '' || name || "
    "'' FOR EACH ROW EXECUTE FUNCTION ledger_refuse()''; END LOOP; END"
)
_FUNCTIONS = (("ledger_open_day", "day bigint", _OPEN), ("ledger_seal_days", "last text", _SEAL))
_TOLD = "a closed window is never changed"
_DOCUMENT = (
    "EXISTS (SELECT 1 FROM blocks WHERE partition = 0 AND block = OLD.block "
    "AND business_date <= (SELECT max(business_date) FROM windows WHERE partition = 0))"
)
_NOT_MOVED = (
    "NOT EXISTS (SELECT 1 FROM archives WHERE partition = 0 AND OLD.block BETWEEN first_block AND last_block)"
)
_EMPTIED = ("transfers", "blocks", "documents", "windows")


def upgrade() -> None:
    """Make guards and functions."""
    if op.get_bind().dialect.name == "sqlite":
        for name, verb, condition in (
            ("documents_stay", "UPDATE", _DOCUMENT),
            ("documents_stay_in", "DELETE", f"{_DOCUMENT} AND {_NOT_MOVED}"),
        ):
            op.execute(
                f"CREATE TRIGGER {name} BEFORE {verb} ON documents WHEN {condition} BEGIN SELECT RAISE(ABORT, '{_TOLD}'); END"
            )
        return
    op.execute(
        "CREATE FUNCTION ledger_refuse_document() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN "
        f"IF {_DOCUMENT} AND (TG_OP = ''UPDATE'' OR {_NOT_MOVED}) THEN RAISE EXCEPTION ''{_TOLD}''; END IF; "
        "IF TG_OP = ''DELETE'' THEN RETURN OLD; END IF; RETURN NEW; END'"
    )
    op.execute(
        "CREATE TRIGGER documents_stay BEFORE UPDATE OR DELETE ON documents FOR EACH ROW EXECUTE FUNCTION ledger_refuse_document()"
    )
    for table in _EMPTIED:
        op.execute(
            f"CREATE TRIGGER {table}_stay_full BEFORE TRUNCATE ON {table} FOR EACH STATEMENT EXECUTE FUNCTION ledger_refuse()"
        )
    for name, argument, body in _FUNCTIONS:
        made = f"{name}({argument})"
        head = f"CREATE OR REPLACE FUNCTION {made} RETURNS void LANGUAGE plpgsql SECURITY DEFINER SET search_path = "
        text = f"{head}' || quote_ident(current_schema()) || ', pg_temp AS ' || quote_literal('{body}')"
        op.get_bind().exec_driver_sql(
            f"DO $do$ BEGIN EXECUTE '{text}; EXECUTE 'REVOKE ALL ON FUNCTION {made} FROM PUBLIC'; END $do$"
        )


def downgrade() -> None:
    """Take them away."""
    if op.get_bind().dialect.name == "sqlite":
        for name in ("documents_stay", "documents_stay_in"):
            op.execute(f"DROP TRIGGER {name}")
        return
    op.execute("DROP TRIGGER documents_stay ON documents")
    op.execute("DROP FUNCTION ledger_refuse_document()")
    for table in _EMPTIED:
        op.execute(f"DROP TRIGGER {table}_stay_full ON {table}")
    for name, argument, _ in _FUNCTIONS:
        op.execute(f"DROP FUNCTION {name}({argument.split()[1]})")
