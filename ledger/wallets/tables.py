"""Tables of wallets: transfers on their way and what became of them, bills that were paid by QR, payments in bulk."""

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


transfers = Table(
    "wallet_transfers",
    metadata,
    _partition(),
    Column("reference", String(64), primary_key=True),
    Column("debit", BigInteger, nullable=False),
    Column("credit", BigInteger, nullable=False),
    Column("amount", BigInteger, nullable=False),
    Column("state", String(10), nullable=False),
    Column("result", Integer, nullable=False),
    Column("hold", BigInteger, nullable=False),
    Column("changed_at", BigInteger, nullable=False),
    CheckConstraint("state IN ('held', 'done', 'failed')", name="wallet_transfers_state"),
    Index("wallet_transfers_by_state", "state"),
)

arrivals = Table(
    "wallet_arrivals",
    metadata,
    _partition(),
    Column("reference", String(64), primary_key=True),
    Column("source", Integer, primary_key=True, autoincrement=False),
    Column("result", Integer, nullable=False),
    Column("position", BigInteger, nullable=False),
)

bills = Table(
    "wallet_bills",
    metadata,
    _partition(),
    Column("code", LargeBinary(32), primary_key=True),
    Column("debit", BigInteger, nullable=False),
    Column("position", BigInteger, nullable=False),
)

bulk = Table(
    "wallet_bulk",
    metadata,
    _partition(),
    Column("file", LargeBinary(32), primary_key=True),
    Column("part", Integer, primary_key=True, autoincrement=False),
    Column("results", LargeBinary, nullable=False),
)
