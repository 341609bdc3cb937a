"""Reading and moving the counts of changes, one for each subject; they stand among the ledger's own numbers (`meta`)."""

from __future__ import annotations

from typing import Final

import sqlalchemy as sa

from ledger import plain
from ledger.tables import WHOLE

TERMINALS: Final = "terminals changed"
"""Certificates and revocations."""
BLOCKS: Final = "blocks changed"
"""Cards blocked and unblocked."""
_MOVE: Final = sa.text(
    "INSERT INTO meta (partition, name, value) VALUES (:partition, :name, 1) "
    "ON CONFLICT (partition, name) DO UPDATE SET value = meta.value + 1"
)
_COUNTS: Final = (
    f"SELECT name, value FROM meta WHERE partition = {WHOLE} AND name IN ('{TERMINALS}', '{BLOCKS}')"  # noqa: S608  our own names
)
"""As plain text: asked for each batch and each commit of orders, and putting a query together takes longer than answering it."""


def moved(connection: sa.Connection, subject: str) -> None:
    """Count a change; to be called in the transaction that makes it."""
    connection.execute(_MOVE, {"partition": WHOLE, "name": subject})


def counts(connection: sa.Connection) -> dict[str, int]:
    """How often each subject was changed; what is not named never was."""
    return dict(plain.asked(connection, _COUNTS))
