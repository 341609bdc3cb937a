"""Reading a terminal's batches and what became of its quarantined records."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from ledger.chain.store import documents_of
from ledger.intake import tables
from ledger.intake.outcomes import Outcomes
from ledger.tables import WHOLE

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ledger.store import Connection


def batches(
    connection: Connection, terminal: int, first: int, last: int
) -> Iterator[tuple[bytes, list[dict[str, Any]]]]:
    """The signed bytes of each batch that holds records of a span, and what became of its records."""
    table = tables.batches
    query = sa.select(table.c.block, table.c.ordinal, table.c.results).where(
        table.c.partition == WHOLE, table.c.terminal == terminal, table.c.first_sequence <= last,
        table.c.last_sequence >= first,
    )  # fmt: skip
    for block, ordinal, results in connection.execute(query.order_by(table.c.first_sequence)).all():
        yield documents_of(connection, block, block)[block][ordinal], Outcomes.read(results).said()


def resolutions(connection: Connection, terminal: int, first: int, last: int) -> dict[int, str]:
    """How quarantined records of a span were settled ("" while open), by sequence."""
    table = tables.quarantine
    query = sa.select(table.c.sequence, table.c.resolution).where(
        table.c.partition == WHOLE, table.c.terminal == terminal, table.c.sequence.between(first, last)
    )
    return {row[0]: row[1] for row in connection.execute(query)}
