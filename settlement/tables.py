"""Settlement's tables, beside the ledger's in the same database. Every primary key starts with `partition`, here always 0."""

from __future__ import annotations

from typing import Final

from sqlalchemy import (
    DDL,
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    Text,
    UniqueConstraint,
    event,
)

from ledger.schema import each, field, key, keys, partition
from settlement import guards

WHOLE: Final = 0
"""The partition of what belongs to the city as a whole."""

metadata = MetaData()


settlements = Table(
    "settlements",
    metadata,
    partition(),
    key("business_date", Integer),
    field("closed_at", BigInteger),
    field("head", LargeBinary(32)),
    *each(BigInteger, "first_position", "last_position"),
)

positions = Table(
    "settlement_positions",
    metadata,
    partition(),
    *keys(Integer, "business_date", "purpose", "bank", "code"),
    key("number", BigInteger),
    field("name", String(140)),
    *each(BigInteger, "gross", "refunds", "fee", "net"),
    CheckConstraint("net = gross - refunds - fee", name="settlement_positions_add_up"),
)

nets = Table(
    "settlement_nets",
    metadata,
    partition(),
    *keys(Integer, "business_date", "bank"),
    *each(BigInteger, "owed", "owes", "net"),
    CheckConstraint("net = owed - owes", name="settlement_nets_add_up"),
)

days = Table(
    "settlement_days",
    metadata,
    partition(),
    *keys(Integer, "business_date", "service_day", "kind"),
    *each(BigInteger, "transfers", "amount"),
)

night_reports = Table(
    "night_reports",
    metadata,
    partition(),
    *keys(Integer, "business_date", "version"),
    field("sha256", String(64)),
    field("body", LargeBinary),
)

known_counters = Table(
    "known_counters",
    metadata,
    *keys(BigInteger, "partition", "uid"),
    *each(BigInteger, "first", "tmc"),
    field("business_date", Integer),
)
"""Up to which counter nothing is missing of a card, from its first on, by a business date: where the next night reads on."""

items = Table(
    "settlement_items",
    metadata,
    partition(),
    key("reference", String(35)),
    field("business_date", Integer, index=True),
    field("bank", Integer),
    field("kind", String(20)),
    field("code", Integer),
    field("party", BigInteger),
    field("name", String(140)),
    field("amount", BigInteger),
    field("due", Integer),
    field("rail", String(20)),
    field("end_to_end", String(35), server_default=""),
    CheckConstraint("amount <> 0", name="settlement_items_move_something"),
)

payment_files = Table(
    "settlement_payment_files",
    metadata,
    partition(),
    *keys(Integer, "business_date", "bank"),
    field("name", String(80)),
    field("sha256", String(64)),
    field("payments", Integer),
    field("total", BigInteger),
    field("content", LargeBinary),
)

payment_releases = Table(
    "payment_releases",
    metadata,
    partition(),
    *keys(Integer, "business_date", "bank"),
    field("sha256", String(64)),
    field("made_by", String(80)),
    field("made_at", BigInteger),
    field("released_by", String(80)),
    Column("released_at", BigInteger, nullable=True),
    CheckConstraint("made_by <> released_by", name="payment_releases_need_four_eyes"),
)

payment_reports = Table(
    "payment_reports",
    metadata,
    partition(),
    key("sha256", String(64)),
    field("name", String(255)),
    field("reason", Text),
    field("line", Integer),
    field("taken_at", BigInteger),
    field("content", LargeBinary),
)

payment_outcomes = Table(
    "payment_outcomes",
    metadata,
    partition(),
    key("reference", String(35)),
    field("status", String(20)),
    field("reason", Text),
    field("sha256", String(64)),
)

statement_files = Table(
    "statement_files",
    metadata,
    partition(),
    key("sha256", String(64)),
    key("name", String(255)),
    field("night", Integer, index=True),
    field("verdict", String(20)),
    field("reason", Text),
    field("line", Integer),
    field("bytes", BigInteger),
    field("format", String(80)),
    field("remarks", Text),
    field("content", LargeBinary),
)

statements = Table(
    "statements",
    metadata,
    partition(),
    key("sha256", String(64)),
    key("number", Integer),
    *each(Integer, "bank", "chain"),
    field("account", String(64)),
    field("identifier", String(80)),
    field("currency", String(3)),
    field("opening_date", Integer),
    field("opening", BigInteger),
    field("closing_date", Integer),
    field("closing", BigInteger),
    field("lines", Integer),
    field("night", Integer, index=True),
    Column("sequence", Integer, nullable=True),
    UniqueConstraint("partition", "bank", "chain", name="statements_form_one_chain_a_bank"),
)

lines = Table(
    "statement_lines",
    metadata,
    partition(),
    key("sha256", String(64)),
    *keys(Integer, "statement", "number"),
    *each(Integer, "bank", "value_date", "booking_date"),
    field("amount", BigInteger),
    field("currency", String(3)),
    *each(Text, "reference", "end_to_end", "remittance", "bank_reference"),
    field("source_line", Integer),
    field("repeated", Boolean),
    Index("statement_lines_by_booking", "partition", "bank", "booking_date", "amount"),
)

rules = Table(
    "settlement_rules",
    metadata,
    partition(),
    key("kind", String(30)),
    key("name", String(60)),
    key("version", Integer),
    field("content", Text),
    field("author", String(80)),
    field("reason", String(500)),
    field("made_at", BigInteger),
)

# The whole of it at once, since the guards of one table ask another.
for _dialect, _statements in (("sqlite", guards.SQLITE), ("postgresql", guards.POSTGRESQL)):
    for _statement in _statements:
        event.listen(metadata, "after_create", DDL(_statement).execute_if(dialect=_dialect))  # type: ignore[no-untyped-call]
