"""Who made and who released a payment file, the banks' reports on them, and what became of each payment."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0022"
down_revision = "0021"


def upgrade() -> None:
    """Make the tables. Files of before went out without a release: none is recorded for them."""
    op.create_table(
        "payment_releases",
        sa.Column("partition", sa.Integer(), primary_key=True, autoincrement=False),
        sa.Column("business_date", sa.Integer(), primary_key=True, autoincrement=False),
        sa.Column("bank", sa.Integer(), primary_key=True, autoincrement=False),
        sa.Column("sha256", sa.String(64), nullable=False),
        sa.Column("made_by", sa.String(80), nullable=False),
        sa.Column("made_at", sa.BigInteger(), nullable=False),
        sa.Column("released_by", sa.String(80), nullable=False),
        sa.Column("released_at", sa.BigInteger(), nullable=True),
        sa.CheckConstraint("made_by <> released_by", name="payment_releases_need_four_eyes"),
    )
    op.create_table(
        "payment_reports",
        sa.Column("partition", sa.Integer(), primary_key=True, autoincrement=False),
        sa.Column("sha256", sa.String(64), primary_key=True),
        sa.Column("name", sa.String(255), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("line", sa.Integer(), nullable=False),
        sa.Column("taken_at", sa.BigInteger(), nullable=False),
        sa.Column("content", sa.LargeBinary(), nullable=False),
    )
    op.create_table(
        "payment_outcomes",
        sa.Column("partition", sa.Integer(), primary_key=True, autoincrement=False),
        sa.Column("reference", sa.String(35), primary_key=True),
        sa.Column("status", sa.String(20), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("sha256", sa.String(64), nullable=False),
    )


def downgrade() -> None:
    """Forget them."""
    for name in ("payment_outcomes", "payment_reports", "payment_releases"):
        op.drop_table(name)
