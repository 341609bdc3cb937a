"""PostgreSQL functions by which a role that owns nothing begins and closes the table of a business date.

They do what only an owner may (attach a table, put a trigger on it), and nothing else: they run as their owner (SECURITY DEFINER), look
in their own schema alone, and nobody may call them but roles that were let (`ledger.granting`).
"""

from __future__ import annotations

from typing import Final

OPEN_DAY: Final = "ledger_open_day(bigint)"
SEAL_DAYS: Final = "ledger_seal_days(text)"
FUNCTIONS: Final = (OPEN_DAY, SEAL_DAYS)

_OPEN: Final = (
    "DECLARE name text := ''transfers_'' || to_char(DATE ''1970-01-01'' + day::int, ''YYYYMMDD''); BEGIN "
    "IF to_regclass(name) IS NULL THEN "
    "EXECUTE ''CREATE TABLE '' || name || '' (LIKE transfers INCLUDING DEFAULTS INCLUDING CONSTRAINTS)''; "
    "EXECUTE ''ALTER TABLE '' || name || '' ADD PRIMARY KEY (partition, position) WITH (fillfactor = 100)''; "
    "EXECUTE ''ALTER TABLE transfers ATTACH PARTITION '' || name || "
    "'' FOR VALUES FROM ('' || day || '') TO ('' || day + 1 || '')''; END IF; END"
)
"""Made apart and then attached, which locks nobody out who reads.

The key is the day's own: one of all days would have to have the date in it, and PostgreSQL fills the pages of a key that grows in 64 places
only where an entry is no wider than two 64-bit integers; of wider ones it leaves each page half empty.
"""
_SEAL: Final = (
    "DECLARE name text; BEGIN FOR name IN SELECT c.relname FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid "
    "WHERE i.inhparent = to_regclass(''transfers'') AND c.relname <= last "
    "AND NOT EXISTS (SELECT 1 FROM pg_trigger t WHERE t.tgrelid = c.oid AND t.tgname = ''day_is_closed'') ORDER BY c.relname "
    "LOOP EXECUTE ''CREATE TRIGGER day_is_closed BEFORE INSERT ON '' || name || "
    "'' FOR EACH ROW EXECUTE FUNCTION ledger_refuse()''; END LOOP; END"
)


def _made(name: str, argument: str, body: str) -> str:
    """A function in the schema that is current, which it keeps; others may not call it."""
    arguments = f"{name}({argument})"
    head = f"CREATE OR REPLACE FUNCTION {arguments} RETURNS void LANGUAGE plpgsql SECURITY DEFINER SET search_path = "
    text = f"{head}' || quote_ident(current_schema()) || ', pg_temp AS ' || quote_literal('{body}')"
    return (
        f"DO $do$ BEGIN EXECUTE '{text}; EXECUTE 'REVOKE ALL ON FUNCTION {arguments} FROM PUBLIC'; END $do$"
    )


POSTGRESQL: Final = (
    _made("ledger_open_day", "day bigint", _OPEN),
    _made("ledger_seal_days", "last text", _SEAL),
)
