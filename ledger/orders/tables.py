"""The table of answers: what was said to each Idempotency-Key, kept until a date."""

from __future__ import annotations

from sqlalchemy import BigInteger, Index, Integer, LargeBinary, MetaData, String, Table

from ledger.schema import field, key, partition

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
