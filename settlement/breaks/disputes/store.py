"""Disputes in the database."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa

from keys.clock import Day, UnixMs
from settlement.breaks.disputes.kept import Dispute, DisputeState
from settlement.breaks.tables import disputes
from settlement.people import Person
from settlement.tables import WHOLE


def insert(
    connection: sa.Connection, break_id: str, against: str, claim: str, deadline: Day, by: Person, at: UnixMs
) -> int:
    """Open a dispute; its ordinal among those of its break."""
    last = sa.select(sa.func.max(disputes.c.ordinal)).where(
        disputes.c.partition == WHOLE, disputes.c.break_id == break_id
    )
    ordinal = 1 + (connection.execute(last).scalar() or 0)
    values = {
        "partition": WHOLE, "break_id": break_id, "ordinal": ordinal, "against": against, "claim": claim, "deadline": deadline,
        "opened_by": by, "opened_at": at, "state": DisputeState.OPEN.value, "closed_by": "", "closed_at": 0, "outcome": "",
    }  # fmt: skip
    connection.execute(sa.insert(disputes), values)
    return ordinal


def close(
    connection: sa.Connection,
    break_id: str,
    ordinal: int,
    state: DisputeState,
    by: Person,
    at: UnixMs,
    outcome: str,
) -> None:
    """Note how a dispute ended."""
    here = (disputes.c.partition == WHOLE, disputes.c.break_id == break_id, disputes.c.ordinal == ordinal)
    told = {"state": state.value, "closed_by": by, "closed_at": at, "outcome": outcome}
    connection.execute(sa.update(disputes).where(*here).values(**told))


def of_break(connection: sa.Connection, break_id: str) -> tuple[Dispute, ...]:
    """All disputes of a break, oldest first."""
    here = (disputes.c.partition == WHOLE, disputes.c.break_id == break_id)
    query = sa.select(disputes).where(*here).order_by(disputes.c.ordinal)
    return tuple(dispute_of_row(row) for row in connection.execute(query))


def dispute_of_row(row: Any) -> Dispute:
    """A dispute of its row."""
    return Dispute(
        row.break_id, row.ordinal, row.against, row.claim, Day(row.deadline), Person(row.opened_by), UnixMs(row.opened_at),
        DisputeState(row.state), row.closed_by, UnixMs(row.closed_at), row.outcome,
    )  # fmt: skip
