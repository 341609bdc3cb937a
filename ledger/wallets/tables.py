"""Tables of wallets: transfers on their way and what became of them, bills that were paid by QR, payments in bulk, loads onto cards."""

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

loads = Table(
    "wallet_loads",
    metadata,
    partition(),
    key("uid", BigInteger),
    key("ordinal", Integer),
    *each(BigInteger, "amount", "hold", "ordered_at", "expires_at", "ended_at"),
    field("automatic", Integer),
    field("fate", String(10)),
    Index("wallet_loads_by_end", "ended_at"),
)
"""Loads ordered from wallets; `ended_at` is 0 while one waits."""

standing = Table(
    "wallet_standing",
    metadata,
    partition(),
    key("uid", BigInteger),
    *each(BigInteger, "below", "amount", "daily", "set_at"),
)
"""What holders ordered once and for all: so much, each time that the card holds less; an amount of 0 is no order."""

orders = Table(
    "wallet_orders",
    metadata,
    partition(),
    key("hold", BigInteger),
    field("client", String(64)),
    *each(BigInteger, "debit", "credit", "amount", "expires_at"),
    Index("wallet_orders_by_hold", "hold"),
)
"""Transfers that were ordered and wait to be confirmed, or were."""
