"""Breaks and suggestions are found by their line and their item, and added up by age, without reading all of them."""

from __future__ import annotations

from alembic import op

revision = "9402"
down_revision = "9401"
_PLACES = (
    ("settlement_breaks_sizes", "settlement_breaks", ["partition", "closed_night", "since", "difference"]),
    ("settlement_breaks_by_line", "settlement_breaks", ["partition", "sha256", "statement", "line"]),
    ("settlement_breaks_by_reference", "settlement_breaks", ["partition", "reference"]),
    (
        "settlement_suggestions_by_line",
        "settlement_suggestions",
        ["partition", "sha256", "statement", "line"],
    ),
)


def upgrade() -> None:
    """Make the indexes."""
    for name, table, columns in _PLACES:
        op.create_index(name, table, columns)


def downgrade() -> None:
    """Drop them."""
    for name, table, _ in _PLACES:
        op.drop_index(name, table)
