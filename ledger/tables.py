"""The ledger's tables. Every primary key starts with `partition`; the database itself enforces what it can (DESIGN section 6)."""

from __future__ import annotations

from typing import Final

from sqlalchemy import (
    DDL,
    BigInteger,
    CheckConstraint,
    Column,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    Text,
    event,
)

from ledger.closing import guards
from ledger.transfer import ROW

SCHEMA_VERSION: Final = 3
WHOLE: Final = 0
"""The partition of what belongs to the whole journal of this process: blocks, documents, windows."""

metadata = MetaData()

_KEY = {"partition", "position", "business_date"}

transfers = Table(
    "transfers",
    metadata,
    *(
        Column(name, BigInteger, primary_key=name in _KEY, autoincrement=False, nullable=False)
        for name in ROW.names or ()
    ),
    # A change of an account's rules moves nothing; everything else moves something.
    CheckConstraint("amount > 0 OR (amount = 0 AND kind = 12)", name="transfers_amount_positive"),
    CheckConstraint("debit <> credit", name="transfers_two_sides"),
    # PostgreSQL keeps each business date in a table of its own: an old one is detached and archived whole.
    postgresql_partition_by="RANGE (business_date)",
)

blocks = Table(
    "blocks",
    metadata,
    Column("partition", Integer, primary_key=True, autoincrement=False),
    Column("block", BigInteger, primary_key=True, autoincrement=False),
    Column("first_position", BigInteger, nullable=False),
    Column("rows", Integer, nullable=False),
    Column("received_at", BigInteger, nullable=False),
    Column("business_date", Integer, nullable=False),
    Column("documents", LargeBinary(32), nullable=False),
    Column("previous", LargeBinary(32), nullable=False),
    Column("digest", LargeBinary(32), nullable=False),
)

documents = Table(
    "documents",
    metadata,
    Column("partition", Integer, primary_key=True, autoincrement=False),
    Column("block", BigInteger, primary_key=True, autoincrement=False),
    Column("ordinal", Integer, primary_key=True, autoincrement=False),
    Column("body", LargeBinary, nullable=False),
)

# Signed bytes are as good as random: PostgreSQL would try in vain to compress each document before it stores it.
event.listen(
    documents,
    "after_create",
    DDL("ALTER TABLE documents ALTER COLUMN body SET STORAGE EXTERNAL").execute_if(dialect="postgresql"),  # type: ignore[no-untyped-call]
)

windows = Table(
    "windows",
    metadata,
    Column("partition", Integer, primary_key=True, autoincrement=False),
    Column("business_date", Integer, primary_key=True, autoincrement=False),
    Column("closed_at", BigInteger, nullable=False),
    Column("last_position", BigInteger, nullable=False),
    Column("head", LargeBinary(32), nullable=False),
)

archives = Table(
    "archives",
    metadata,
    Column("partition", Integer, primary_key=True, autoincrement=False),
    Column("business_date", Integer, primary_key=True, autoincrement=False),
    Column("first_block", BigInteger, nullable=False),
    Column("last_block", BigInteger, nullable=False),
    Column("first_position", BigInteger, nullable=False),
    Column("last_position", BigInteger, nullable=False),
    Column("documents", BigInteger, nullable=False),
    Column("place", Text, nullable=False),
    Column("name", String(80), nullable=False),
    Column("manifest", LargeBinary(32), nullable=False),
    Column("archived_at", BigInteger, nullable=False),
)
"""Business dates whose transfers and documents lie in files: the journal's beginning, without a gap."""

snapshots = Table(
    "snapshots",
    metadata,
    Column("partition", Integer, primary_key=True, autoincrement=False),
    Column("position", BigInteger, primary_key=True, autoincrement=False),
    Column("block", BigInteger, nullable=False),
    Column("taken_at", BigInteger, nullable=False),
    Column("octets", BigInteger, nullable=False),
    Column("chunks", Integer, nullable=False),
    Column("digest", LargeBinary(32), nullable=False),
)

snapshot_chunks = Table(
    "snapshot_chunks",
    metadata,
    Column("partition", Integer, primary_key=True, autoincrement=False),
    Column("position", BigInteger, primary_key=True, autoincrement=False),
    Column("ordinal", Integer, primary_key=True, autoincrement=False),
    Column("body", LargeBinary, nullable=False),
)

meta = Table(
    "meta",
    metadata,
    Column("partition", Integer, primary_key=True, autoincrement=False),
    Column("name", String(40), primary_key=True),
    Column("value", BigInteger, nullable=False),
)

# The whole of it at once, since the guards of one table ask another.
for _dialect, _statements in (("sqlite", guards.SQLITE), ("postgresql", guards.POSTGRESQL)):
    for _statement in _statements:
        event.listen(metadata, "after_create", DDL(_statement).execute_if(dialect=_dialect))  # type: ignore[no-untyped-call]
