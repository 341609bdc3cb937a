"""Checkpoints with the tree that they sign, and accounts' pages for statements."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"


def upgrade() -> None:
    """Create the tables; checkpoints of windows that are closed already are made when the city is next opened."""
    _proofs()
    _history()
    columns = ["business_date", "partition", "uid", "tmc"]
    free = sa.text("position = 0")
    op.create_index("taps_without_money", "taps", columns, sqlite_where=free, postgresql_where=free)


def downgrade() -> None:
    """Drop them."""
    op.drop_index("taps_without_money", "taps")
    for table in ("history_marks", "account_pages", "proof_tiles", "checkpoint_salts", "checkpoints"):
        op.drop_table(table)


def _proofs() -> None:
    op.create_table(
        "checkpoints",
        sa.Column("partition", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("business_date", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("size", sa.BigInteger(), nullable=False),
        sa.Column("moved", sa.BigInteger(), nullable=False),
        sa.Column("position", sa.BigInteger(), nullable=False),
        sa.Column("signed", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("partition", "business_date"),
    )
    op.create_table(
        "checkpoint_salts",
        sa.Column("partition", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("business_date", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("secret", sa.LargeBinary(length=32), nullable=False),
        sa.PrimaryKeyConstraint("partition", "business_date"),
    )
    op.create_table(
        "proof_tiles",
        sa.Column("partition", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("level", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("number", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("width", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("first_position", sa.BigInteger(), nullable=False),
        sa.Column("hashes", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("partition", "level", "number", "width"),
    )
    op.create_index("proof_tiles_by_position", "proof_tiles", ["partition", "level", "first_position"])


def _history() -> None:
    sums = ("debits_posted", "credits_posted", "debits_pending", "credits_pending")
    op.create_table(
        "account_pages",
        sa.Column("partition", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("account", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("last_position", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("first_position", sa.BigInteger(), nullable=False),
        *(sa.Column(name, sa.BigInteger(), nullable=False) for name in sums),
        sa.Column("positions", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("partition", "account", "last_position"),
    )
    op.create_table(
        "history_marks",
        sa.Column("partition", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("position", sa.BigInteger(), nullable=False),
        sa.Column("reaching", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("partition"),
    )
