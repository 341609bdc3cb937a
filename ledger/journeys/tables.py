"""The journeys' tables: taps for rides as the chip signed them, what was corrected, and how far the batches were read."""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, Integer, LargeBinary, MetaData, String, Table, Text

metadata = MetaData()


def _key(name: str) -> Column[int]:
    return Column(name, BigInteger, primary_key=True, autoincrement=False)


rides = Table(
    "rides",
    metadata,
    _key("partition"),
    _key("uid"),
    _key("tmc"),
    _key("terminal"),
    _key("sequence"),
    Column("kind", Integer, nullable=False),
    Column("occurred_at", BigInteger, nullable=False),
    Column("tmi", LargeBinary, nullable=False),
    Column("tariff", String(64), nullable=False),
    Column("rules", Text, nullable=False),
)
"""Every record of a ride that came in, whether it is in the books yet or not: `taps` says so."""

fare_corrections = Table(
    "fare_corrections",
    metadata,
    _key("partition"),
    _key("uid"),
    _key("tmc"),
    _key("ordinal"),
    Column("amount", BigInteger, nullable=False),
    Column("code", String(64), nullable=False),
    Column("corrected_at", BigInteger, nullable=False),
)
"""What a tap's fare was corrected by, in sen: the highest ordinal holds; each one reversed the one before."""

journeys_read = Table(
    "journeys_read",
    metadata,
    _key("partition"),
    Column("block", BigInteger, nullable=False),
)
"""The last block whose batches were read."""
