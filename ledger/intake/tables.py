"""The intake's tables; every primary key starts with `partition` (a card's own, or 0 for what no card owns)."""

from __future__ import annotations

from sqlalchemy import BigInteger, Index, Integer, LargeBinary, MetaData, String, Table, Text, text

from ledger.schema import each, field, key, keys

metadata = MetaData()


cards = Table(
    "cards",
    metadata,
    *keys(BigInteger, "partition", "uid"),
    field("card_number", BigInteger),
    *each(Integer, "registered", "key_version"),
    field("token_digest", LargeBinary(32)),
    field("key_versions", String(20), server_default=""),
    field("coming_versions", String(20), server_default=""),
)

terminals = Table(
    "terminals",
    metadata,
    *keys(BigInteger, "partition", "terminal"),
    field("certificate", LargeBinary),
    field("revoked_at", BigInteger, default=0),
)

terminal_certificates = Table(
    "terminal_certificates",
    metadata,
    *keys(BigInteger, "partition", "terminal", "ordinal"),
    field("certificate", LargeBinary),
)

invitations = Table(
    "invitations",
    metadata,
    *keys(BigInteger, "partition", "terminal"),
    field("digest", LargeBinary(32)),
    field("role", String(16)),
    field("owner", BigInteger),
    field("rights", LargeBinary),
    *each(BigInteger, "invited_at", "expires_at"),
    field("attempts", Integer),
    field("used_at", BigInteger),
)

terminal_moves = Table(
    "terminal_moves",
    metadata,
    *keys(BigInteger, "partition", "terminal", "service_day", "block", "ordinal"),
    field("amount", BigInteger),
)
"""What each batch (block, ordinal) moved in a terminal's service day, in sen; the sum of them is what the terminal moved."""

batches = Table(
    "batches",
    metadata,
    *keys(BigInteger, "partition", "terminal", "first_sequence"),
    field("last_sequence", BigInteger),
    field("digest", LargeBinary(32)),
    field("block", BigInteger),
    field("ordinal", Integer),
    field("received_at", BigInteger),
    field("results", Text),
    field("last_occurred_at", BigInteger, server_default="0"),
)

taps = Table(
    "taps",
    metadata,
    *keys(BigInteger, "partition", "uid", "tmc"),
    field("identity", LargeBinary(32)),
    *each(BigInteger, "terminal", "sequence"),
    field("kind", Integer),
    *each(BigInteger, "amount", "balance_after", "position", "occurred_at"),
    *each(Integer, "service_day", "business_date"),
    *each(String(64), "route", "stop"),
    field("rules", Text),
    field("seen_tmv", LargeBinary(8)),
    # The few that moved no money and so have no place in the journal, as the proofs' tree takes them in.
    Index(
        "taps_without_money",
        "business_date",
        "partition",
        "uid",
        "tmc",
        sqlite_where=text("position = 0"),
        postgresql_where=text("position = 0"),
    ),
)

sights = Table(
    "sights",
    metadata,
    *keys(BigInteger, "partition", "uid", "tmc"),
    key("tmv", LargeBinary(8)),
    *keys(BigInteger, "block", "ordinal"),
)
"""What terminals saw of transactions that had not come in by then: the counter, and the value that the card showed for it."""

quarantine = Table(
    "quarantine",
    metadata,
    *keys(BigInteger, "partition", "terminal", "sequence"),
    field("reason", String(24)),
    field("detail", Text),
    *each(BigInteger, "uid", "tmc", "amount"),
    field("raw", LargeBinary),
    field("received_at", BigInteger),
    field("resolution", String(24), default=""),
    field("resolved_at", BigInteger, default=0),
)

refused = Table(
    "refused",
    metadata,
    key("partition", BigInteger),
    key("digest", LargeBinary(32)),
    field("reason", String(40)),
    field("detail", Text),
    field("body", LargeBinary),
    field("received_at", BigInteger),
)

exceptions = Table(
    "exceptions",
    metadata,
    *keys(BigInteger, "partition", "uid", "tmc"),
    key("kind", String(24)),
    *keys(BigInteger, "terminal", "sequence"),
    field("detail", Text),
    field("raised_at", BigInteger),
)

loads = Table(
    "loads",
    metadata,
    *keys(BigInteger, "partition", "terminal", "request"),
    field("digest", LargeBinary(32)),
    *each(BigInteger, "uid", "amount", "hold", "received_at"),
    field("state", String(8), server_default="closed"),
    field("intent", LargeBinary, server_default=""),
    field("sale_terminal", BigInteger, server_default="0"),
    field("sale_sequence", BigInteger, server_default="0"),
    field("reason", Text, server_default=""),
)

vault_records = Table(
    "vault_records",
    metadata,
    key("partition", BigInteger),
    key("name", String(200)),
    field("generation", BigInteger),
    field("digest", LargeBinary(32)),
)
