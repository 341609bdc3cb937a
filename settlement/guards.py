"""Triggers by which the database refuses to change what a window was settled with, or to add to it; as SQL for both databases."""

from __future__ import annotations

from typing import Final

TOLD: Final = "what a window was settled with is never changed"
_KEPT: Final = (
    "settlements", "settlement_positions", "settlement_nets", "settlement_days", "settlement_items", "night_reports",
)  # fmt: skip
_PARTS: Final = ("settlement_positions", "settlement_nets", "settlement_days", "settlement_items")
"""Tables whose rows of a window come before the note that it is settled, and never after it."""
_SETTLED: Final = "EXISTS (SELECT 1 FROM settlements s WHERE s.partition = NEW.partition AND s.business_date = NEW.business_date)"

SQLITE: Final = (
    *(
        f"CREATE TRIGGER IF NOT EXISTS {table}_{name} BEFORE {verb} ON {table} "
        f"BEGIN SELECT RAISE(ABORT, '{TOLD}'); END"
        for table in _KEPT
        for name, verb in (("stay", "UPDATE"), ("stay_in", "DELETE"))
    ),
    *(
        f"CREATE TRIGGER IF NOT EXISTS {table}_stay_out BEFORE INSERT ON {table} WHEN {_SETTLED} "
        f"BEGIN SELECT RAISE(ABORT, '{TOLD}'); END"
        for table in _PARTS
    ),
)
POSTGRESQL: Final = (
    (
        "CREATE OR REPLACE FUNCTION settlement_refuse() RETURNS trigger LANGUAGE plpgsql AS "
        f"'BEGIN RAISE EXCEPTION ''{TOLD}''; END'"
    ),
    (
        "CREATE OR REPLACE FUNCTION settlement_refuse_more() RETURNS trigger LANGUAGE plpgsql AS "
        f"'BEGIN IF {_SETTLED} THEN RAISE EXCEPTION ''{TOLD}''; END IF; RETURN NEW; END'"
    ),
    *(
        f"CREATE OR REPLACE TRIGGER {table}_stay BEFORE UPDATE OR DELETE ON {table} "
        "FOR EACH ROW EXECUTE FUNCTION settlement_refuse()"
        for table in _KEPT
    ),
    *(
        f"CREATE OR REPLACE TRIGGER {table}_stay_out BEFORE INSERT ON {table} "
        "FOR EACH ROW EXECUTE FUNCTION settlement_refuse_more()"
        for table in _PARTS
    ),
)
