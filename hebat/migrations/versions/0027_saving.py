"""Saving accounts linked to cards: consents, mirrors of what banks say, what nights found, virtual accounts."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0027"
down_revision = "0026"


def _key(name: str, kind: sa.types.TypeEngine[Any]) -> sa.Column[Any]:
    return sa.Column(name, kind, primary_key=True, autoincrement=False)


def _link() -> tuple[sa.Column[Any], ...]:
    return _key("partition", sa.BigInteger()), _key("uid", sa.BigInteger()), _key("ordinal", sa.Integer())


def _given(kind: sa.types.TypeEngine[Any], *names: str) -> list[sa.Column[Any]]:
    return [sa.Column(name, kind, nullable=False) for name in names]


def upgrade() -> None:
    """Make the tables; no account was linked before."""
    number = sa.BigInteger()
    op.create_table(
        "saving_links", *_link(), *_given(sa.String(20), "bank"), *_given(sa.String(10), "state"), *_given(sa.String(64), "purposes"),
        *_given(number, "consented_at", "revoked_at"), *_given(sa.String(4), "digits"), *_given(sa.LargeBinary(), "sealed"),
        sa.CheckConstraint("state IN ('asked', 'active', 'refused', 'revoking', 'revoked')", name="saving_links_state"),
    )  # fmt: skip
    op.create_index("saving_links_by_state", "saving_links", ["state"])
    op.create_table(
        "saving_mirrors", *_link(), *_given(number, "balance", "at"), *_given(sa.String(10), "source"), *_given(sa.String(64), "line"),
        *_given(number, "line_balance", "line_at"),
    )  # fmt: skip
    op.create_table(
        "saving_told", _key("partition", number), _key("reference", sa.String(64)), _key("line", sa.String(64)),
        *_given(number, "uid"), *_given(sa.Integer(), "ordinal"), *_given(number, "amount", "at"),
    )  # fmt: skip
    op.create_table(
        "saving_checks", *_link(), _key("business_date", sa.Integer()), *_given(sa.String(20), "bank"), *_given(number, "apart"),
        *_given(sa.Text(), "text"), *_given(sa.Integer(), "reached"),
    )  # fmt: skip
    op.create_table(
        "virtual_accounts", _key("partition", number), _key("number", sa.String(28)), _key("bank", sa.String(20)),
        *_given(number, "uid", "opened_at"),
    )  # fmt: skip


def downgrade() -> None:
    """Forget them."""
    for name in ("virtual_accounts", "saving_checks", "saving_told", "saving_mirrors", "saving_links"):
        op.drop_table(name)
