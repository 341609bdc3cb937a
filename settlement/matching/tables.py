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

if TYPE_CHECKING:
    from sqlalchemy.sql.elements import ColumnElement

metadata = MetaData()
PERSON = String(64)
"""Who did it: a person's name of the console, or a step of the night."""


def partition() -> Column[int]:
    """The first column of every key."""
    return Column("partition", Integer, primary_key=True, autoincrement=False)


def number(name: str = "number", kind: type[BigInteger | Integer] = BigInteger) -> Column[int]:
    """A further column of a key that counts."""
    return Column(name, kind, primary_key=True, autoincrement=False)


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
    number(),
    Column("bank", Integer, nullable=False),
    Column("rule", String(40), nullable=False),
    Column("rules", Integer, nullable=False),
    Column("confidence", Integer, nullable=False),
    Column("difference", BigInteger, nullable=False),
    Column("evidence", Text, nullable=False),
    Column("night", Integer, nullable=False, index=True),
    Column("made_by", PERSON, nullable=False),
    Column("made_at", BigInteger, nullable=False),
    Column("proposal", BigInteger, nullable=False),
    Column("undone_by", PERSON, nullable=False),
    Column("undone_at", BigInteger, nullable=False),
    Column("undone_why", Text, nullable=False),
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
    number("match"),
    Column("reference", String(35), primary_key=True),
    Column("active", Boolean, nullable=False),
    only_where(
        "settlement_matching_items_prove_once", sa.column("active").is_(sa.true()), "partition", "reference"
    ),
)

match_lines = Table(
    "settlement_matching_lines",
    metadata,
    partition(),
    number("match"),
    *line_columns(key=True),
    Column("active", Boolean, nullable=False),
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
    number(),
    Column("reference", String(35), nullable=False),
    *line_columns(),
    Column("score", Integer, nullable=False),
    Column("evidence", Text, nullable=False),
    Column("night", Integer, nullable=False, index=True),
    Column("state", String(10), nullable=False),
    Column("decided_by", PERSON, nullable=False),
    Column("decided_at", BigInteger, nullable=False),
    Column("decided_why", Text, nullable=False),
    CheckConstraint("score BETWEEN 0 AND 100", name="settlement_suggestions_are_scored_by_percent"),
    Index("settlement_suggestions_by_state", "partition", "state", "number"),
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
    Column("one", String(100), primary_key=True),
    Column("other", String(100), primary_key=True),
    Column("refused_by", PERSON, nullable=False),
    Column("refused_at", BigInteger, nullable=False),
    Column("why", Text, nullable=False),
)
"""Two that somebody said do not belong together: an item's reference and a line, or two lines, each as text. They are never
matched by a rule nor suggested again."""

generations = Table(
    "settlement_generations",
    metadata,
    partition(),
    Column("generation", BigInteger, nullable=False),
)
"""One row: how often matches, breaks or rules were changed. A run that read an older generation is computed again."""
