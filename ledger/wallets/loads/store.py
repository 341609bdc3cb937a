"""Ordered loads and standing orders, read and written; writing functions take the connection of a unit of the ledger's writer."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Any, Final

import sqlalchemy as sa

from keys.clock import UnixMs
from keys.money import Sen
from ledger.schema import values_of
from ledger.wallets.tables import loads, standing

if TYPE_CHECKING:
    from ledger.store import Connection

_WAITING: Final = loads.c.ended_at == 0


class Fate(StrEnum):
    """What became of an ordered load."""

    WAITING = "waiting"
    WRITTEN = "written"
    CANCELLED = "cancelled"
    EXPIRED = "expired"


@dataclass(frozen=True, slots=True)
class Ordered:
    """A load that a card's next tap writes; sen, `hold` is the journal position of what its wallet holds for it."""

    partition: int
    uid: int
    ordinal: int
    amount: Sen
    hold: int
    ordered_at: UnixMs
    expires_at: UnixMs
    automatic: bool = False
    ended_at: UnixMs = UnixMs(0)  # noqa: RUF009  a number
    fate: Fate = Fate.WAITING


@dataclass(frozen=True, slots=True)
class Standing:
    """A standing order: `amount` onto the card whenever it holds less than `below`, at most `daily` in a calendar day; sen."""

    partition: int
    uid: int
    below: Sen
    amount: Sen
    daily: Sen
    set_at: UnixMs


def waiting_of(connection: Connection, partition: int, uid: int) -> Ordered | None:
    """The load that waits for a card; a card has one at most."""
    query = sa.select(loads).where(loads.c.partition == partition, loads.c.uid == uid, _WAITING)
    row = connection.execute(query.limit(1)).first()
    return None if row is None else _ordered(row)


def all_waiting(connection: Connection, count: int) -> list[Ordered]:
    """The loads that wait, whosever they are, the oldest first."""
    query = sa.select(loads).where(_WAITING).order_by(loads.c.ordered_at).limit(count)
    return [_ordered(row) for row in connection.execute(query)]


def loads_of(connection: Connection, partition: int, uid: int, count: int) -> list[Ordered]:
    """A card's newest ordered loads."""
    query = sa.select(loads).where(loads.c.partition == partition, loads.c.uid == uid)
    return [_ordered(row) for row in connection.execute(query.order_by(loads.c.ordinal.desc()).limit(count))]


def insert(connection: Connection, one: Ordered) -> None:
    """Keep a new one."""
    values = values_of(one)
    connection.execute(sa.insert(loads), {**values, "automatic": int(one.automatic), "fate": one.fate.value})


def end(connection: Connection, one: Ordered, fate: Fate, at: UnixMs) -> None:
    """Note what became of one."""
    key = (loads.c.partition == one.partition, loads.c.uid == one.uid, loads.c.ordinal == one.ordinal)
    connection.execute(sa.update(loads).where(*key).values(fate=fate.value, ended_at=at))


def automatic_since(connection: Connection, partition: int, uid: int, since: UnixMs) -> Sen:
    """What a card's standing order came to since a moment, but for what was given back."""
    query = sa.select(sa.func.coalesce(sa.func.sum(loads.c.amount), 0)).where(
        loads.c.partition == partition,
        loads.c.uid == uid,
        loads.c.automatic == 1,
        loads.c.ordered_at >= since,
        loads.c.fate.in_([Fate.WAITING.value, Fate.WRITTEN.value]),
    )
    return Sen(int(connection.execute(query).scalar_one()))


def standing_of(connection: Connection, partition: int, uid: int) -> Standing | None:
    """A card's standing order."""
    query = sa.select(standing).where(standing.c.partition == partition, standing.c.uid == uid)
    row = connection.execute(query).one_or_none()
    return None if row is None or not row.amount else _standing(row)


def all_standing(connection: Connection) -> list[Standing]:
    """The standing orders of all cards."""
    return [_standing(row) for row in connection.execute(sa.select(standing).where(standing.c.amount > 0))]


def set_standing(connection: Connection, one: Standing) -> None:
    """Keep a card's standing order instead of the one before."""
    key = (standing.c.partition == one.partition, standing.c.uid == one.uid)
    connection.execute(sa.delete(standing).where(*key))
    connection.execute(sa.insert(standing), values_of(one))


def _ordered(row: Any) -> Ordered:
    return Ordered(
        row.partition, row.uid, row.ordinal, Sen(row.amount), row.hold, UnixMs(row.ordered_at), UnixMs(row.expires_at),
        bool(row.automatic), UnixMs(row.ended_at), Fate(row.fate),
    )  # fmt: skip


def _standing(row: Any) -> Standing:
    return Standing(
        row.partition, row.uid, Sen(row.below), Sen(row.amount), Sen(row.daily), UnixMs(row.set_at)
    )
