"""Matches of many items and lines that can be undone, suggestions; breaks with owners, history, proposals, disputes, suspense."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0020"
down_revision = "0019"

_NEVER = "history of a break is never changed"
_EVENTS = "settlement_break_events"


def upgrade() -> None:
    """Make the tables; matches and breaks of before stay what they are, made by the night."""
    _matches()
    _decisions()
    _carry_matches()
    op.drop_table("settlement_matches")
    _widen_breaks()
    _break_tables()
    _proposals()
    _suspense()
    for statement in _never_changed(op.get_bind().dialect.name):
        op.execute(statement)


def downgrade() -> None:
    """Drop them; for an empty ledger only."""
    if op.get_bind().dialect.name == "postgresql":
        op.execute(f"DROP FUNCTION {_EVENTS}_kept CASCADE")
    for name in (
        "settlement_suspense", "settlement_disputes", "settlement_proposals", "settlement_break_files", _EVENTS,
        "settlement_generations", "settlement_refused_pairs", "settlement_suggestions",
        "settlement_matching_lines", "settlement_matching_items", "settlement_matchings",
    ):  # fmt: skip
        op.drop_table(name)
    op.drop_index("settlement_breaks_by_age", "settlement_breaks")
    for name in ("match", "shown", "cause", "cause_evidence", "severity", "owner", "since", "proposal"):
        op.drop_column("settlement_breaks", name)
    _old_matches()


def _key(name: str = "partition", kind: type[sa.Integer] = sa.Integer) -> sa.Column[int]:
    return sa.Column(name, kind(), primary_key=True, autoincrement=False)


def _number(name: str = "number") -> sa.Column[int]:
    return sa.Column(name, sa.BigInteger(), primary_key=True, autoincrement=False)


def _column(name: str, kind: Any) -> sa.Column[Any]:
    return sa.Column(name, kind, nullable=False)


def _line(*, key: bool = False) -> list[sa.Column[object]]:
    return [
        sa.Column("sha256", sa.String(64), primary_key=key, nullable=False),
        sa.Column("statement", sa.Integer(), primary_key=key, autoincrement=False, nullable=False),
        sa.Column("line", sa.Integer(), primary_key=key, autoincrement=False, nullable=False),
    ]


def _only_where(name: str, table: str, columns: list[str], condition: str, *, unique: bool = True) -> None:
    where = sa.text(condition)
    op.create_index(name, table, columns, unique=unique, sqlite_where=where, postgresql_where=where)


def _matches() -> None:
    op.create_table(
        "settlement_matchings", _key(), _number(), _column("bank", sa.Integer), _column("rule", sa.String(40)),
        _column("rules", sa.Integer), _column("confidence", sa.Integer), _column("difference", sa.BigInteger),
        _column("evidence", sa.Text), _column("night", sa.Integer), _column("made_by", sa.String(64)),
        _column("made_at", sa.BigInteger), _column("proposal", sa.BigInteger), _column("undone_by", sa.String(64)),
        _column("undone_at", sa.BigInteger), _column("undone_why", sa.Text),
        sa.CheckConstraint("confidence BETWEEN 0 AND 100", name="settlement_matchings_are_sure_by_percent"),
        sa.CheckConstraint(
            "(undone_by = '') = (undone_at = 0) AND (undone_by = '') = (undone_why = '')",
            name="settlement_matchings_undone_say_who_and_why",
        ),
    )  # fmt: skip
    op.create_index("ix_settlement_matchings_night", "settlement_matchings", ["night"])
    _only_where(
        "settlement_matchings_with_difference", "settlement_matchings", ["partition", "number"], "difference != 0", unique=False
    )  # fmt: skip
    op.create_table(
        "settlement_matching_items", _key(), _number("match"), sa.Column("reference", sa.String(35), primary_key=True),
        _column("active", sa.Boolean),
    )  # fmt: skip
    op.create_table(
        "settlement_matching_lines", _key(), _number("match"), *_line(key=True), _column("active", sa.Boolean)
    )
    active = "active IS true" if op.get_bind().dialect.name == "postgresql" else "active IS 1"
    _only_where(
        "settlement_matching_items_prove_once", "settlement_matching_items", ["partition", "reference"], active
    )  # fmt: skip
    _only_where(
        "settlement_matching_lines_count_once", "settlement_matching_lines", ["partition", "sha256", "statement", "line"], active
    )  # fmt: skip


def _decisions() -> None:
    op.create_table(
        "settlement_suggestions", _key(), _number(), _column("reference", sa.String(35)), *_line(), _column("score", sa.Integer),
        _column("evidence", sa.Text), _column("night", sa.Integer), _column("state", sa.String(10)),
        _column("decided_by", sa.String(64)), _column("decided_at", sa.BigInteger), _column("decided_why", sa.Text),
        sa.CheckConstraint("score BETWEEN 0 AND 100", name="settlement_suggestions_are_scored_by_percent"),
    )  # fmt: skip
    op.create_index("ix_settlement_suggestions_night", "settlement_suggestions", ["night"])
    op.create_index(
        "settlement_suggestions_by_state", "settlement_suggestions", ["partition", "state", "number"]
    )
    _only_where(
        "settlement_suggestions_wait_once", "settlement_suggestions",
        ["partition", "reference", "sha256", "statement", "line"], "state = 'waiting'",
    )  # fmt: skip
    op.create_table(
        "settlement_refused_pairs", _key(), sa.Column("one", sa.String(100), primary_key=True),
        sa.Column("other", sa.String(100), primary_key=True), _column("refused_by", sa.String(64)),
        _column("refused_at", sa.BigInteger), _column("why", sa.Text),
    )  # fmt: skip
    op.create_table("settlement_generations", _key(), _column("generation", sa.BigInteger))


def _carry_matches() -> None:
    bind = op.get_bind()
    old = sa.text(
        "SELECT m.partition, m.reference, m.sha256, m.statement, m.line, m.rule, m.night, i.bank FROM settlement_matches m "
        "JOIN settlement_items i ON i.partition = m.partition AND i.reference = m.reference ORDER BY m.night, m.reference"
    )
    match = sa.text(
        "INSERT INTO settlement_matchings VALUES (:partition, :number, :bank, :rule, 0, :confidence, 0, '', :night, 'night', 0, 0, '', 0, '')"
    )
    of_item = sa.text(
        "INSERT INTO settlement_matching_items VALUES (:partition, :number, :reference, :active)"
    )
    of_line = sa.text(
        "INSERT INTO settlement_matching_lines VALUES (:partition, :number, :sha256, :statement, :line, :active)"
    )
    for number, row in enumerate(bind.execute(old).all(), start=1):
        told = {**row._mapping, "number": number, "active": True}  # noqa: SLF001  SQLAlchemy's documented view of a row
        told["confidence"] = 100 if row.rule == "reference and amount" else 95
        for statement in (match, of_item, of_line):
            bind.execute(statement, {name: told[name] for name in statement.compile().params})


def _widen_breaks() -> None:
    for name, kind, default in (
        ("match", sa.BigInteger(), "0"), ("shown", sa.BigInteger(), "0"), ("cause", sa.String(40), ""),
        ("cause_evidence", sa.Text(), ""), ("severity", sa.Integer(), "2"), ("owner", sa.String(64), ""),
        ("since", sa.Integer(), "0"), ("proposal", sa.BigInteger(), "0"),
    ):  # fmt: skip
        op.add_column("settlement_breaks", sa.Column(name, kind, nullable=False, server_default=default))
    op.execute("UPDATE settlement_breaks SET since = COALESCE(business_date, night)")
    op.execute(
        "UPDATE settlement_breaks SET shown = COALESCE((SELECT l.amount FROM statement_lines l WHERE "
        "l.partition = settlement_breaks.partition AND l.sha256 = settlement_breaks.sha256 AND "
        "l.statement = settlement_breaks.statement AND l.number = settlement_breaks.line), 0)"
    )
    op.create_index(
        "settlement_breaks_by_age", "settlement_breaks", ["partition", "closed_night", "since", "break_id"]
    )


def _break_tables() -> None:
    op.create_table(
        _EVENTS, _key(), sa.Column("break_id", sa.String(20), primary_key=True), _key("ordinal"), _column("at", sa.BigInteger),
        _column("who", sa.String(64)), _column("what", sa.String(20)), _column("said", sa.Text), _column("sha256", sa.String(64)),
    )  # fmt: skip
    op.create_table(
        "settlement_break_files", _key(), sa.Column("sha256", sa.String(64), primary_key=True), _column("bytes", sa.BigInteger),
        _column("content", sa.LargeBinary),
    )  # fmt: skip
    op.create_table(
        "settlement_disputes", _key(), sa.Column("break_id", sa.String(20), primary_key=True), _key("ordinal"),
        _column("against", sa.String(140)), _column("claim", sa.Text), _column("deadline", sa.Integer),
        _column("opened_by", sa.String(64)), _column("opened_at", sa.BigInteger), _column("state", sa.String(10)),
        _column("closed_by", sa.String(64)), _column("closed_at", sa.BigInteger), _column("outcome", sa.Text),
    )  # fmt: skip
    op.create_index(
        "settlement_disputes_by_deadline", "settlement_disputes", ["partition", "state", "deadline"]
    )


def _proposals() -> None:
    op.create_table(
        "settlement_proposals", _key(), _number(), _column("break_id", sa.String(20)), _column("kind", sa.String(20)),
        _column("debit", sa.BigInteger), _column("credit", sa.BigInteger), _column("amount", sa.BigInteger), _column("why", sa.Text),
        _column("proposed_by", sa.String(64)), _column("proposed_at", sa.BigInteger), _column("state", sa.String(10)),
        _column("decided_by", sa.String(64)), _column("decided_at", sa.BigInteger), _column("decided_why", sa.Text),
        _column("position", sa.BigInteger),
        sa.CheckConstraint("amount > 0", name="settlement_proposals_move_something"),
        sa.CheckConstraint("debit <> credit", name="settlement_proposals_have_two_sides"),
        sa.CheckConstraint("proposed_by <> ''", name="settlement_proposals_have_a_maker"),
        sa.CheckConstraint(
            "state = 'withdrawn' OR decided_by <> proposed_by", name="settlement_proposals_maker_is_not_checker"
        ),
        sa.CheckConstraint(
            "(state = 'waiting') = (decided_by = '') AND (state = 'approved') = (position > 0)",
            name="settlement_proposals_are_decided_by_somebody",
        ),
    )  # fmt: skip
    op.create_index("ix_settlement_proposals_break_id", "settlement_proposals", ["break_id"])
    op.create_index("settlement_proposals_by_state", "settlement_proposals", ["partition", "state", "number"])
    _only_where(
        "settlement_proposals_wait_one_a_break", "settlement_proposals", ["partition", "break_id"], "state = 'waiting'"
    )  # fmt: skip


def _suspense() -> None:
    op.create_table(
        "settlement_suspense", _key(), _number(), *_line(), _column("bank", sa.Integer), _column("amount", sa.BigInteger),
        _column("entered_position", sa.BigInteger), _column("entered_at", sa.BigInteger), _column("night", sa.Integer),
        _column("left_position", sa.BigInteger), _column("left_at", sa.BigInteger), _column("why", sa.Text),
        sa.CheckConstraint("amount <> 0", name="settlement_suspense_moves_something"),
    )  # fmt: skip
    op.create_index("ix_settlement_suspense_night", "settlement_suspense", ["night"])
    op.create_index(
        "settlement_suspense_by_bank", "settlement_suspense", ["partition", "left_position", "bank"]
    )
    _only_where(
        "settlement_suspense_holds_a_line_once", "settlement_suspense", ["partition", "sha256", "statement", "line"],
        "left_position = 0",
    )  # fmt: skip


def _never_changed(dialect: str) -> list[str]:
    """As `settlement.breaks.tables.never_changed` is today."""
    if dialect == "sqlite":
        return [
            f"CREATE TRIGGER {_EVENTS}_no_{act} BEFORE {act} ON {_EVENTS} BEGIN SELECT RAISE(ABORT, '{_NEVER}'); END"
            for act in ("update", "delete")
        ]
    return [
        f"CREATE FUNCTION {_EVENTS}_kept() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION '{_NEVER}'; END $$",
        f"CREATE TRIGGER {_EVENTS}_kept BEFORE UPDATE OR DELETE ON {_EVENTS} FOR EACH ROW EXECUTE FUNCTION {_EVENTS}_kept()",
    ]


def _old_matches() -> None:
    op.create_table(
        "settlement_matches", _key(), sa.Column("reference", sa.String(35), primary_key=True), *_line(),
        _column("rule", sa.String(40)), _column("night", sa.Integer),
        sa.UniqueConstraint("partition", "sha256", "statement", "line", name="settlement_matches_use_a_line_once"),
    )  # fmt: skip
    op.create_index("ix_settlement_matches_night", "settlement_matches", ["night"])
