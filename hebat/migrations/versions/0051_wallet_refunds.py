"""Which payment each refund to a wallet gives back, so that no more of it is given back than it was."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0051"
down_revision = "0050"


def upgrade() -> None:
    """Make the table, empty: refunds from before named no payment."""
    op.create_table(
        "wallet_refunds",
        sa.Column("partition", sa.Integer(), primary_key=True, autoincrement=False),
        *(
            sa.Column(name, sa.BigInteger(), primary_key=True, autoincrement=False)
            for name in ("payment", "position")
        ),
        sa.Column("amount", sa.BigInteger(), nullable=False),
    )
    op.create_index("wallet_refunds_by_position", "wallet_refunds", ["position"])


def downgrade() -> None:
    """Forget it."""
    op.drop_table("wallet_refunds")
