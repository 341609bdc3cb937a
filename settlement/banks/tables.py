"""Tables of what is asked of banks: payments and how far each is, external ids that were taken, what banks told. Partition 0 throughout."""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    Column,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
)

metadata = MetaData()


def _partition() -> Column[int]:
    return Column("partition", Integer, primary_key=True, autoincrement=False)


payments = Table(
    "bank_payments",
    metadata,
    _partition(),
    Column("reference", String(64), primary_key=True),
    Column("bank", String(20), nullable=False),
    Column("service", Integer, nullable=False),
    Column("amount", BigInteger, nullable=False),
    Column("source", String(128), nullable=False),
    Column("beneficiary", String(34), nullable=False),
    Column("beneficiary_bank", String(8), nullable=False),
    Column("beneficiary_name", String(100), nullable=False),
    Column("text", String(50), nullable=False),
    Column("debit", BigInteger, nullable=False),
    Column("credit", BigInteger, nullable=False),
    Column("kind", Integer, nullable=False),
    Column("state", String(10), nullable=False),
    Column("hold", BigInteger, nullable=False),
    Column("external_id", String(36), nullable=False),
    Column("attempts", Integer, nullable=False),
    Column("sent_at", BigInteger, nullable=False),
    Column("code", String(7), nullable=False),
    Column("bank_reference", String(64), nullable=False),
    Column("created_at", BigInteger, nullable=False),
    Column("changed_at", BigInteger, nullable=False),
    CheckConstraint("amount > 0", name="bank_payments_amount"),
    CheckConstraint("state IN ('planned', 'sent', 'unknown', 'done', 'failed')", name="bank_payments_state"),
    Index("bank_payments_by_state", "partition", "state"),
)

sequences = Table(
    "bank_sequences",
    metadata,
    _partition(),
    Column("bank", String(20), primary_key=True),
    Column("day", Integer, primary_key=True, autoincrement=False),
    Column("taken", BigInteger, nullable=False),
)

notifications = Table(
    "bank_notifications",
    metadata,
    _partition(),
    Column("bank", String(20), primary_key=True),
    Column("request", String(128), primary_key=True),
    Column("external_id", String(36), nullable=False),
    Column("day", Integer, nullable=False),
    Column("received_at", BigInteger, nullable=False),
    Column("amount", BigInteger, nullable=False),
    Column("account", String(28), nullable=False),
    Column("position", BigInteger, nullable=False),
    Column("body", LargeBinary, nullable=False),
    Index("bank_notifications_by_id", "partition", "bank", "day", "external_id"),
)
