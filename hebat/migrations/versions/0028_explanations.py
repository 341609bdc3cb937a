"""What people found out about quarantined records and exceptions; breaks and suggestions are found by line and item, and added up by age."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0028"
down_revision = "0027"
_TABLE = "intake_explanations"
_NEVER = "an explanation is never changed"
_GUARDS = {
    "sqlite": [
        f"CREATE TRIGGER {_TABLE}_no_{act} BEFORE {act} ON {_TABLE} BEGIN SELECT RAISE(ABORT, '{_NEVER}'); END"
        for act in ("update", "delete")
    ],
    "postgresql": [
        f"CREATE FUNCTION {_TABLE}_kept() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION '{_NEVER}'; END $$",
        f"CREATE TRIGGER {_TABLE}_kept BEFORE UPDATE OR DELETE ON {_TABLE} FOR EACH ROW EXECUTE FUNCTION {_TABLE}_kept()",
    ],
}
_PLACES = (
    ("settlement_breaks_sizes", "settlement_breaks", ["partition", "closed_night", "since", "difference"]),
    ("settlement_breaks_by_line", "settlement_breaks", ["partition", "sha256", "statement", "line"]),
    ("settlement_breaks_by_reference", "settlement_breaks", ["partition", "reference"]),
    (
        "settlement_suggestions_by_line",
        "settlement_suggestions",
        ["partition", "sha256", "statement", "line"],
    ),
)


def upgrade() -> None:
    """Make the table and the indexes; nothing was explained before."""
    for name, table, columns in _PLACES:
        op.create_index(name, table, columns)
    op.create_table(
        _TABLE,
        sa.Column("partition", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("source", sa.String(12), primary_key=True),
        sa.Column("key", sa.String(120), primary_key=True),
        sa.Column("who", sa.String(64), nullable=False),
        sa.Column("at", sa.BigInteger, nullable=False),
        sa.Column("why", sa.Text, nullable=False),
    )
    for statement in _GUARDS[op.get_bind().dialect.name]:
        op.execute(statement)


def downgrade() -> None:
    """Forget them."""
    for name, table, _ in _PLACES:
        op.drop_index(name, table)
    op.drop_table(_TABLE)
    if op.get_bind().dialect.name == "postgresql":
        op.execute(f"DROP FUNCTION {_TABLE}_kept()")
