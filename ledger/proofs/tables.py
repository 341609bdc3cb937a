"""The proofs' tables. Rows are only ever added: what was once published never changes."""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, Index, Integer, LargeBinary, MetaData, Table

metadata = MetaData()


def _key(name: str, kind: type[Integer] = Integer) -> Column[int]:
    return Column(name, kind, primary_key=True, autoincrement=False)


checkpoints = Table(
    "checkpoints",
    metadata,
    _key("partition"),
    _key("business_date"),
    Column("size", BigInteger, nullable=False),
    Column("moved", BigInteger, nullable=False),
    Column("position", BigInteger, nullable=False),
    Column("signed", LargeBinary, nullable=False),
)
"""`size` and `position` of the signed checkpoint; `moved` of its own leaves stand for money, those after them for free taps."""

checkpoint_salts = Table(
    "checkpoint_salts",
    metadata,
    _key("partition"),
    _key("business_date"),
    Column("secret", LargeBinary(32), nullable=False),
)
"""From which the salts of a business date's leaves come: written before its first leaf, so that all who compute agree."""

proof_tiles = Table(
    "proof_tiles",
    metadata,
    _key("partition"),
    _key("level"),
    _key("number", BigInteger),
    _key("width"),
    Column("first_position", BigInteger, nullable=False),
    Column("hashes", LargeBinary, nullable=False),
    Index("proof_tiles_by_position", "partition", "level", "first_position"),
)
"""Tiles of the tree by how many hashes they had when they were written; `first_position` that of the first leaf (level 0)."""
