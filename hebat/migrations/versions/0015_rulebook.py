"""The rulebook: what staff decide about bank days, rails, mappings and templates, version by version."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0015"
down_revision = "0014"


def upgrade() -> None:
    """Make its table; nothing is decided yet."""
    op.create_table(
        "settlement_rules",
        sa.Column("partition", sa.Integer(), primary_key=True, autoincrement=False),
        sa.Column("kind", sa.String(30), primary_key=True),
        sa.Column("name", sa.String(60), primary_key=True),
        sa.Column("version", sa.Integer(), primary_key=True, autoincrement=False),
        sa.Column("content", sa.Text(), nullable=False),
        sa.Column("author", sa.String(80), nullable=False),
        sa.Column("reason", sa.String(500), nullable=False),
        sa.Column("made_at", sa.BigInteger(), nullable=False),
    )


def downgrade() -> None:
    """Forget it."""
    op.drop_table("settlement_rules")
