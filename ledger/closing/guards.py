"""Triggers by which the database refuses to change what is in a closed window, or to put more in; as SQL.

Rows, blocks and signed documents of a closed business date, and the note that it is closed, can be neither changed nor taken out; rows
and documents go only once the same transaction has noted in which archive they are (`ledger.archive`). On PostgreSQL none of these tables can be emptied. More cannot get in: no
block with rows of such a date, and on PostgreSQL no row into a closed date's own table. On SQLite rows are not looked at one by one as
they come, which would cost every transfer a third of its time; but none comes without its block.
"""

from __future__ import annotations

from typing import Final

TOLD: Final = "a closed window is never changed"
_CLOSED: Final = "(SELECT max(business_date) FROM windows WHERE partition = 0)"
_OLD: Final = f"OLD.business_date <= {_CLOSED}"
_ARCHIVED: Final = "SELECT 1 FROM archives WHERE partition = 0 AND business_date = OLD.business_date"
_NOT_ARCHIVED: Final = f"{_OLD} AND NOT EXISTS ({_ARCHIVED})"
_DOCUMENT: Final = (
    f"EXISTS (SELECT 1 FROM blocks WHERE partition = 0 AND block = OLD.block AND business_date <= {_CLOSED})"  # noqa: S608  our own names
)
_NOT_MOVED: Final = (
    "NOT EXISTS (SELECT 1 FROM archives WHERE partition = 0 AND OLD.block BETWEEN first_block AND last_block)"
)
_NEW: Final = f"NEW.rows > 0 AND NEW.business_date <= {_CLOSED}"

_SQLITE: Final = (
    ("windows_stay", "UPDATE", "windows", ""),
    ("windows_stay_in", "DELETE", "windows", ""),
    ("transfers_stay", "UPDATE", "transfers", f"WHEN {_OLD}"),
    ("transfers_stay_in", "DELETE", "transfers", f"WHEN {_NOT_ARCHIVED}"),
    ("blocks_stay", "UPDATE", "blocks", f"WHEN {_OLD}"),
    ("blocks_stay_in", "DELETE", "blocks", f"WHEN {_OLD}"),
    ("blocks_stay_out", "INSERT", "blocks", f"WHEN {_NEW}"),
    ("documents_stay", "UPDATE", "documents", f"WHEN {_DOCUMENT}"),
    ("documents_stay_in", "DELETE", "documents", f"WHEN {_DOCUMENT} AND {_NOT_MOVED}"),
)
SQLITE: Final = tuple(
    f"CREATE TRIGGER IF NOT EXISTS {name} BEFORE {verb} ON {table} {when} BEGIN SELECT RAISE(ABORT, '{TOLD}'); END"
    for name, verb, table, when in _SQLITE
)


def _function(name: str, condition: str) -> str:
    """A trigger's function that refuses where a condition holds."""
    return (
        f"CREATE OR REPLACE FUNCTION {name}() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN "
        f"IF {condition} THEN RAISE EXCEPTION ''{TOLD}''; END IF; "
        "IF TG_OP = ''DELETE'' THEN RETURN OLD; END IF; RETURN NEW; END'"
    )


POSTGRESQL: Final = (
    _function("ledger_refuse", "TRUE"),
    _function("ledger_refuse_closed", _OLD),
    _function("ledger_refuse_late", _NEW),
    _function("ledger_refuse_document", f"{_DOCUMENT} AND (TG_OP = ''UPDATE'' OR {_NOT_MOVED})"),
    "CREATE OR REPLACE TRIGGER windows_stay BEFORE UPDATE OR DELETE ON windows FOR EACH ROW EXECUTE FUNCTION ledger_refuse()",
    "CREATE OR REPLACE TRIGGER transfers_stay BEFORE UPDATE OR DELETE ON transfers FOR EACH ROW EXECUTE FUNCTION ledger_refuse_closed()",
    "CREATE OR REPLACE TRIGGER blocks_stay BEFORE UPDATE OR DELETE ON blocks FOR EACH ROW EXECUTE FUNCTION ledger_refuse_closed()",
    "CREATE OR REPLACE TRIGGER blocks_stay_out BEFORE INSERT ON blocks FOR EACH ROW EXECUTE FUNCTION ledger_refuse_late()",
    "CREATE OR REPLACE TRIGGER documents_stay BEFORE UPDATE OR DELETE ON documents FOR EACH ROW EXECUTE FUNCTION ledger_refuse_document()",
    *(
        f"CREATE OR REPLACE TRIGGER {table}_stay_full BEFORE TRUNCATE ON {table} FOR EACH STATEMENT EXECUTE FUNCTION ledger_refuse()"
        for table in ("transfers", "blocks", "documents", "windows")
    ),
)
