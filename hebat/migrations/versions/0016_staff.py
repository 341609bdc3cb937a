"""The staff of the console: accounts, sessions, tries, and the log that the database itself keeps from change."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0016"
down_revision = "0015"

_SQLITE = tuple(
    f"CREATE TRIGGER staff_audit_no_{verb} BEFORE {verb} ON staff_audit "
    "BEGIN SELECT RAISE(ABORT, 'the log of staff is never changed'); END"
    for verb in ("update", "delete")
)
_POSTGRESQL = (
    (
        "CREATE OR REPLACE FUNCTION staff_audit_refuse() RETURNS trigger LANGUAGE plpgsql AS "
        "'BEGIN RAISE EXCEPTION ''the log of staff is never changed''; END'"
    ),
    (
        "CREATE TRIGGER staff_audit_no_change BEFORE UPDATE OR DELETE ON staff_audit "
        "FOR EACH ROW EXECUTE FUNCTION staff_audit_refuse()"
    ),
    (
        "CREATE TRIGGER staff_audit_no_emptying BEFORE TRUNCATE ON staff_audit "
        "FOR EACH STATEMENT EXECUTE FUNCTION staff_audit_refuse()"
    ),
)


def _partition() -> sa.Column[int]:
    return sa.Column("partition", sa.Integer(), primary_key=True, autoincrement=False)


def _moment(name: str) -> sa.Column[int]:
    return sa.Column(name, sa.BigInteger(), nullable=False)


def upgrade() -> None:
    """Make the staff's tables; nobody has an account yet."""
    op.create_table(
        "staff",
        _partition(),
        sa.Column("name", sa.String(40), primary_key=True),
        sa.Column("roles", sa.String(60), nullable=False),
        sa.Column("password", sa.String(200), nullable=False),
        sa.Column("must_change", sa.Integer(), nullable=False),
        sa.Column("authenticator", sa.LargeBinary(), nullable=False),
        sa.Column("enrolled", sa.Integer(), nullable=False),
        _moment("last_step"),
        _moment("created_at"),
        _moment("disabled_at"),
    )
    op.create_table(
        "staff_recovery_codes",
        _partition(),
        sa.Column("name", sa.String(40), primary_key=True),
        sa.Column("digest", sa.LargeBinary(32), primary_key=True),
    )
    op.create_table(
        "staff_sessions",
        _partition(),
        sa.Column("digest", sa.LargeBinary(32), primary_key=True),
        sa.Column("name", sa.String(40), nullable=False, index=True),
        sa.Column("stage", sa.String(10), nullable=False),
        _moment("began_at"),
        _moment("seen_at"),
    )
    op.create_table(
        "staff_attempts",
        _partition(),
        sa.Column("subject", sa.String(10), primary_key=True),
        sa.Column("value", sa.String(80), primary_key=True),
        sa.Column("failures", sa.Integer(), nullable=False),
        _moment("last_at"),
        _moment("until"),
    )
    op.create_table(
        "staff_audit",
        _partition(),
        sa.Column("number", sa.BigInteger(), primary_key=True, autoincrement=False),
        _moment("at"),
        sa.Column("who", sa.String(60), nullable=False),
        sa.Column("address", sa.String(80), nullable=False),
        sa.Column("action", sa.String(40), nullable=False),
        sa.Column("subject", sa.String(140), nullable=False),
        sa.Column("detail", sa.Text(), nullable=False),
        sa.Column("previous", sa.LargeBinary(32), nullable=False),
        sa.Column("digest", sa.LargeBinary(32), nullable=False),
    )
    for guard in _SQLITE if op.get_bind().dialect.name == "sqlite" else _POSTGRESQL:
        op.execute(guard)


def downgrade() -> None:
    """Forget them; the log's guards go with it."""
    for name in ("staff_audit", "staff_attempts", "staff_sessions", "staff_recovery_codes", "staff"):
        op.drop_table(name)
    if op.get_bind().dialect.name == "postgresql":
        op.execute("DROP FUNCTION staff_audit_refuse()")
