"""The tables of breaks: each with its history (append-only), its files, proposals of entries, disputes; and lines in suspense.

The database itself holds that nobody approves what they proposed, and that history is never changed.
"""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    Column,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    Text,
)

from settlement.matching.tables import PERSON, line_columns, number, only_where, partition

metadata = MetaData()

breaks = Table(
    "settlement_breaks",
    metadata,
    partition(),
    Column("break_id", String(20), primary_key=True),
    Column("reason", String(40), nullable=False),
    Column("bank", Integer, nullable=False),
    Column("reference", String(35), nullable=False),
    Column("business_date", Integer, nullable=True, index=True),
    *line_columns(),
    Column("match", BigInteger, nullable=False, server_default="0"),
    Column("shown", BigInteger, nullable=False, server_default="0"),
    Column("difference", BigInteger, nullable=False),
    Column("evidence", Text, nullable=False),
    Column("cause", String(40), nullable=False, server_default=""),
    Column("cause_evidence", Text, nullable=False, server_default=""),
    Column("severity", Integer, nullable=False, server_default="2"),
    Column("owner", PERSON, nullable=False, server_default=""),
    Column("since", Integer, nullable=False, server_default="0"),
    Column("night", Integer, nullable=False, index=True),
    Column("closed_night", Integer, nullable=True),
    Column("proposal", BigInteger, nullable=False, server_default="0"),
    Index("settlement_breaks_by_age", "partition", "closed_night", "since", "break_id"),
)
"""`shown` is the amount of its line, 0 where it has none or a match counts it. `proposal` is the one whose entry resolved it, 0 for none."""

events = Table(
    "settlement_break_events",
    metadata,
    partition(),
    Column("break_id", String(20), primary_key=True),
    number("ordinal", Integer),
    Column("at", BigInteger, nullable=False),
    Column("who", PERSON, nullable=False),
    Column("what", String(20), nullable=False),
    Column("said", Text, nullable=False),
    Column("sha256", String(64), nullable=False),
)

files = Table(
    "settlement_break_files",
    metadata,
    partition(),
    Column("sha256", String(64), primary_key=True),
    Column("bytes", BigInteger, nullable=False),
    Column("content", LargeBinary, nullable=False),
)

proposals = Table(
    "settlement_proposals",
    metadata,
    partition(),
    number(),
    Column("break_id", String(20), nullable=False, index=True),
    Column("kind", String(20), nullable=False),
    Column("debit", BigInteger, nullable=False),
    Column("credit", BigInteger, nullable=False),
    Column("amount", BigInteger, nullable=False),
    Column("why", Text, nullable=False),
    Column("proposed_by", PERSON, nullable=False),
    Column("proposed_at", BigInteger, nullable=False),
    Column("state", String(10), nullable=False),
    Column("decided_by", PERSON, nullable=False),
    Column("decided_at", BigInteger, nullable=False),
    Column("decided_why", Text, nullable=False),
    Column("position", BigInteger, nullable=False),
    CheckConstraint("amount > 0", name="settlement_proposals_move_something"),
    CheckConstraint("debit <> credit", name="settlement_proposals_have_two_sides"),
    CheckConstraint("proposed_by <> ''", name="settlement_proposals_have_a_maker"),
    CheckConstraint(
        "state = 'withdrawn' OR decided_by <> proposed_by", name="settlement_proposals_maker_is_not_checker"
    ),
    CheckConstraint(
        "(state = 'waiting') = (decided_by = '') AND (state = 'approved') = (position > 0)",
        name="settlement_proposals_are_decided_by_somebody",
    ),
    Index("settlement_proposals_by_state", "partition", "state", "number"),
    only_where(
        "settlement_proposals_wait_one_a_break",
        sa.column("state") == sa.literal_column("'waiting'"),
        "partition",
        "break_id",
    ),
)
"""Entries that one person proposes and another approves; `position` is the entry's place in the journal."""

disputes = Table(
    "settlement_disputes",
    metadata,
    partition(),
    Column("break_id", String(20), primary_key=True),
    number("ordinal", Integer),
    Column("against", String(140), nullable=False),
    Column("claim", Text, nullable=False),
    Column("deadline", Integer, nullable=False),
    Column("opened_by", PERSON, nullable=False),
    Column("opened_at", BigInteger, nullable=False),
    Column("state", String(10), nullable=False),
    Column("closed_by", PERSON, nullable=False),
    Column("closed_at", BigInteger, nullable=False),
    Column("outcome", Text, nullable=False),
    Index("settlement_disputes_by_deadline", "partition", "state", "deadline"),
)

suspense = Table(
    "settlement_suspense",
    metadata,
    partition(),
    number(),
    *line_columns(),
    Column("bank", Integer, nullable=False),
    Column("amount", BigInteger, nullable=False),
    Column("entered_position", BigInteger, nullable=False),
    Column("entered_at", BigInteger, nullable=False),
    Column("night", Integer, nullable=False, index=True),
    Column("left_position", BigInteger, nullable=False),
    Column("left_at", BigInteger, nullable=False),
    Column("why", Text, nullable=False),
    CheckConstraint("amount <> 0", name="settlement_suspense_moves_something"),
    only_where(
        "settlement_suspense_holds_a_line_once",
        sa.column("left_position") == sa.literal_column("0"),
        "partition",
        "sha256",
        "statement",
        "line",
    ),
    Index("settlement_suspense_by_bank", "partition", "left_position", "bank"),
)
"""Lines that nobody knows yet. `entered_position` and `left_position` are where its two entries stand in the journal, the second 0 while it is in."""

_NEVER = "history of a break is never changed"


def _never_changed(table: Table) -> None:
    """Have the database refuse changes of a table's rows, where it is made by the code; the migrations do the same."""
    for statement in never_changed("sqlite", table.name):
        sa.event.listen(table, "after_create", _for("sqlite", statement))
    for statement in never_changed("postgresql", table.name):
        sa.event.listen(table, "after_create", _for("postgresql", statement))


def _for(dialect: str, statement: str) -> Any:
    ddl: Any = sa.DDL  # the library's types leave it out
    return ddl(statement).execute_if(dialect=dialect)


def never_changed(dialect: str, table: str) -> list[str]:
    """The statements after which a database refuses to change or delete the rows of a table."""
    if dialect == "sqlite":
        return [
            f"CREATE TRIGGER {table}_no_{act} BEFORE {act} ON {table} "
            f"BEGIN SELECT RAISE(ABORT, '{_NEVER}'); END"
            for act in ("update", "delete")
        ]
    return [
        f"CREATE FUNCTION {table}_kept() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION '{_NEVER}'; END $$",
        f"CREATE TRIGGER {table}_kept BEFORE UPDATE OR DELETE ON {table} FOR EACH ROW EXECUTE FUNCTION {table}_kept()",
    ]


_never_changed(events)
