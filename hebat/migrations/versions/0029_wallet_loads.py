"""Loads ordered from wallets onto cards, the standing orders that make them, and transfers that wait to be confirmed."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0029"
down_revision = "0028"


def _numbers(*names: str) -> list[sa.Column[int]]:
    return [sa.Column(name, sa.BigInteger(), nullable=False) for name in names]


def _card() -> list[sa.Column[int]]:
    return [
        sa.Column("partition", sa.Integer(), primary_key=True, autoincrement=False),
        sa.Column("uid", sa.BigInteger(), primary_key=True, autoincrement=False),
    ]


def upgrade() -> None:
    """Make the tables; nobody could order anything before."""
    op.create_table(
        "wallet_loads",
        *_card(),
        sa.Column("ordinal", sa.Integer(), primary_key=True, autoincrement=False),
        *_numbers("amount", "hold", "ordered_at", "expires_at", "ended_at"),
        sa.Column("automatic", sa.Integer(), nullable=False),
        sa.Column("fate", sa.String(10), nullable=False),
    )
    op.create_index("wallet_loads_by_end", "wallet_loads", ["ended_at"])
    op.create_table("wallet_standing", *_card(), *_numbers("below", "amount", "daily", "set_at"))
    op.create_table(
        "wallet_orders",
        sa.Column("partition", sa.Integer(), primary_key=True, autoincrement=False),
        sa.Column("hold", sa.BigInteger(), primary_key=True, autoincrement=False),
        sa.Column("client", sa.String(64), nullable=False),
        *_numbers("debit", "credit", "amount", "expires_at"),
    )
    op.create_index("wallet_orders_by_hold", "wallet_orders", ["hold"])


def downgrade() -> None:
    """Forget them."""
    op.drop_table("wallet_orders")
    op.drop_table("wallet_standing")
    op.drop_table("wallet_loads")
