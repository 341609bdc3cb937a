"""The intake's tables; every primary key starts with `partition` (a card's own, or 0 for what no card owns)."""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, Index, Integer, LargeBinary, MetaData, String, Table, Text, text

metadata = MetaData()


def _key(name: str) -> Column[int]:
    return Column(name, BigInteger, primary_key=True, autoincrement=False)


cards = Table(
    "cards",
    metadata,
    _key("partition"),
    _key("uid"),
    Column("card_number", BigInteger, nullable=False),
    Column("registered", Integer, nullable=False),
    Column("key_version", Integer, nullable=False),
    Column("token_digest", LargeBinary(32), nullable=False),
    Column("key_versions", String(20), nullable=False, server_default=""),
    Column("coming_versions", String(20), nullable=False, server_default=""),
)

terminals = Table(
    "terminals",
    metadata,
    _key("partition"),
    _key("terminal"),
    Column("certificate", LargeBinary, nullable=False),
    Column("revoked_at", BigInteger, nullable=False, default=0),
)

terminal_certificates = Table(
    "terminal_certificates",
    metadata,
    _key("partition"),
    _key("terminal"),
    _key("ordinal"),
    Column("certificate", LargeBinary, nullable=False),
)

invitations = Table(
    "invitations",
    metadata,
    _key("partition"),
    _key("terminal"),
    Column("digest", LargeBinary(32), nullable=False),
    Column("role", String(16), nullable=False),
    Column("owner", BigInteger, nullable=False),
    Column("rights", LargeBinary, nullable=False),
    Column("invited_at", BigInteger, nullable=False),
    Column("expires_at", BigInteger, nullable=False),
    Column("attempts", Integer, nullable=False),
    Column("used_at", BigInteger, nullable=False),
)

terminal_moves = Table(
    "terminal_moves",
    metadata,
    _key("partition"),
    _key("terminal"),
    _key("service_day"),
    _key("block"),
    _key("ordinal"),
    Column("amount", BigInteger, nullable=False),
)
"""What each batch (block, ordinal) moved in a terminal's service day, in sen; the sum of them is what the terminal moved."""

batches = Table(
    "batches",
    metadata,
    _key("partition"),
    _key("terminal"),
    _key("first_sequence"),
    Column("last_sequence", BigInteger, nullable=False),
    Column("digest", LargeBinary(32), nullable=False),
    Column("block", BigInteger, nullable=False),
    Column("ordinal", Integer, nullable=False),
    Column("received_at", BigInteger, nullable=False),
    Column("results", Text, nullable=False),
    Column("last_occurred_at", BigInteger, nullable=False, server_default="0"),
)

taps = Table(
    "taps",
    metadata,
    _key("partition"),
    _key("uid"),
    _key("tmc"),
    Column("identity", LargeBinary(32), nullable=False),
    Column("terminal", BigInteger, nullable=False),
    Column("sequence", BigInteger, nullable=False),
    Column("kind", Integer, nullable=False),
    Column("amount", BigInteger, nullable=False),
    Column("balance_after", BigInteger, nullable=False),
    Column("position", BigInteger, nullable=False),
    Column("occurred_at", BigInteger, nullable=False),
    Column("service_day", Integer, nullable=False),
    Column("business_date", Integer, nullable=False),
    Column("route", String(64), nullable=False),
    Column("stop", String(64), nullable=False),
    Column("rules", Text, nullable=False),
    Column("seen_tmv", LargeBinary(8), nullable=False),
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
    _key("partition"),
    _key("uid"),
    _key("tmc"),
    Column("tmv", LargeBinary(8), primary_key=True),
    _key("block"),
    _key("ordinal"),
)
"""What terminals saw of transactions that had not come in by then: the counter, and the value that the card showed for it."""

quarantine = Table(
    "quarantine",
    metadata,
    _key("partition"),
    _key("terminal"),
    _key("sequence"),
    Column("reason", String(24), nullable=False),
    Column("detail", Text, nullable=False),
    Column("uid", BigInteger, nullable=False),
    Column("tmc", BigInteger, nullable=False),
    Column("amount", BigInteger, nullable=False),
    Column("raw", LargeBinary, nullable=False),
    Column("received_at", BigInteger, nullable=False),
    Column("resolution", String(24), nullable=False, default=""),
    Column("resolved_at", BigInteger, nullable=False, default=0),
)

refused = Table(
    "refused",
    metadata,
    _key("partition"),
    Column("digest", LargeBinary(32), primary_key=True),
    Column("reason", String(40), nullable=False),
    Column("detail", Text, nullable=False),
    Column("body", LargeBinary, nullable=False),
    Column("received_at", BigInteger, nullable=False),
)

exceptions = Table(
    "exceptions",
    metadata,
    _key("partition"),
    _key("uid"),
    _key("tmc"),
    Column("kind", String(24), primary_key=True),
    _key("terminal"),
    _key("sequence"),
    Column("detail", Text, nullable=False),
    Column("raised_at", BigInteger, nullable=False),
)

loads = Table(
    "loads",
    metadata,
    _key("partition"),
    _key("terminal"),
    _key("request"),
    Column("digest", LargeBinary(32), nullable=False),
    Column("uid", BigInteger, nullable=False),
    Column("amount", BigInteger, nullable=False),
    Column("hold", BigInteger, nullable=False),
    Column("received_at", BigInteger, nullable=False),
    Column("state", String(8), nullable=False, server_default="closed"),
    Column("intent", LargeBinary, nullable=False, server_default=""),
    Column("sale_terminal", BigInteger, nullable=False, server_default="0"),
    Column("sale_sequence", BigInteger, nullable=False, server_default="0"),
    Column("reason", Text, nullable=False, server_default=""),
)

vault_records = Table(
    "vault_records",
    metadata,
    _key("partition"),
    Column("name", String(200), primary_key=True),
    Column("generation", BigInteger, nullable=False),
    Column("digest", LargeBinary(32), nullable=False),
)
