"""Matching's tables: matches with their items and lines, suggestions, and pairs that people said no to.

Nothing is deleted. A match that was undone stays, and its items and lines are free again: only active ones are unique.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import sqlalchemy as sa
from sqlalchemy import (
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    Index,
    Integer,
    MetaData,
    String,
    Table,
    Text,
)

from ledger.schema import each, field, key, keys, partition

if TYPE_CHECKING:
    from sqlalchemy.sql.elements import ColumnElement

metadata = MetaData()
PERSON = String(64)
"""Who did it: a person's name of the console, or a step of the night."""


def line_columns(*, key: bool = False) -> list[Column[object]]:
    """Where a statement line stands: `settlement.statements.kept.LineKey`."""
    return [
        Column("sha256", String(64), primary_key=key, nullable=False),
        Column("statement", Integer, primary_key=key, autoincrement=False, nullable=False),
        Column("line", Integer, primary_key=key, autoincrement=False, nullable=False),
    ]


def only_where(name: str, condition: ColumnElement[bool], *columns: str) -> Index:
    """A unique index over the rows that a condition holds for."""
    return Index(name, *columns, unique=True, sqlite_where=condition, postgresql_where=condition)


matches = Table(
    "settlement_matchings",
    metadata,
    partition(),
    key("number", BigInteger),
    field("bank", Integer),
    field("rule", String(40)),
    *each(Integer, "rules", "confidence"),
    field("difference", BigInteger),
    field("evidence", Text),
    field("night", Integer, index=True),
    field("made_by", PERSON),
    *each(BigInteger, "made_at", "proposal"),
    field("undone_by", PERSON),
    field("undone_at", BigInteger),
    field("undone_why", Text),
    CheckConstraint("confidence BETWEEN 0 AND 100", name="settlement_matchings_are_sure_by_percent"),
    CheckConstraint(
        "(undone_by = '') = (undone_at = 0) AND (undone_by = '') = (undone_why = '')",
        name="settlement_matchings_undone_say_who_and_why",
    ),
    Index(
        "settlement_matchings_with_difference",
        "partition",
        "number",
        sqlite_where=sa.column("difference") != sa.literal_column("0"),
        postgresql_where=sa.column("difference") != sa.literal_column("0"),
    ),
)
"""`proposal` is the number of the proposal whose entry explains the difference, 0 for none."""

match_items = Table(
    "settlement_matching_items",
    metadata,
    partition(),
    key("match", BigInteger),
    key("reference", String(35)),
    field("active", Boolean),
    only_where(
        "settlement_matching_items_prove_once", sa.column("active").is_(sa.true()), "partition", "reference"
    ),
)

match_lines = Table(
    "settlement_matching_lines",
    metadata,
    partition(),
    key("match", BigInteger),
    *line_columns(key=True),
    field("active", Boolean),
    only_where(
        "settlement_matching_lines_count_once",
        sa.column("active").is_(sa.true()),
        "partition",
        "sha256",
        "statement",
        "line",
    ),
)

suggestions = Table(
    "settlement_suggestions",
    metadata,
    partition(),
    key("number", BigInteger),
    field("reference", String(35)),
    *line_columns(),
    field("score", Integer),
    field("evidence", Text),
    field("night", Integer, index=True),
    field("state", String(10)),
    field("decided_by", PERSON),
    field("decided_at", BigInteger),
    field("decided_why", Text),
    CheckConstraint("score BETWEEN 0 AND 100", name="settlement_suggestions_are_scored_by_percent"),
    Index("settlement_suggestions_by_state", "partition", "state", "number"),
    Index("settlement_suggestions_by_line", "partition", "sha256", "statement", "line"),
    only_where(
        "settlement_suggestions_wait_once",
        sa.column("state") == sa.literal_column("'waiting'"),
        "partition",
        "reference",
        "sha256",
        "statement",
        "line",
    ),
)

refused_pairs = Table(
    "settlement_refused_pairs",
    metadata,
    partition(),
    *keys(String(100), "one", "other"),
    field("refused_by", PERSON),
    field("refused_at", BigInteger),
    field("why", Text),
)
"""Two that somebody said do not belong together: an item's reference and a line, or two lines, each as text. They are never
matched by a rule nor suggested again."""

generations = Table(
    "settlement_generations",
    metadata,
    partition(),
    field("generation", BigInteger),
)
"""One row: how often matches, breaks or rules were changed. A run that read an older generation is computed again."""
