"""Wallets: transfers between partitions, what arrived of them, bills paid by QR, payments in bulk."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0026"
down_revision = "0025"


def _key(name: str, kind: sa.types.TypeEngine[Any]) -> sa.Column[Any]:
    return sa.Column(name, kind, primary_key=True, autoincrement=False)


def upgrade() -> None:
    """Make the tables; wallets had no transfers before."""
    op.create_table(
        "wallet_transfers",
        _key("partition", sa.Integer()),
        _key("reference", sa.String(64)),
        *(sa.Column(name, sa.BigInteger(), nullable=False) for name in ("debit", "credit", "amount", "hold", "changed_at")),
        sa.Column("state", sa.String(10), nullable=False),
        sa.Column("result", sa.Integer(), nullable=False),
        sa.CheckConstraint("state IN ('held', 'done', 'failed')", name="wallet_transfers_state"),
    )  # fmt: skip
    op.create_index("wallet_transfers_by_state", "wallet_transfers", ["state"])
    op.create_table(
        "wallet_arrivals",
        _key("partition", sa.Integer()),
        _key("reference", sa.String(64)),
        _key("source", sa.Integer()),
        sa.Column("result", sa.Integer(), nullable=False),
        sa.Column("position", sa.BigInteger(), nullable=False),
    )
    op.create_table(
        "wallet_bills",
        _key("partition", sa.Integer()),
        _key("code", sa.LargeBinary(32)),
        sa.Column("debit", sa.BigInteger(), nullable=False),
        sa.Column("position", sa.BigInteger(), nullable=False),
    )
    op.create_table(
        "wallet_bulk",
        _key("partition", sa.Integer()),
        _key("file", sa.LargeBinary(32)),
        _key("part", sa.Integer()),
        sa.Column("results", sa.LargeBinary(), nullable=False),
    )


def downgrade() -> None:
    """Forget them."""
    for name in ("wallet_bulk", "wallet_bills", "wallet_arrivals", "wallet_transfers"):
        op.drop_table(name)
