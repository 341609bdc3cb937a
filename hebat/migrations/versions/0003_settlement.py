"""The first tables of settlement."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    """Create them."""
    _settlement_breaks()
    _settlement_items()
    _settlement_matches()
    _settlement_payment_files()
    _settlement_positions()
    _settlements()
    _statement_files()
    _statement_lines()
    _statements()


def downgrade() -> None:
    """Drop them; for an empty ledger only."""
    op.drop_table("statements")
    op.drop_table("statement_lines")
    op.drop_table("statement_files")
    op.drop_table("settlements")
    op.drop_table("settlement_positions")
    op.drop_table("settlement_payment_files")
    op.drop_table("settlement_matches")
    op.drop_table("settlement_items")
    op.drop_table("settlement_breaks")


def _settlement_breaks() -> None:
    op.create_table(
        "settlement_breaks",
        sa.Column("partition", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("break_id", sa.String(length=20), nullable=False),
        sa.Column("reason", sa.String(length=40), nullable=False),
        sa.Column("bank", sa.Integer(), nullable=False),
        sa.Column("reference", sa.String(length=35), nullable=False),
        sa.Column("business_date", sa.Integer(), nullable=True),
        sa.Column("sha256", sa.String(length=64), nullable=False),
        sa.Column("statement", sa.Integer(), nullable=False),
        sa.Column("line", sa.Integer(), nullable=False),
        sa.Column("difference", sa.BigInteger(), nullable=False),
        sa.Column("evidence", sa.Text(), nullable=False),
        sa.Column("night", sa.Integer(), nullable=False),
        sa.Column("closed_night", sa.Integer(), nullable=True),
        sa.PrimaryKeyConstraint("partition", "break_id"),
    )
    op.create_index(
        op.f("ix_settlement_breaks_business_date"), "settlement_breaks", ["business_date"], unique=False
    )
    op.create_index(op.f("ix_settlement_breaks_night"), "settlement_breaks", ["night"], unique=False)


def _settlement_items() -> None:
    op.create_table(
        "settlement_items",
        sa.Column("partition", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("reference", sa.String(length=35), nullable=False),
        sa.Column("business_date", sa.Integer(), nullable=False),
        sa.Column("bank", sa.Integer(), nullable=False),
        sa.Column("kind", sa.String(length=20), nullable=False),
        sa.Column("code", sa.Integer(), nullable=False),
        sa.Column("party", sa.BigInteger(), nullable=False),
        sa.Column("name", sa.String(length=140), nullable=False),
        sa.Column("amount", sa.BigInteger(), nullable=False),
        sa.Column("due", sa.Integer(), nullable=False),
        sa.Column("rail", sa.String(length=20), nullable=False),
        sa.CheckConstraint("amount <> 0", name="settlement_items_move_something"),
        sa.PrimaryKeyConstraint("partition", "reference"),
    )
    op.create_index(
        op.f("ix_settlement_items_business_date"), "settlement_items", ["business_date"], unique=False
    )


def _settlement_matches() -> None:
    op.create_table(
        "settlement_matches",
        sa.Column("partition", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("reference", sa.String(length=35), nullable=False),
        sa.Column("sha256", sa.String(length=64), nullable=False),
        sa.Column("statement", sa.Integer(), nullable=False),
        sa.Column("line", sa.Integer(), nullable=False),
        sa.Column("rule", sa.String(length=40), nullable=False),
        sa.Column("night", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("partition", "reference"),
        sa.UniqueConstraint(
            "partition", "sha256", "statement", "line", name="settlement_matches_use_a_line_once"
        ),
    )
    op.create_index(op.f("ix_settlement_matches_night"), "settlement_matches", ["night"], unique=False)


def _settlement_payment_files() -> None:
    op.create_table(
        "settlement_payment_files",
        sa.Column("partition", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("business_date", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("bank", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("name", sa.String(length=80), nullable=False),
        sa.Column("sha256", sa.String(length=64), nullable=False),
        sa.Column("payments", sa.Integer(), nullable=False),
        sa.Column("total", sa.BigInteger(), nullable=False),
        sa.Column("content", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("partition", "business_date", "bank"),
    )


def _settlement_positions() -> None:
    op.create_table(
        "settlement_positions",
        sa.Column("partition", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("business_date", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("purpose", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("bank", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("code", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("number", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("name", sa.String(length=140), nullable=False),
        sa.Column("gross", sa.BigInteger(), nullable=False),
        sa.Column("refunds", sa.BigInteger(), nullable=False),
        sa.Column("fee", sa.BigInteger(), nullable=False),
        sa.Column("net", sa.BigInteger(), nullable=False),
        sa.CheckConstraint("net = gross - refunds - fee", name="settlement_positions_add_up"),
        sa.PrimaryKeyConstraint("partition", "business_date", "purpose", "bank", "code", "number"),
    )


def _settlements() -> None:
    op.create_table(
        "settlements",
        sa.Column("partition", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("business_date", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("closed_at", sa.BigInteger(), nullable=False),
        sa.Column("head", sa.LargeBinary(length=32), nullable=False),
        sa.Column("first_position", sa.BigInteger(), nullable=False),
        sa.Column("last_position", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("partition", "business_date"),
    )


def _statement_files() -> None:
    op.create_table(
        "statement_files",
        sa.Column("partition", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("sha256", sa.String(length=64), nullable=False),
        sa.Column("name", sa.String(length=255), nullable=False),
        sa.Column("night", sa.Integer(), nullable=False),
        sa.Column("verdict", sa.String(length=20), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("line", sa.Integer(), nullable=False),
        sa.Column("bytes", sa.BigInteger(), nullable=False),
        sa.Column("content", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("partition", "sha256", "name"),
    )
    op.create_index(op.f("ix_statement_files_night"), "statement_files", ["night"], unique=False)


def _statement_lines() -> None:
    op.create_table(
        "statement_lines",
        sa.Column("partition", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("sha256", sa.String(length=64), nullable=False),
        sa.Column("statement", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("number", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("bank", sa.Integer(), nullable=False),
        sa.Column("value_date", sa.Integer(), nullable=False),
        sa.Column("booking_date", sa.Integer(), nullable=False),
        sa.Column("amount", sa.BigInteger(), nullable=False),
        sa.Column("currency", sa.String(length=3), nullable=False),
        sa.Column("reference", sa.Text(), nullable=False),
        sa.Column("end_to_end", sa.Text(), nullable=False),
        sa.Column("remittance", sa.Text(), nullable=False),
        sa.Column("bank_reference", sa.Text(), nullable=False),
        sa.Column("source_line", sa.Integer(), nullable=False),
        sa.Column("repeated", sa.Boolean(), nullable=False),
        sa.PrimaryKeyConstraint("partition", "sha256", "statement", "number"),
    )
    op.create_index(
        "statement_lines_by_booking",
        "statement_lines",
        ["partition", "bank", "booking_date", "amount"],
        unique=False,
    )


def _statements() -> None:
    op.create_table(
        "statements",
        sa.Column("partition", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("sha256", sa.String(length=64), nullable=False),
        sa.Column("number", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("bank", sa.Integer(), nullable=False),
        sa.Column("chain", sa.Integer(), nullable=False),
        sa.Column("account", sa.String(length=64), nullable=False),
        sa.Column("identifier", sa.String(length=80), nullable=False),
        sa.Column("currency", sa.String(length=3), nullable=False),
        sa.Column("opening_date", sa.Integer(), nullable=False),
        sa.Column("opening", sa.BigInteger(), nullable=False),
        sa.Column("closing_date", sa.Integer(), nullable=False),
        sa.Column("closing", sa.BigInteger(), nullable=False),
        sa.Column("lines", sa.Integer(), nullable=False),
        sa.Column("night", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("partition", "sha256", "number"),
        sa.UniqueConstraint("partition", "bank", "chain", name="statements_form_one_chain_a_bank"),
    )
    op.create_index(op.f("ix_statements_night"), "statements", ["night"], unique=False)
