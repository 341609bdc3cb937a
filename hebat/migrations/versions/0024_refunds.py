"""Sales that are given back: which sale a relayed credit is about, and why."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0024"
down_revision = "0023"


def upgrade() -> None:
    """What was there before were loads: about no sale."""
    for name in ("sale_terminal", "sale_sequence"):
        op.add_column("loads", sa.Column(name, sa.BigInteger(), nullable=False, server_default="0"))
    op.add_column("loads", sa.Column("reason", sa.Text(), nullable=False, server_default=""))


def downgrade() -> None:
    """Forget it again."""
    for name in ("reason", "sale_sequence", "sale_terminal"):
        op.drop_column("loads", name)
