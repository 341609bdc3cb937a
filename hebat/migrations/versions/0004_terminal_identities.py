"""Terminals' certificates over time, invitations, and what each terminal moves in a day."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0006"


def upgrade() -> None:
    """Create them; a terminal's one certificate becomes its first."""
    _terminal_certificates()
    _invitations()
    _terminal_days()
    op.add_column(
        "batches", sa.Column("last_occurred_at", sa.BigInteger(), nullable=False, server_default="0")
    )
    op.execute(
        'INSERT INTO terminal_certificates ("partition", terminal, ordinal, certificate) '
        'SELECT "partition", terminal, 1, certificate FROM terminals'
    )


def downgrade() -> None:
    """Drop them; for an empty ledger only."""
    op.drop_column("batches", "last_occurred_at")
    op.drop_table("terminal_days")
    op.drop_table("invitations")
    op.drop_table("terminal_certificates")


def _terminal_certificates() -> None:
    op.create_table(
        "terminal_certificates",
        sa.Column("partition", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("terminal", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("ordinal", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("certificate", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("partition", "terminal", "ordinal"),
    )


def _invitations() -> None:
    op.create_table(
        "invitations",
        sa.Column("partition", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("terminal", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("digest", sa.LargeBinary(length=32), nullable=False),
        sa.Column("role", sa.String(length=16), nullable=False),
        sa.Column("owner", sa.BigInteger(), nullable=False),
        sa.Column("rights", sa.LargeBinary(), nullable=False),
        sa.Column("invited_at", sa.BigInteger(), nullable=False),
        sa.Column("expires_at", sa.BigInteger(), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("used_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("partition", "terminal"),
    )


def _terminal_days() -> None:
    op.create_table(
        "terminal_days",
        sa.Column("partition", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("terminal", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("service_day", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("amount", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("partition", "terminal", "service_day"),
    )
