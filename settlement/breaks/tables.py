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

from ledger.schema import each, field, key, partition
from settlement.matching.tables import PERSON, line_columns, only_where

metadata = MetaData()

breaks = Table(
    "settlement_breaks",
    metadata,
    partition(),
    key("break_id", String(20)),
    field("reason", String(40)),
    field("bank", Integer),
    field("reference", String(35)),
    Column("business_date", Integer, nullable=True, index=True),
    *line_columns(),
    field("match", BigInteger, server_default="0"),
    field("shown", BigInteger, server_default="0"),
    field("difference", BigInteger),
    field("evidence", Text),
    field("cause", String(40), server_default=""),
    field("cause_evidence", Text, server_default=""),
    field("severity", Integer, server_default="2"),
    field("owner", PERSON, server_default=""),
    field("since", Integer, server_default="0"),
    field("night", Integer, index=True),
    Column("closed_night", Integer, nullable=True),
    field("proposal", BigInteger, server_default="0"),
    Index("settlement_breaks_by_age", "partition", "closed_night", "since", "break_id"),
    Index("settlement_breaks_sizes", "partition", "closed_night", "since", "difference"),
    Index("settlement_breaks_by_line", "partition", "sha256", "statement", "line"),
    Index("settlement_breaks_by_reference", "partition", "reference"),
)
"""`shown` is the amount of its line, 0 where it has none or a match counts it. `proposal` is the one whose entry resolved it, 0 for none."""

events = Table(
    "settlement_break_events",
    metadata,
    partition(),
    key("break_id", String(20)),
    key("ordinal", Integer),
    field("at", BigInteger),
    field("who", PERSON),
    field("what", String(20)),
    field("said", Text),
    field("sha256", String(64)),
)

files = Table(
    "settlement_break_files",
    metadata,
    partition(),
    key("sha256", String(64)),
    field("bytes", BigInteger),
    field("content", LargeBinary),
)

proposals = Table(
    "settlement_proposals",
    metadata,
    partition(),
    key("number", BigInteger),
    field("break_id", String(20), index=True),
    field("kind", String(20)),
    *each(BigInteger, "debit", "credit", "amount"),
    field("why", Text),
    field("proposed_by", PERSON),
    field("proposed_at", BigInteger),
    field("state", String(10)),
    field("decided_by", PERSON),
    field("decided_at", BigInteger),
    field("decided_why", Text),
    field("position", BigInteger),
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
    key("break_id", String(20)),
    key("ordinal", Integer),
    field("against", String(140)),
    field("claim", Text),
    field("deadline", Integer),
    field("opened_by", PERSON),
    field("opened_at", BigInteger),
    field("state", String(10)),
    field("closed_by", PERSON),
    field("closed_at", BigInteger),
    field("outcome", Text),
    Index("settlement_disputes_by_deadline", "partition", "state", "deadline"),
)

suspense = Table(
    "settlement_suspense",
    metadata,
    partition(),
    key("number", BigInteger),
    *line_columns(),
    field("bank", Integer),
    *each(BigInteger, "amount", "entered_position", "entered_at"),
    field("night", Integer, index=True),
    *each(BigInteger, "left_position", "left_at"),
    field("why", Text),
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

explanations = Table(
    "intake_explanations",
    metadata,
    partition(),
    Column("source", String(12), primary_key=True),
    Column("key", String(120), primary_key=True),
    Column("who", PERSON, nullable=False),
    Column("at", BigInteger, nullable=False),
    Column("why", Text, nullable=False),
)
"""What somebody found out about a quarantined record ("quarantine") or an exception ("exception"), by its key in the worklist."""

_NEVER = "history of a break is never changed"
_SAID = "an explanation is never changed"


def _never_changed(table: Table, why: str) -> None:
    """Have the database refuse changes of a table's rows, where it is made by the code; the migrations do the same."""
    for dialect in ("sqlite", "postgresql"):
        for statement in never_changed(dialect, table.name, why):
            sa.event.listen(table, "after_create", _for(dialect, statement))


def _for(dialect: str, statement: str) -> Any:
    ddl: Any = sa.DDL  # the library's types leave it out
    return ddl(statement).execute_if(dialect=dialect)


def never_changed(dialect: str, table: str, why: str = _NEVER) -> list[str]:
    """The statements after which a database refuses to change or delete the rows of a table."""
    if dialect == "sqlite":
        return [
            f"CREATE TRIGGER {table}_no_{act} BEFORE {act} ON {table} BEGIN SELECT RAISE(ABORT, '{why}'); END"
            for act in ("update", "delete")
        ]
    return [
        f"CREATE FUNCTION {table}_kept() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION '{why}'; END $$",
        f"CREATE TRIGGER {table}_kept BEFORE UPDATE OR DELETE ON {table} FOR EACH ROW EXECUTE FUNCTION {table}_kept()",
    ]


_never_changed(events, _NEVER)
_never_changed(explanations, _SAID)
