"""The table of clients: names, rights, and what is stored of a token, which is never the token."""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, Integer, LargeBinary, MetaData, String, Table

metadata = MetaData()

clients = Table(
    "clients",
    metadata,
    Column("partition", Integer, primary_key=True, autoincrement=False),
    Column("name", String(40), primary_key=True),
    Column("token_digest", LargeBinary(32), nullable=False),
    Column("scopes", String(200), nullable=False),
    Column("party", String(40), nullable=False),
    Column("created_at", BigInteger, nullable=False),
    Column("revoked_at", BigInteger, nullable=False),
)
