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

from settlement import guards

WHOLE: Final = 0
"""The partition of what belongs to the city as a whole."""

metadata = MetaData()


def _partition() -> Column[int]:
    return Column("partition", Integer, primary_key=True, autoincrement=False)


settlements = Table(
    "settlements",
    metadata,
    _partition(),
    Column("business_date", Integer, primary_key=True, autoincrement=False),
    Column("closed_at", BigInteger, nullable=False),
    Column("head", LargeBinary(32), nullable=False),
    Column("first_position", BigInteger, nullable=False),
    Column("last_position", BigInteger, nullable=False),
)

positions = Table(
    "settlement_positions",
    metadata,
    _partition(),
    Column("business_date", Integer, primary_key=True, autoincrement=False),
    Column("purpose", Integer, primary_key=True, autoincrement=False),
    Column("bank", Integer, primary_key=True, autoincrement=False),
    Column("code", Integer, primary_key=True, autoincrement=False),
    Column("number", BigInteger, primary_key=True, autoincrement=False),
    Column("name", String(140), nullable=False),
    Column("gross", BigInteger, nullable=False),
    Column("refunds", BigInteger, nullable=False),
    Column("fee", BigInteger, nullable=False),
    Column("net", BigInteger, nullable=False),
    CheckConstraint("net = gross - refunds - fee", name="settlement_positions_add_up"),
)

nets = Table(
    "settlement_nets",
    metadata,
    _partition(),
    Column("business_date", Integer, primary_key=True, autoincrement=False),
    Column("bank", Integer, primary_key=True, autoincrement=False),
    Column("owed", BigInteger, nullable=False),
    Column("owes", BigInteger, nullable=False),
    Column("net", BigInteger, nullable=False),
    CheckConstraint("net = owed - owes", name="settlement_nets_add_up"),
)

days = Table(
    "settlement_days",
    metadata,
    _partition(),
    Column("business_date", Integer, primary_key=True, autoincrement=False),
    Column("service_day", Integer, primary_key=True, autoincrement=False),
    Column("kind", Integer, primary_key=True, autoincrement=False),
    Column("transfers", BigInteger, nullable=False),
    Column("amount", BigInteger, nullable=False),
)

night_reports = Table(
    "night_reports",
    metadata,
    _partition(),
    Column("business_date", Integer, primary_key=True, autoincrement=False),
    Column("version", Integer, primary_key=True, autoincrement=False),
    Column("sha256", String(64), nullable=False),
    Column("body", LargeBinary, nullable=False),
)

items = Table(
    "settlement_items",
    metadata,
    _partition(),
    Column("reference", String(35), primary_key=True),
    Column("business_date", Integer, nullable=False, index=True),
    Column("bank", Integer, nullable=False),
    Column("kind", String(20), nullable=False),
    Column("code", Integer, nullable=False),
    Column("party", BigInteger, nullable=False),
    Column("name", String(140), nullable=False),
    Column("amount", BigInteger, nullable=False),
    Column("due", Integer, nullable=False),
    Column("rail", String(20), nullable=False),
    Column("end_to_end", String(35), nullable=False, server_default=""),
    CheckConstraint("amount <> 0", name="settlement_items_move_something"),
)

payment_files = Table(
    "settlement_payment_files",
    metadata,
    _partition(),
    Column("business_date", Integer, primary_key=True, autoincrement=False),
    Column("bank", Integer, primary_key=True, autoincrement=False),
    Column("name", String(80), nullable=False),
    Column("sha256", String(64), nullable=False),
    Column("payments", Integer, nullable=False),
    Column("total", BigInteger, nullable=False),
    Column("content", LargeBinary, nullable=False),
)

payment_releases = Table(
    "payment_releases",
    metadata,
    _partition(),
    Column("business_date", Integer, primary_key=True, autoincrement=False),
    Column("bank", Integer, primary_key=True, autoincrement=False),
    Column("sha256", String(64), nullable=False),
    Column("made_by", String(80), nullable=False),
    Column("made_at", BigInteger, nullable=False),
    Column("released_by", String(80), nullable=False),
    Column("released_at", BigInteger, nullable=True),
    CheckConstraint("made_by <> released_by", name="payment_releases_need_four_eyes"),
)

payment_reports = Table(
    "payment_reports",
    metadata,
    _partition(),
    Column("sha256", String(64), primary_key=True),
    Column("name", String(255), nullable=False),
    Column("reason", Text, nullable=False),
    Column("line", Integer, nullable=False),
    Column("taken_at", BigInteger, nullable=False),
    Column("content", LargeBinary, nullable=False),
)

payment_outcomes = Table(
    "payment_outcomes",
    metadata,
    _partition(),
    Column("reference", String(35), primary_key=True),
    Column("status", String(20), nullable=False),
    Column("reason", Text, nullable=False),
    Column("sha256", String(64), nullable=False),
)

statement_files = Table(
    "statement_files",
    metadata,
    _partition(),
    Column("sha256", String(64), primary_key=True),
    Column("name", String(255), primary_key=True),
    Column("night", Integer, nullable=False, index=True),
    Column("verdict", String(20), nullable=False),
    Column("reason", Text, nullable=False),
    Column("line", Integer, nullable=False),
    Column("bytes", BigInteger, nullable=False),
    Column("format", String(80), nullable=False),
    Column("remarks", Text, nullable=False),
    Column("content", LargeBinary, nullable=False),
)

statements = Table(
    "statements",
    metadata,
    _partition(),
    Column("sha256", String(64), primary_key=True),
    Column("number", Integer, primary_key=True, autoincrement=False),
    Column("bank", Integer, nullable=False),
    Column("chain", Integer, nullable=False),
    Column("account", String(64), nullable=False),
    Column("identifier", String(80), nullable=False),
    Column("currency", String(3), nullable=False),
    Column("opening_date", Integer, nullable=False),
    Column("opening", BigInteger, nullable=False),
    Column("closing_date", Integer, nullable=False),
    Column("closing", BigInteger, nullable=False),
    Column("lines", Integer, nullable=False),
    Column("night", Integer, nullable=False, index=True),
    Column("sequence", Integer, nullable=True),
    UniqueConstraint("partition", "bank", "chain", name="statements_form_one_chain_a_bank"),
)

lines = Table(
    "statement_lines",
    metadata,
    _partition(),
    Column("sha256", String(64), primary_key=True),
    Column("statement", Integer, primary_key=True, autoincrement=False),
    Column("number", Integer, primary_key=True, autoincrement=False),
    Column("bank", Integer, nullable=False),
    Column("value_date", Integer, nullable=False),
    Column("booking_date", Integer, nullable=False),
    Column("amount", BigInteger, nullable=False),
    Column("currency", String(3), nullable=False),
    Column("reference", Text, nullable=False),
    Column("end_to_end", Text, nullable=False),
    Column("remittance", Text, nullable=False),
    Column("bank_reference", Text, nullable=False),
    Column("source_line", Integer, nullable=False),
    Column("repeated", Boolean, nullable=False),
    Index("statement_lines_by_booking", "partition", "bank", "booking_date", "amount"),
)

rules = Table(
    "settlement_rules",
    metadata,
    _partition(),
    Column("kind", String(30), primary_key=True),
    Column("name", String(60), primary_key=True),
    Column("version", Integer, primary_key=True, autoincrement=False),
    Column("content", Text, nullable=False),
    Column("author", String(80), nullable=False),
    Column("reason", String(500), nullable=False),
    Column("made_at", BigInteger, nullable=False),
)

# The whole of it at once, since the guards of one table ask another.
for _dialect, _statements in (("sqlite", guards.SQLITE), ("postgresql", guards.POSTGRESQL)):
    for _statement in _statements:
        event.listen(metadata, "after_create", DDL(_statement).execute_if(dialect=_dialect))  # type: ignore[no-untyped-call]
