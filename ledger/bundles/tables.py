"""The tables of signed bundles and of blocked cards; every primary key starts with `partition`."""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, Integer, LargeBinary, MetaData, String, Table, Text

metadata = MetaData()


def _key(name: str) -> Column[int]:
    return Column(name, BigInteger, primary_key=True, autoincrement=False)


bundles = Table(
    "bundles",
    metadata,
    _key("partition"),
    Column("kind", String(16), primary_key=True),
    _key("number"),
    _key("base"),
    Column("audience", String(16), nullable=False),
    Column("valid_from", BigInteger, nullable=False),
    Column("issued_at", BigInteger, nullable=False),
    Column("body", LargeBinary, nullable=False),
)

card_blocks = Table(
    "card_blocks",
    metadata,
    _key("partition"),
    _key("uid"),
    Column("place", Integer, primary_key=True, autoincrement=False),
    Column("reason", Text, nullable=False),
    Column("blocked_at", BigInteger, nullable=False),
    Column("unblocked_at", BigInteger, nullable=False),
)
