"""Business dates whose transfers and documents lie in files."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0019"
down_revision = "0018"

_NUMBERS = ("first_block", "last_block", "first_position", "last_position", "documents")


def upgrade() -> None:
    """Make the table; nothing is in the archive yet."""
    op.create_table(
        "archives",
        sa.Column("partition", sa.Integer(), primary_key=True, autoincrement=False),
        sa.Column("business_date", sa.Integer(), primary_key=True, autoincrement=False),
        *(sa.Column(name, sa.BigInteger(), nullable=False) for name in _NUMBERS),
        sa.Column("place", sa.Text(), nullable=False),
        sa.Column("name", sa.String(80), nullable=False),
        sa.Column("manifest", sa.LargeBinary(32), nullable=False),
        sa.Column("archived_at", sa.BigInteger(), nullable=False),
    )
    op.execute("UPDATE meta SET value = 3 WHERE name = 'schema'")


def downgrade() -> None:
    """Forget it; only where nothing is in the archive."""
    if op.get_bind().execute(sa.text("SELECT COUNT(*) FROM archives")).scalar():
        raise RuntimeError("business dates lie in the archive: only this schema knows where")
    op.drop_table("archives")
    op.execute("UPDATE meta SET value = 2 WHERE name = 'schema'")
