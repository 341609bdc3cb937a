"""Loads and refunds that the ledger authorised, each with where it stands: authorised, intended, closed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import sqlalchemy as sa

from ledger.intake import tables
from ledger.schema import columns_of, values_of
from ledger.tables import WHOLE

if TYPE_CHECKING:
    from keys.clock import UnixMs

AUTHORISED: Final = "held"
"""A hold, and no commit on its way: the card cannot have been loaded."""
INTENDED: Final = "intended"
"""The commit was given away: only the card can tell."""
CLOSED: Final = "closed"
"""It needs nothing more: its record is in the books."""


@dataclass(frozen=True, slots=True)
class LoadRow:
    """An authorised load or refund: the hold's position, the request that it answers, and the sale that is given back (0 for a load)."""

    terminal: int
    request: int
    digest: bytes
    uid: int
    amount: int
    hold: int
    received_at: UnixMs
    state: str = CLOSED
    intent: bytes = b""
    sale_terminal: int = 0
    sale_sequence: int = 0
    reason: str = ""


def insert_load(connection: sa.Connection, row: LoadRow) -> None:
    """Record an authorised load."""
    connection.execute(sa.insert(tables.loads), {"partition": WHOLE, **values_of(row)})


def change_load(connection: sa.Connection, terminal: int, request: int, state: str, intent: bytes) -> None:
    """Say where a load stands now."""
    connection.execute(
        sa.update(tables.loads).where(_of(terminal, request)).values(state=state, intent=intent)
    )


def load_of(connection: sa.Connection, terminal: int, request: int) -> LoadRow | None:
    """An authorised load by the terminal's request number."""
    table = tables.loads
    return _load(connection, sa.and_(table.c.terminal == terminal, table.c.request == request))


def load_of_hold(connection: sa.Connection, terminal: int, hold: int) -> LoadRow | None:
    """An authorised load of a terminal by its hold."""
    table = tables.loads
    return _load(connection, sa.and_(table.c.terminal == terminal, table.c.hold == hold))


def _load(connection: sa.Connection, where: Any) -> LoadRow | None:
    table = tables.loads
    query = sa.select(*columns_of(table, LoadRow)).where(table.c.partition == WHOLE, where)
    row = connection.execute(query).first()
    return None if row is None else load_row(row)


def load_row(row: Any) -> LoadRow:
    """A load as the database gives it."""
    values = list(row)
    values[2], values[8] = bytes(values[2]), bytes(values[8])
    return LoadRow(*values)


def _of(terminal: int, request: int) -> sa.ColumnElement[bool]:
    table = tables.loads
    return sa.and_(table.c.partition == WHOLE, table.c.terminal == terminal, table.c.request == request)


def open_loads(connection: sa.Connection) -> list[LoadRow]:
    """Loads that are not closed: those that a ledger was running when it stopped."""
    table = tables.loads
    query = sa.select(*columns_of(table, LoadRow))
    where = sa.and_(table.c.partition == WHOLE, table.c.state != CLOSED)
    return [load_row(row) for row in connection.execute(query.where(where))]


def is_being_loaded(connection: sa.Connection, hold: int) -> bool:
    """True where a terminal has a load with this hold under way."""
    table = tables.loads
    where = sa.and_(table.c.partition == WHOLE, table.c.hold == hold, table.c.state != CLOSED)
    return connection.execute(sa.select(table.c.request).where(where)).first() is not None


def refunds_of(connection: sa.Connection, terminal: int, sequence: int) -> list[LoadRow]:
    """What was asked for to give a sale back, whatever became of it."""
    table = tables.loads
    query = sa.select(*columns_of(table, LoadRow)).where(
        table.c.partition == WHOLE, table.c.sale_terminal == terminal, table.c.sale_sequence == sequence
    )
    return [load_row(row) for row in connection.execute(query)]


def promised(connection: sa.Connection, terminal: int) -> int:
    """Rupiah of a kiosk's loads that are not closed: authorised, and perhaps on a card already."""
    table = tables.loads
    where = sa.and_(table.c.partition == WHOLE, table.c.terminal == terminal, table.c.state != CLOSED)
    return int(connection.execute(sa.select(sa.func.sum(table.c.amount)).where(where)).scalar() or 0)
