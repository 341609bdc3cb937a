"""Rows that change an account's rules move nothing: the one kind whose amount is 0."""

from __future__ import annotations

from alembic import op

revision = "0011"
down_revision = "0010"
_NAME = "transfers_amount_positive"


def upgrade() -> None:
    """Let them in."""
    _check("amount > 0 OR (amount = 0 AND kind = 12)")


def downgrade() -> None:
    """Refuse them again; for a journal without any."""
    _check("amount > 0")


def _check(condition: str) -> None:
    with op.batch_alter_table("transfers") as table:
        table.drop_constraint(_NAME, type_="check")
        table.create_check_constraint(_NAME, condition)
