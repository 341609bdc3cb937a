"""The tables of signed bundles and of blocked cards; every primary key starts with `partition`."""

from __future__ import annotations

from sqlalchemy import BigInteger, Integer, LargeBinary, MetaData, String, Table, Text

from ledger.schema import each, field, key, keys

metadata = MetaData()


bundles = Table(
    "bundles",
    metadata,
    key("partition", BigInteger),
    key("kind", String(16)),
    *keys(BigInteger, "number", "base"),
    field("audience", String(16)),
    *each(BigInteger, "valid_from", "issued_at"),
    field("body", LargeBinary),
)

card_blocks = Table(
    "card_blocks",
    metadata,
    *keys(BigInteger, "partition", "uid"),
    key("place", Integer),
    field("reason", Text),
    *each(BigInteger, "blocked_at", "unblocked_at"),
)
