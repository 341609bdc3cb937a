"""Tables of what is asked of banks: payments and how far each is, external ids that were taken, what banks told. Partition 0 throughout."""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
)

from ledger.schema import each, field, key, partition

metadata = MetaData()


payments = Table(
    "bank_payments",
    metadata,
    partition(),
    key("reference", String(64)),
    field("bank", String(20)),
    field("service", Integer),
    field("amount", BigInteger),
    field("source", String(128)),
    field("beneficiary", String(34)),
    field("beneficiary_bank", String(8)),
    field("beneficiary_name", String(100)),
    field("text", String(50)),
    *each(BigInteger, "debit", "credit"),
    field("kind", Integer),
    field("state", String(10)),
    field("hold", BigInteger),
    field("external_id", String(36)),
    field("attempts", Integer),
    field("sent_at", BigInteger),
    field("code", String(7)),
    field("bank_reference", String(64)),
    *each(BigInteger, "created_at", "changed_at"),
    CheckConstraint("amount > 0", name="bank_payments_amount"),
    CheckConstraint("state IN ('planned', 'sent', 'unknown', 'done', 'failed')", name="bank_payments_state"),
    Index("bank_payments_by_state", "partition", "state"),
)

sequences = Table(
    "bank_sequences",
    metadata,
    partition(),
    key("bank", String(20)),
    key("day", Integer),
    field("taken", BigInteger),
)

notifications = Table(
    "bank_notifications",
    metadata,
    partition(),
    key("bank", String(20)),
    key("request", String(128)),
    field("external_id", String(36)),
    field("day", Integer),
    *each(BigInteger, "received_at", "amount"),
    field("account", String(28)),
    field("position", BigInteger),
    field("body", LargeBinary),
    Index("bank_notifications_by_id", "partition", "bank", "day", "external_id"),
)
