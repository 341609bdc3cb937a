"""The table of clients: names, rights, and what is stored of a token, which is never the token."""

from __future__ import annotations

from sqlalchemy import BigInteger, LargeBinary, MetaData, String, Table

from ledger.schema import each, field, key, partition

metadata = MetaData()

clients = Table(
    "clients",
    metadata,
    partition(),
    key("name", String(40)),
    field("token_digest", LargeBinary(32)),
    field("scopes", String(200)),
    field("party", String(40)),
    *each(BigInteger, "created_at", "revoked_at"),
)
