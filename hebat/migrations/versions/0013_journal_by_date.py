"""The journal by business date, without its random indexes; binary snapshots instead of stored balances."""

from __future__ import annotations

from datetime import date, timedelta

import sqlalchemy as sa
from alembic import op

revision = "0013"
down_revision = "0012"

_COLUMNS = (
    "partition", "position", "debit", "credit", "amount", "kind", "flags", "hold", "occurred_at", "received_at",
    "service_day", "business_date", "uid", "tmc", "terminal", "sequence",
)  # fmt: skip


def upgrade() -> None:
    """Carry the journal over into its new table; the next start makes its own snapshot."""
    op.drop_index("transfers_by_position", "transfers")
    op.drop_index("transfers_by_card", "transfers")
    op.rename_table("transfers", "transfers_before")
    if op.get_bind().dialect.name == "postgresql":
        # A constraint keeps its name when its table gets another one.
        op.execute("ALTER TABLE transfers_before DROP CONSTRAINT transfers_pkey")
    _transfers()
    _days()
    names = ", ".join(_COLUMNS)
    op.execute(f"INSERT INTO transfers ({names}) SELECT {names} FROM transfers_before ORDER BY position")  # noqa: S608  our own names
    op.drop_table("transfers_before")
    _snapshots()
    op.drop_table("balances")
    op.execute("DELETE FROM meta WHERE name = 'snapshot'")
    op.execute("UPDATE meta SET value = 2 WHERE name = 'schema'")


def downgrade() -> None:
    """Back to one table with its indexes."""
    op.rename_table("transfers", "transfers_before")
    if op.get_bind().dialect.name == "postgresql":
        op.execute("ALTER TABLE transfers_before DROP CONSTRAINT transfers_pkey")
    _transfers(key=("partition", "position"), by_date=False)
    names = ", ".join(_COLUMNS)
    op.execute(f"INSERT INTO transfers ({names}) SELECT {names} FROM transfers_before ORDER BY position")  # noqa: S608  our own names
    op.drop_table("transfers_before")
    op.create_index("transfers_by_card", "transfers", ["partition", "uid", "tmc"], unique=False)
    op.create_index("transfers_by_position", "transfers", ["position"], unique=False)
    for table in ("snapshot_chunks", "snapshots"):
        op.drop_table(table)
    _balances()
    op.execute("UPDATE meta SET value = 1 WHERE name = 'schema'")


def _balances() -> None:
    sums = ("debits_posted", "credits_posted", "debits_pending", "credits_pending")
    op.create_table(
        "balances",
        sa.Column("partition", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("account", sa.BigInteger(), autoincrement=False, nullable=False),
        *(sa.Column(name, sa.BigInteger(), nullable=False) for name in sums),
        sa.PrimaryKeyConstraint("partition", "account"),
    )


def _transfers(
    key: tuple[str, ...] = ("partition", "position", "business_date"), *, by_date: bool = True
) -> None:
    op.create_table(
        "transfers",
        *(sa.Column(name, sa.BigInteger(), autoincrement=False, nullable=False) for name in _COLUMNS),
        sa.CheckConstraint("amount > 0 OR (amount = 0 AND kind = 12)", name="transfers_amount_positive"),
        sa.CheckConstraint("debit <> credit", name="transfers_two_sides"),
        sa.PrimaryKeyConstraint(*key),
        postgresql_partition_by="RANGE (business_date)" if by_date else None,
    )


def _days() -> None:
    """On PostgreSQL, a table for each business date that there is; later ones come with their first transfer."""
    if op.get_bind().dialect.name != "postgresql":
        return
    days = op.get_bind().execute(sa.text("SELECT DISTINCT business_date FROM transfers_before")).scalars()
    for day in sorted(days):
        name = f"transfers_{date(1970, 1, 1) + timedelta(days=day):%Y%m%d}"
        op.execute(f"CREATE TABLE {name} PARTITION OF transfers FOR VALUES FROM ({day}) TO ({day + 1})")


def _snapshots() -> None:
    op.create_table(
        "snapshots",
        sa.Column("partition", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("position", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("block", sa.BigInteger(), nullable=False),
        sa.Column("taken_at", sa.BigInteger(), nullable=False),
        sa.Column("octets", sa.BigInteger(), nullable=False),
        sa.Column("chunks", sa.Integer(), nullable=False),
        sa.Column("digest", sa.LargeBinary(length=32), nullable=False),
        sa.PrimaryKeyConstraint("partition", "position"),
    )
    op.create_table(
        "snapshot_chunks",
        sa.Column("partition", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("position", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("ordinal", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("body", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("partition", "position", "ordinal"),
    )
