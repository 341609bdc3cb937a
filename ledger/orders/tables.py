"""The tables of answers (what was said to each Idempotency-Key, kept until a date) and of refunds (which payment each gives back, for good)."""

from __future__ import annotations

from sqlalchemy import BigInteger, Index, Integer, LargeBinary, MetaData, String, Table

from ledger.schema import each, field, key, keys, partition

metadata = MetaData()

order_answers = Table(
    "order_answers",
    metadata,
    partition(),
    key("client", String(40)),
    key("key", String(64)),
    field("fingerprint", LargeBinary(32)),
    field("received_at", BigInteger),
    field("status", Integer),
    field("body", LargeBinary),
    Index("order_answers_by_age", "partition", "received_at"),
)

refunds = Table(
    "wallet_refunds",
    metadata,
    partition(),
    *keys(BigInteger, "payment", "position"),
    *each(BigInteger, "amount"),
    Index("wallet_refunds_by_position", "position"),
)
"""What was given back of payments, by their positions in the journal; the partition is the payment's, `position` the refund's own."""
