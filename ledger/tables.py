"""The ledger's tables. Every primary key starts with `partition`; the database itself enforces what it can."""

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
    PrimaryKeyConstraint,
    String,
    Table,
    Text,
    event,
)

from ledger.closing import days, guards
from ledger.schema import each, field, key, partition
from ledger.transfer import ROW

SCHEMA_VERSION: Final = 3
WHOLE: Final = 0
"""The partition of what belongs to the whole journal of this process: blocks, documents, windows."""

metadata = MetaData()

transfers = Table(
    "transfers",
    metadata,
    *(Column(name, BigInteger, autoincrement=False, nullable=False) for name in ROW.names or ()),
    # On PostgreSQL the table of each business date has a key of its own, without the date (`ledger.closing.days`).
    PrimaryKeyConstraint("partition", "position", "business_date").ddl_if(dialect="sqlite"),
    # A change of an account's rules moves nothing; everything else moves something.
    CheckConstraint("amount > 0 OR (amount = 0 AND kind = 12)", name="transfers_amount_positive"),
    CheckConstraint("debit <> credit", name="transfers_two_sides"),
    # PostgreSQL keeps each business date in a table of its own: an old one is detached and archived whole.
    postgresql_partition_by="RANGE (business_date)",
)

blocks = Table(
    "blocks",
    metadata,
    partition(),
    key("block", BigInteger),
    field("first_position", BigInteger),
    field("rows", Integer),
    field("received_at", BigInteger),
    field("business_date", Integer),
    *each(LargeBinary(32), "documents", "previous", "digest"),
)

documents = Table(
    "documents",
    metadata,
    partition(),
    key("block", BigInteger),
    key("ordinal", Integer),
    field("body", LargeBinary),
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
    partition(),
    key("business_date", Integer),
    *each(BigInteger, "closed_at", "last_position"),
    field("head", LargeBinary(32)),
)

archives = Table(
    "archives",
    metadata,
    partition(),
    key("business_date", Integer),
    *each(BigInteger, "first_block", "last_block", "first_position", "last_position", "documents"),
    field("place", Text),
    field("name", String(80)),
    field("manifest", LargeBinary(32)),
    field("archived_at", BigInteger),
)
"""Business dates whose transfers and documents lie in files: the journal's beginning, without a gap."""

snapshots = Table(
    "snapshots",
    metadata,
    partition(),
    key("position", BigInteger),
    *each(BigInteger, "block", "taken_at", "octets"),
    field("chunks", Integer),
    field("digest", LargeBinary(32)),
)

snapshot_chunks = Table(
    "snapshot_chunks",
    metadata,
    partition(),
    key("position", BigInteger),
    key("ordinal", Integer),
    field("body", LargeBinary),
)

meta = Table(
    "meta",
    metadata,
    partition(),
    key("name", String(40)),
    field("value", BigInteger),
)

# The whole of it at once, since the guards of one table ask another.
for _dialect, _statements in (
    ("sqlite", guards.SQLITE),
    ("postgresql", (*guards.POSTGRESQL, *days.POSTGRESQL)),
):
    for _statement in _statements:
        event.listen(metadata, "after_create", DDL(_statement).execute_if(dialect=_dialect))  # type: ignore[no-untyped-call]
