"""The cardholder's tables: page tokens, PINs, phone taps, screen codes, disputes, personal data, replaced cards."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0017"
down_revision = "0016"

_NAMES = ("page_tokens", "card_pins", "phone_taps", "screen_codes", "disputes", "holders", "replacements")


def _keys(*names: str) -> list[sa.Column[int]]:
    return [sa.Column(name, sa.BigInteger(), primary_key=True, autoincrement=False) for name in names]


def _numbers(*names: str) -> list[sa.Column[int]]:
    return [sa.Column(name, sa.BigInteger(), nullable=False) for name in names]


def _digest() -> sa.Column[bytes]:
    return sa.Column("digest", sa.LargeBinary(32), primary_key=True)


def upgrade() -> None:
    """Make them, empty."""
    op.create_table(
        "page_tokens", *_keys("partition"), _digest(), *_numbers("uid", "issued_at", "revoked_at")
    )
    op.create_table(
        "card_pins", *_keys("partition", "uid"), sa.Column("hash", sa.String(128), nullable=False), *_numbers("made_at"),
        sa.Column("failures", sa.Integer(), nullable=False), *_numbers("locked_until"),
    )  # fmt: skip
    op.create_table("phone_taps", *_keys("partition", "uid"), *_numbers("counter", "seen_at"))
    op.create_table("screen_codes", *_keys("partition"), _digest(), *_numbers("expires_at"))
    _disputes()
    op.create_table(
        "holders", *_keys("partition", "uid"), sa.Column("sealed", sa.LargeBinary(), nullable=False),
        sa.Column("purposes", sa.String(64), nullable=False), *_numbers("consented_at", "erased_at"),
    )  # fmt: skip
    op.create_table(
        "replacements", *_keys("partition", "uid"), *_numbers("replaced_by", "noted_at", "purse", "wallet", "moved_at")
    )  # fmt: skip


def _disputes() -> None:
    op.create_table(
        "disputes", *_keys("partition"), _digest(), *_numbers("uid", "tmc"),
        sa.Column("reason", sa.String(24), nullable=False), sa.Column("words", sa.LargeBinary(), nullable=False),
        *_numbers("opened_at"), sa.Column("due", sa.Integer(), nullable=False),
        sa.Column("state", sa.String(12), nullable=False), sa.Column("answer", sa.Text(), nullable=False),
        sa.Column("answered_by", sa.String(64), nullable=False), *_numbers("answered_at"),
    )  # fmt: skip
    op.create_index("disputes_by_card", "disputes", ["partition", "uid"])


def downgrade() -> None:
    """Forget them."""
    for name in reversed(_NAMES):
        op.drop_table(name)
