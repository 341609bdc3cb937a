"""The table of answers: what was said to each Idempotency-Key, kept until a date."""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, Index, Integer, LargeBinary, MetaData, String, Table

metadata = MetaData()

order_answers = Table(
    "order_answers",
    metadata,
    Column("partition", Integer, primary_key=True, autoincrement=False),
    Column("client", String(40), primary_key=True),
    Column("key", String(64), primary_key=True),
    Column("fingerprint", LargeBinary(32), nullable=False),
    Column("received_at", BigInteger, nullable=False),
    Column("status", Integer, nullable=False),
    Column("body", LargeBinary, nullable=False),
    Index("order_answers_by_age", "partition", "received_at"),
)
