"""Reports of nights; closed windows, and what they were settled with, kept by the database itself."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Final

import sqlalchemy as sa
from alembic import op

revision = "0025"
down_revision = "0024"

_CLOSED: Final = "(SELECT max(business_date) FROM windows WHERE partition = 0)"
_OLD: Final = f"OLD.business_date <= {_CLOSED}"
_ARCHIVED: Final = "SELECT 1 FROM archives WHERE partition = 0 AND business_date = OLD.business_date"
_NOT_ARCHIVED: Final = f"{_OLD} AND NOT EXISTS ({_ARCHIVED})"
_NEW: Final = f"NEW.rows > 0 AND NEW.business_date <= {_CLOSED}"
_LEDGER: Final = "a closed window is never changed"
_SETTLEMENT: Final = "what a window was settled with is never changed"
_SETTLED: Final = "EXISTS (SELECT 1 FROM settlements s WHERE s.partition = NEW.partition AND s.business_date = NEW.business_date)"
_KEPT: Final = (
    "settlements", "settlement_positions", "settlement_nets", "settlement_days", "settlement_items", "night_reports",
)  # fmt: skip
_PARTS: Final = ("settlement_positions", "settlement_nets", "settlement_days", "settlement_items")
_TRIGGERS: Final = (
    ("windows_stay", "UPDATE", "windows", "TRUE", _LEDGER),
    ("windows_stay_in", "DELETE", "windows", "TRUE", _LEDGER),
    ("transfers_stay", "UPDATE", "transfers", _OLD, _LEDGER),
    ("transfers_stay_in", "DELETE", "transfers", _NOT_ARCHIVED, _LEDGER),
    ("blocks_stay", "UPDATE", "blocks", _OLD, _LEDGER),
    ("blocks_stay_in", "DELETE", "blocks", _OLD, _LEDGER),
    ("blocks_stay_out", "INSERT", "blocks", _NEW, _LEDGER),
    *((f"{table}_stay", "UPDATE", table, "TRUE", _SETTLEMENT) for table in _KEPT),
    *((f"{table}_stay_in", "DELETE", table, "TRUE", _SETTLEMENT) for table in _KEPT),
    *((f"{table}_stay_out", "INSERT", table, _SETTLED, _SETTLEMENT) for table in _PARTS),
)


def upgrade() -> None:
    """Make the table and the guards."""
    op.create_table(
        "night_reports",
        *(sa.Column(name, sa.Integer(), primary_key=True, autoincrement=False) for name in ("partition", "business_date", "version")),
        sa.Column("sha256", sa.String(64), nullable=False),
        sa.Column("body", sa.LargeBinary(), nullable=False),
    )  # fmt: skip
    if op.get_bind().dialect.name == "sqlite":
        for name, verb, table, condition, told in _TRIGGERS:
            op.execute(
                f"CREATE TRIGGER {name} BEFORE {verb} ON {table} WHEN {condition} BEGIN SELECT RAISE(ABORT, '{told}'); END"
            )
        return
    _functions()
    for table, refuse in (
        ("windows", "ledger_refuse"), ("transfers", "ledger_refuse_closed"), ("blocks", "ledger_refuse_closed"),
        *((table, "settlement_refuse") for table in _KEPT),
    ):  # fmt: skip
        _trigger(f"{table}_stay", "UPDATE OR DELETE", table, refuse)
    _trigger("blocks_stay_out", "INSERT", "blocks", "ledger_refuse_late")
    for table in _PARTS:
        _trigger(f"{table}_stay_out", "INSERT", table, "settlement_refuse_more")
    for table in _closed_days():
        _trigger("day_is_closed", "INSERT", table, "ledger_refuse")


def _functions() -> None:
    for name, condition, told in (
        ("ledger_refuse", "TRUE", _LEDGER), ("ledger_refuse_closed", _OLD, _LEDGER),
        ("ledger_refuse_late", _NEW, _LEDGER), ("settlement_refuse", "TRUE", _SETTLEMENT),
        ("settlement_refuse_more", _SETTLED, _SETTLEMENT),
    ):  # fmt: skip
        op.execute(
            f"CREATE FUNCTION {name}() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN IF {condition} THEN "
            f"RAISE EXCEPTION ''{told}''; END IF; IF TG_OP = ''DELETE'' THEN RETURN OLD; END IF; RETURN NEW; END'"
        )


def _trigger(name: str, verb: str, table: str, function: str) -> None:
    op.execute(f"CREATE TRIGGER {name} BEFORE {verb} ON {table} FOR EACH ROW EXECUTE FUNCTION {function}()")


def _closed_days() -> list[str]:
    """The tables of closed business dates."""
    last = op.get_bind().execute(sa.text("SELECT max(business_date) FROM windows")).scalar()
    if last is None:
        return []
    name = f"transfers_{date(1970, 1, 1) + timedelta(days=last):%Y%m%d}"
    query = sa.text(
        "SELECT c.relname FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid "
        "WHERE i.inhparent = to_regclass('transfers') AND c.relname <= :name ORDER BY c.relname"
    )
    return list(op.get_bind().execute(query, {"name": name}).scalars())


def downgrade() -> None:
    """Take them away."""
    if op.get_bind().dialect.name == "sqlite":
        for name, *_ in _TRIGGERS:
            op.execute(f"DROP TRIGGER {name}")
    else:
        for function in (
            "ledger_refuse", "ledger_refuse_closed", "ledger_refuse_late", "settlement_refuse", "settlement_refuse_more",
        ):  # fmt: skip
            op.execute(f"DROP FUNCTION {function}() CASCADE")
    op.drop_table("night_reports")
