"""Payments through banks and how far each is, external ids that were taken, notices of banks."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0023"
down_revision = "0022"


def _partition() -> sa.Column[int]:
    return sa.Column("partition", sa.Integer(), primary_key=True, autoincrement=False)


def upgrade() -> None:
    """Make the tables; nothing was paid host to host before."""
    texts = {
        "bank": 20,
        "source": 128,
        "beneficiary": 34,
        "beneficiary_bank": 8,
        "beneficiary_name": 100,
        "text": 50,
        "state": 10,
    }
    texts |= {"external_id": 36, "code": 7, "bank_reference": 64}
    numbers = ("amount", "debit", "credit", "hold", "sent_at", "created_at", "changed_at")
    op.create_table(
        "bank_payments",
        _partition(),
        sa.Column("reference", sa.String(64), primary_key=True),
        *(sa.Column(name, sa.String(size), nullable=False) for name, size in texts.items()),
        *(sa.Column(name, sa.BigInteger(), nullable=False) for name in numbers),
        *(sa.Column(name, sa.Integer(), nullable=False) for name in ("service", "kind", "attempts")),
        sa.CheckConstraint("amount > 0", name="bank_payments_amount"),
        sa.CheckConstraint("state IN ('planned', 'sent', 'unknown', 'done', 'failed')", name="bank_payments_state"),
    )  # fmt: skip
    op.create_index("bank_payments_by_state", "bank_payments", ["partition", "state"])
    op.create_table(
        "bank_sequences",
        _partition(),
        sa.Column("bank", sa.String(20), primary_key=True),
        sa.Column("day", sa.Integer(), primary_key=True, autoincrement=False),
        sa.Column("taken", sa.BigInteger(), nullable=False),
    )
    op.create_table(
        "bank_notifications",
        _partition(),
        sa.Column("bank", sa.String(20), primary_key=True),
        sa.Column("request", sa.String(128), primary_key=True),
        sa.Column("external_id", sa.String(36), nullable=False),
        sa.Column("day", sa.Integer(), nullable=False),
        *(sa.Column(name, sa.BigInteger(), nullable=False) for name in ("received_at", "amount", "position")),
        sa.Column("account", sa.String(28), nullable=False),
        sa.Column("body", sa.LargeBinary(), nullable=False),
    )  # fmt: skip
    op.create_index(
        "bank_notifications_by_id", "bank_notifications", ["partition", "bank", "day", "external_id"]
    )


def downgrade() -> None:
    """Forget them."""
    for name in ("bank_notifications", "bank_sequences", "bank_payments"):
        op.drop_table(name)
