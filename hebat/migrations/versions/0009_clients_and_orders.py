"""Clients with tokens, and the answers that their Idempotency-Keys stand for."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"


def upgrade() -> None:
    """Create them."""
    op.create_table(
        "clients",
        sa.Column("partition", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("name", sa.String(length=40), nullable=False),
        sa.Column("token_digest", sa.LargeBinary(length=32), nullable=False),
        sa.Column("scopes", sa.String(length=200), nullable=False),
        sa.Column("party", sa.String(length=40), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("revoked_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("partition", "name"),
    )
    op.create_table(
        "order_answers",
        sa.Column("partition", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("client", sa.String(length=40), nullable=False),
        sa.Column("key", sa.String(length=64), nullable=False),
        sa.Column("fingerprint", sa.LargeBinary(length=32), nullable=False),
        sa.Column("received_at", sa.BigInteger(), nullable=False),
        sa.Column("status", sa.Integer(), nullable=False),
        sa.Column("body", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("partition", "client", "key"),
    )
    op.create_index("order_answers_by_age", "order_answers", ["partition", "received_at"])


def downgrade() -> None:
    """Drop them."""
    for name in ("order_answers", "clients"):
        op.drop_table(name)
