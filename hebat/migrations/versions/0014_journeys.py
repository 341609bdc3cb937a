"""Rides as the chips signed them, corrections of fares, and how far the batches were read."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0014"
down_revision = "0013"


def upgrade() -> None:
    """Make the journeys' tables; rides of before are read at the first night."""
    op.create_table(
        "rides",
        *(sa.Column(name, sa.BigInteger(), primary_key=True, autoincrement=False) for name in ("partition", "uid", "tmc", "terminal", "sequence")),
        sa.Column("kind", sa.Integer(), nullable=False),
        sa.Column("occurred_at", sa.BigInteger(), nullable=False),
        sa.Column("tmi", sa.LargeBinary(), nullable=False),
        sa.Column("tariff", sa.String(64), nullable=False),
        sa.Column("rules", sa.Text(), nullable=False),
    )  # fmt: skip
    op.create_table(
        "fare_corrections",
        *(sa.Column(name, sa.BigInteger(), primary_key=True, autoincrement=False) for name in ("partition", "uid", "tmc", "ordinal")),
        sa.Column("amount", sa.BigInteger(), nullable=False),
        sa.Column("code", sa.String(64), nullable=False),
        sa.Column("corrected_at", sa.BigInteger(), nullable=False),
    )  # fmt: skip
    op.create_table(
        "journeys_read",
        sa.Column("partition", sa.BigInteger(), primary_key=True, autoincrement=False),
        sa.Column("block", sa.BigInteger(), nullable=False),
    )


def downgrade() -> None:
    """Forget them."""
    for name in ("journeys_read", "fare_corrections", "rides"):
        op.drop_table(name)
