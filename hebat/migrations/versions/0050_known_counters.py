"""Up to which counter nothing is missing of a card, so that a night reads on from there."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0050"
down_revision = "0049"


def upgrade() -> None:
    """Make the table, empty: the first night afterwards reads cards' counters whole."""
    op.create_table(
        "known_counters",
        sa.Column("partition", sa.BigInteger(), primary_key=True, autoincrement=False),
        sa.Column("uid", sa.BigInteger(), primary_key=True, autoincrement=False),
        *(sa.Column(name, sa.BigInteger(), nullable=False) for name in ("first", "tmc")),
        sa.Column("business_date", sa.Integer(), nullable=False),
    )


def downgrade() -> None:
    """Forget it."""
    op.drop_table("known_counters")
