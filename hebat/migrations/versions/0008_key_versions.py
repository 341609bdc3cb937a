"""Which version each of a card's keys has, and which ones are on their way to it."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"


def upgrade() -> None:
    """Cards of before have every key of the version that they were issued with."""
    for name in ("key_versions", "coming_versions"):
        op.add_column("cards", sa.Column(name, sa.String(length=20), nullable=False, server_default=""))
    op.drop_column("cards", "access_version")


def downgrade() -> None:
    """Forget it again."""
    op.add_column("cards", sa.Column("access_version", sa.Integer(), nullable=False, server_default="0"))
    for name in ("coming_versions", "key_versions"):
        op.drop_column("cards", name)
