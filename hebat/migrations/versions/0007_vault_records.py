"""What the ledger remembers of the city's vaults."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0004"


def upgrade() -> None:
    """Create the table; a vault is known from the first time that it is opened."""
    op.create_table(
        "vault_records",
        sa.Column("partition", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("name", sa.String(length=200), nullable=False),
        sa.Column("generation", sa.BigInteger(), nullable=False),
        sa.Column("digest", sa.LargeBinary(length=32), nullable=False),
        sa.PrimaryKeyConstraint("partition", "name"),
    )


def downgrade() -> None:
    """Drop it."""
    op.drop_table("vault_records")
