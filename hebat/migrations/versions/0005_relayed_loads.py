"""Loads that the ledger runs itself: where each one stands, and which keys a card has."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0003"


def upgrade() -> None:
    """Loads of before are done with; cards of before have the keys that they were issued with."""
    op.add_column("loads", sa.Column("state", sa.String(length=8), nullable=False, server_default="closed"))
    op.add_column("loads", sa.Column("intent", sa.LargeBinary(), nullable=False, server_default=""))
    op.add_column("cards", sa.Column("access_version", sa.Integer(), nullable=False, server_default="0"))


def downgrade() -> None:
    """Forget it again."""
    op.drop_column("cards", "access_version")
    op.drop_column("loads", "intent")
    op.drop_column("loads", "state")
