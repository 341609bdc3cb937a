"""The history's tables: derived from the journal, behind it, and made anew from it at any time."""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, Integer, LargeBinary, MetaData, Table

metadata = MetaData()


def _sum(name: str) -> Column[int]:
    return Column(name, BigInteger, nullable=False)


account_pages = Table(
    "account_pages",
    metadata,
    Column("partition", Integer, primary_key=True, autoincrement=False),
    Column("account", BigInteger, primary_key=True, autoincrement=False),
    Column("last_position", BigInteger, primary_key=True, autoincrement=False),
    Column("first_position", BigInteger, nullable=False),
    _sum("debits_posted"),
    _sum("credits_posted"),
    _sum("debits_pending"),
    _sum("credits_pending"),
    Column("positions", LargeBinary, nullable=False),
)
"""Some consecutive lines of one account: their journal positions (8 bytes each, little-endian), and by how much they moved each sum."""

history_marks = Table(
    "history_marks",
    metadata,
    Column("partition", Integer, primary_key=True, autoincrement=False),
    Column("position", BigInteger, nullable=False),
    Column("reaching", BigInteger, nullable=False),
)
"""The position up to which all accounts' lines are in pages, and the one up to which they are being written."""
