"""What people found out about quarantined records and exceptions."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "9401"
down_revision = "0026"
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


def upgrade() -> None:
    """Make the table; nothing was explained before."""
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
    op.drop_table(_TABLE)
    if op.get_bind().dialect.name == "postgresql":
        op.execute(f"DROP FUNCTION {_TABLE}_kept()")
