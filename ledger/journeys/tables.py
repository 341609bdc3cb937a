"""The journeys' tables: taps for rides as the chip signed them, what was corrected, and how far the batches were read."""

from __future__ import annotations

from sqlalchemy import BigInteger, Integer, LargeBinary, MetaData, String, Table, Text

from ledger.schema import field, key, keys

metadata = MetaData()


rides = Table(
    "rides",
    metadata,
    *keys(BigInteger, "partition", "uid", "tmc", "terminal", "sequence"),
    field("kind", Integer),
    field("occurred_at", BigInteger),
    field("tmi", LargeBinary),
    field("tariff", String(64)),
    field("rules", Text),
)
"""Every record of a ride that came in, whether it is in the books yet or not: `taps` says so."""

fare_corrections = Table(
    "fare_corrections",
    metadata,
    *keys(BigInteger, "partition", "uid", "tmc", "ordinal"),
    field("amount", BigInteger),
    field("code", String(64)),
    field("corrected_at", BigInteger),
)
"""What a tap's fare was corrected by, in sen: the highest ordinal holds; each one reversed the one before."""

journeys_read = Table(
    "journeys_read",
    metadata,
    key("partition", BigInteger),
    field("block", BigInteger),
)
"""The last block whose batches were read."""
