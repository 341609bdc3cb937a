"""The issuers' net and the service days of a settled window; references that go from bank to bank."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0021"
down_revision = "0020"


def upgrade() -> None:
    """Make the tables; windows that were settled before have neither."""
    op.create_table(
        "settlement_nets",
        *(sa.Column(name, sa.Integer(), primary_key=True, autoincrement=False) for name in ("partition", "business_date", "bank")),
        *(sa.Column(name, sa.BigInteger(), nullable=False) for name in ("owed", "owes", "net")),
        sa.CheckConstraint("net = owed - owes", name="settlement_nets_add_up"),
    )  # fmt: skip
    op.create_table(
        "settlement_days",
        *(sa.Column(name, sa.Integer(), primary_key=True, autoincrement=False) for name in ("partition", "business_date", "service_day", "kind")),
        *(sa.Column(name, sa.BigInteger(), nullable=False) for name in ("transfers", "amount")),
    )  # fmt: skip
    op.add_column(
        "settlement_items", sa.Column("end_to_end", sa.String(35), nullable=False, server_default="")
    )


def downgrade() -> None:
    """Forget them."""
    op.drop_column("settlement_items", "end_to_end")
    for name in ("settlement_days", "settlement_nets"):
        op.drop_table(name)
