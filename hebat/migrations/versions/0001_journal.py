"""The first tables of the ledger's journal."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None


def upgrade() -> None:
    """Create them."""
    _transfers()
    _blocks()
    _documents()
    _windows()
    _balances()
    _meta()


def downgrade() -> None:
    """Drop them; for an empty ledger only."""
    op.drop_table("meta")
    op.drop_table("balances")
    op.drop_table("windows")
    op.drop_table("documents")
    op.drop_table("blocks")
    op.drop_table("transfers")


def _transfers() -> None:
    op.create_table(
        "transfers",
        sa.Column("partition", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("position", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("debit", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("credit", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("amount", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("kind", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("flags", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("hold", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("occurred_at", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("received_at", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("service_day", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("business_date", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("uid", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("tmc", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("terminal", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("sequence", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.CheckConstraint("amount > 0", name="transfers_amount_positive"),
        sa.CheckConstraint("debit <> credit", name="transfers_two_sides"),
        sa.PrimaryKeyConstraint("partition", "position"),
    )
    op.create_index("transfers_by_card", "transfers", ["partition", "uid", "tmc"], unique=False)
    op.create_index("transfers_by_position", "transfers", ["position"], unique=False)


def _blocks() -> None:
    op.create_table(
        "blocks",
        sa.Column("partition", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("block", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("first_position", sa.BigInteger(), nullable=False),
        sa.Column("rows", sa.Integer(), nullable=False),
        sa.Column("received_at", sa.BigInteger(), nullable=False),
        sa.Column("business_date", sa.Integer(), nullable=False),
        sa.Column("documents", sa.LargeBinary(length=32), nullable=False),
        sa.Column("previous", sa.LargeBinary(length=32), nullable=False),
        sa.Column("digest", sa.LargeBinary(length=32), nullable=False),
        sa.PrimaryKeyConstraint("partition", "block"),
    )


def _documents() -> None:
    op.create_table(
        "documents",
        sa.Column("partition", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("block", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("ordinal", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("body", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("partition", "block", "ordinal"),
    )


def _windows() -> None:
    op.create_table(
        "windows",
        sa.Column("partition", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("business_date", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("closed_at", sa.BigInteger(), nullable=False),
        sa.Column("last_position", sa.BigInteger(), nullable=False),
        sa.Column("head", sa.LargeBinary(length=32), nullable=False),
        sa.PrimaryKeyConstraint("partition", "business_date"),
    )


def _balances() -> None:
    op.create_table(
        "balances",
        sa.Column("partition", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("account", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("debits_posted", sa.BigInteger(), nullable=False),
        sa.Column("credits_posted", sa.BigInteger(), nullable=False),
        sa.Column("debits_pending", sa.BigInteger(), nullable=False),
        sa.Column("credits_pending", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("partition", "account"),
    )


def _meta() -> None:
    op.create_table(
        "meta",
        sa.Column("partition", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("name", sa.String(length=40), nullable=False),
        sa.Column("value", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("partition", "name"),
    )
