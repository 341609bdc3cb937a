"""The proofs' tables. Rows are only ever added: what was once published never changes."""

from __future__ import annotations

from sqlalchemy import BigInteger, Index, Integer, LargeBinary, MetaData, Table

from ledger.schema import each, field, key, partition

metadata = MetaData()


checkpoints = Table(
    "checkpoints",
    metadata,
    partition(),
    key("business_date", Integer),
    *each(BigInteger, "size", "moved", "position"),
    field("signed", LargeBinary),
)
"""`size` and `position` of the signed checkpoint; `moved` of its own leaves stand for money, those after them for free taps."""

checkpoint_salts = Table(
    "checkpoint_salts",
    metadata,
    partition(),
    key("business_date", Integer),
    field("secret", LargeBinary(32)),
)
"""From which the salts of a business date's leaves come: written before its first leaf, so that all who compute agree."""

proof_tiles = Table(
    "proof_tiles",
    metadata,
    partition(),
    key("level", Integer),
    key("number", BigInteger),
    key("width", Integer),
    field("first_position", BigInteger),
    field("hashes", LargeBinary),
    Index("proof_tiles_by_position", "partition", "level", "first_position"),
)
"""Tiles of the tree by how many hashes they had when they were written; `first_position` that of the first leaf (level 0)."""
