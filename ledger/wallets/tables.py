"""Tables of wallets: transfers on their way and what became of them, bills that were paid by QR, payments in bulk."""

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


transfers = Table(
    "wallet_transfers",
    metadata,
    partition(),
    key("reference", String(64)),
    *each(BigInteger, "debit", "credit", "amount"),
    field("state", String(10)),
    field("result", Integer),
    *each(BigInteger, "hold", "changed_at"),
    CheckConstraint("state IN ('held', 'done', 'failed')", name="wallet_transfers_state"),
    Index("wallet_transfers_by_state", "state"),
)

arrivals = Table(
    "wallet_arrivals",
    metadata,
    partition(),
    key("reference", String(64)),
    key("source", Integer),
    field("result", Integer),
    field("position", BigInteger),
)

bills = Table(
    "wallet_bills",
    metadata,
    partition(),
    key("code", LargeBinary(32)),
    *each(BigInteger, "debit", "position"),
)

bulk = Table(
    "wallet_bulk",
    metadata,
    partition(),
    key("file", LargeBinary(32)),
    key("part", Integer),
    field("results", LargeBinary),
)
