"""Where loads stand, in the intake's tables: authorised, intended, closed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import sqlalchemy as sa

from ledger.intake import tables
from ledger.tables import WHOLE

if TYPE_CHECKING:
    from ledger.intake.store import LoadRow, TapRow

AUTHORISED: Final = "held"
"""A hold, and no commit on its way: the card cannot have been loaded."""
INTENDED: Final = "intended"
"""The commit was given away: only the card can tell."""


def _of(terminal: int, request: int) -> sa.ColumnElement[bool]:
    table = tables.loads
    return sa.and_(table.c.partition == WHOLE, table.c.terminal == terminal, table.c.request == request)


def change_load(connection: sa.Connection, terminal: int, request: int, state: str, intent: bytes) -> None:
    """Say where a load stands now."""
    connection.execute(
        sa.update(tables.loads).where(_of(terminal, request)).values(state=state, intent=intent)
    )


def open_loads(connection: sa.Connection) -> list[LoadRow]:
    """Loads that are not closed: those that a ledger was running when it stopped."""
    from ledger.intake.store import CLOSED, LoadRow, load_row  # noqa: PLC0415  the registry reads through both

    table = tables.loads
    query = sa.select(*[table.c[name] for name in LoadRow.__slots__])
    where = sa.and_(table.c.partition == WHOLE, table.c.state != CLOSED)
    return [load_row(row) for row in connection.execute(query.where(where))]


def is_being_loaded(connection: sa.Connection, hold: int) -> bool:
    """True where a terminal has a load with this hold under way."""
    from ledger.intake.store import CLOSED  # noqa: PLC0415  as above

    table = tables.loads
    where = sa.and_(table.c.partition == WHOLE, table.c.hold == hold, table.c.state != CLOSED)
    return connection.execute(sa.select(table.c.request).where(where)).first() is not None


def refunds_of(connection: sa.Connection, terminal: int, sequence: int) -> list[LoadRow]:
    """What was asked for to give a sale back, whatever became of it."""
    from ledger.intake.store import LoadRow, load_row  # noqa: PLC0415  as above

    table = tables.loads
    query = sa.select(*[table.c[name] for name in LoadRow.__slots__]).where(
        table.c.partition == WHOLE, table.c.sale_terminal == terminal, table.c.sale_sequence == sequence
    )
    return [load_row(row) for row in connection.execute(query)]


def tap_of_record(
    connection: sa.Connection, partition: int, uid: int, terminal: int, sequence: int
) -> TapRow | None:
    """A card's tap by the record that a terminal made of it; None where it is not in the books."""
    from ledger.intake.store import TapRow, tap_row  # noqa: PLC0415  as above

    table = tables.taps
    query = sa.select(*[table.c[name] for name in TapRow.__slots__]).where(
        table.c.partition == partition,
        table.c.uid == uid,
        table.c.terminal == terminal,
        table.c.sequence == sequence,
    )
    row = connection.execute(query).first()
    return None if row is None else tap_row(row)


def promised(connection: sa.Connection, terminal: int) -> int:
    """Rupiah of a kiosk's loads that are not closed: authorised, and perhaps on a card already."""
    from ledger.intake.store import CLOSED  # noqa: PLC0415  as above

    table = tables.loads
    where = sa.and_(table.c.partition == WHOLE, table.c.terminal == terminal, table.c.state != CLOSED)
    return int(connection.execute(sa.select(sa.func.sum(table.c.amount)).where(where)).scalar() or 0)


def set_versions(connection: sa.Connection, partition: int, uid: int, versions: bytes, coming: bytes) -> None:
    """Which versions a card's keys have, and which they are about to have."""
    table = tables.cards
    one = sa.and_(table.c.partition == partition, table.c.uid == uid)
    connection.execute(
        sa.update(table).where(one).values(key_versions=versions.hex(), coming_versions=coming.hex())
    )
