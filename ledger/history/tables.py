"""The history's tables: derived from the journal, behind it, and made anew from it at any time."""

from __future__ import annotations

from sqlalchemy import BigInteger, LargeBinary, MetaData, Table

from ledger.schema import each, field, keys, partition

metadata = MetaData()


account_pages = Table(
    "account_pages",
    metadata,
    partition(),
    *keys(BigInteger, "account", "last_position"),
    *each(
        BigInteger, "first_position", "debits_posted", "credits_posted", "debits_pending", "credits_pending"
    ),
    field("positions", LargeBinary),
)
"""Some consecutive lines of one account: their journal positions (8 bytes each, little-endian), and by how much they moved each sum."""

history_marks = Table(
    "history_marks",
    metadata,
    partition(),
    *each(BigInteger, "position", "reaching"),
)
"""The position up to which all accounts' lines are in pages, and the one up to which they are being written."""
