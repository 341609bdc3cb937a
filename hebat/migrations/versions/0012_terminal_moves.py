"""Rows that are only ever added, in place of sums that every batch rewrote; what was seen of transactions before they came in."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0012"
down_revision = "0011"


def upgrade() -> None:
    """The sums so far stand under block 0, where no batch is. Nothing asked for taps by terminal and sequence: their index goes."""
    op.create_table(
        "terminal_moves",
        *(sa.Column(name, sa.BigInteger(), autoincrement=False, nullable=False) for name in _KEY),
        sa.Column("amount", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint(*_KEY),
    )
    op.execute(
        "INSERT INTO terminal_moves (partition, terminal, service_day, block, ordinal, amount) "
        "SELECT partition, terminal, service_day, 0, 0, amount FROM terminal_days"
    )
    op.drop_table("terminal_days")
    op.create_table(
        "sights",
        *(
            sa.Column(name, sa.BigInteger(), autoincrement=False, nullable=False)
            for name in ("partition", "uid", "tmc")
        ),
        sa.Column("tmv", sa.LargeBinary(8), nullable=False),
        *(
            sa.Column(name, sa.BigInteger(), autoincrement=False, nullable=False)
            for name in ("block", "ordinal")
        ),
        sa.PrimaryKeyConstraint("partition", "uid", "tmc", "tmv", "block", "ordinal"),
    )
    op.drop_index("taps_by_record", "taps")
    if op.get_bind().dialect.name == "postgresql":
        op.execute("ALTER TABLE documents ALTER COLUMN body SET STORAGE EXTERNAL")


def downgrade() -> None:
    """Sums by terminal and day again; what was seen is forgotten."""
    op.create_index("taps_by_record", "taps", ["terminal", "sequence"])
    op.drop_table("sights")
    op.create_table(
        "terminal_days",
        *(sa.Column(name, sa.BigInteger(), autoincrement=False, nullable=False) for name in _KEY[:3]),
        sa.Column("amount", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint(*_KEY[:3]),
    )
    op.execute(
        "INSERT INTO terminal_days (partition, terminal, service_day, amount) "
        "SELECT partition, terminal, service_day, sum(amount) FROM terminal_moves GROUP BY partition, terminal, service_day"
    )
    op.drop_table("terminal_moves")


_KEY = ("partition", "terminal", "service_day", "block", "ordinal")
