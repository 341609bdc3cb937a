"""Statement files say how they were read and what was mended; statements keep their bank's own number."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0018"
down_revision = "0017"


def upgrade() -> None:
    """Add the columns; of files that came before nothing is told."""
    op.add_column("statement_files", sa.Column("format", sa.String(80), nullable=False, server_default=""))
    op.add_column("statement_files", sa.Column("remarks", sa.Text(), nullable=False, server_default="[]"))
    op.add_column("statements", sa.Column("sequence", sa.Integer(), nullable=True))


def downgrade() -> None:
    """Drop them."""
    op.drop_column("statements", "sequence")
    op.drop_column("statement_files", "remarks")
    op.drop_column("statement_files", "format")
