"""Reading and writing rides and their corrections."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite

from card import evidence
from card.layout import TapKind
from ledger.intake.tables import taps
from ledger.journeys.fares import Ride
from ledger.journeys.tables import fare_corrections, journeys_read, rides
from ledger.schema import columns_of, values_of
from ledger.tables import WHOLE

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from keys.clock import UnixMs
    from ledger.store import Connection
    from ledger.transaction import Transaction


@dataclass(frozen=True, slots=True)
class RideRow:
    """A row of `rides`."""

    partition: int
    uid: int
    tmc: int
    terminal: int
    sequence: int
    kind: int
    occurred_at: UnixMs
    tmi: bytes
    tariff: str
    rules: str


@dataclass(frozen=True, slots=True)
class CorrectionRow:
    """What a tap's fare is corrected by in all, in sen, and why; the next one takes the next ordinal."""

    partition: int
    uid: int
    tmc: int
    ordinal: int
    amount: int
    code: str
    corrected_at: UnixMs


def read_up_to(connection: Connection) -> int:
    """The last block whose batches were read; 0 before the first."""
    query = sa.select(journeys_read.c.block).where(journeys_read.c.partition == WHOLE)
    return int(connection.execute(query).scalar() or 0)


def keep(connection: Connection, rows: Sequence[RideRow]) -> None:
    """Take rides in; those that are there stay as they are: a night that was broken off has read them before."""
    if rows:
        insert = postgresql.insert if connection.dialect.name == "postgresql" else sqlite.insert
        connection.execute(insert(rides).on_conflict_do_nothing(), [_values(row) for row in rows])


def note_read(connection: Connection, block: int) -> None:
    """Note that the batches up to a block were read, and what follows from them was corrected."""
    connection.execute(sa.delete(journeys_read).where(journeys_read.c.partition == WHOLE))
    connection.execute(sa.insert(journeys_read), {"partition": WHOLE, "block": block})


def _values(row: RideRow) -> dict[str, object]:
    return values_of(row)


def still_inside(connection: Connection, since: UnixMs) -> list[tuple[int, int]]:
    """Partition and UID of the cards whose newest ride is a tap-in since a moment."""
    newer = rides.alias()
    follows = sa.exists().where(
        newer.c.partition == rides.c.partition, newer.c.uid == rides.c.uid, newer.c.tmc > rides.c.tmc
    )
    query = sa.select(rides.c.partition, rides.c.uid).where(
        rides.c.kind == int(TapKind.TAP_IN), rides.c.occurred_at >= since, ~follows
    )
    return [(partition, uid) for partition, uid in connection.execute(query)]


def rides_of(connection: Connection, partition: int, uid: int, since: UnixMs) -> list[Ride]:
    """A card's rides in the books since a moment, in the card's order."""
    in_the_books = sa.exists().where(
        taps.c.partition == rides.c.partition, taps.c.uid == rides.c.uid, taps.c.tmc == rides.c.tmc,
        taps.c.terminal == rides.c.terminal, taps.c.sequence == rides.c.sequence,
    )  # fmt: skip
    query = (
        sa.select(rides.c.tmc, rides.c.terminal, rides.c.tmi, rides.c.tariff, rides.c.rules)
        .where(rides.c.partition == partition, rides.c.uid == uid, rides.c.occurred_at >= since, in_the_books)
        .order_by(rides.c.tmc)
    )
    return [
        Ride(partition, uid, tmc, terminal, evidence.parse(bytes(tmi)), tariff, tuple(rules.split()))
        for tmc, terminal, tmi, tariff, rules in connection.execute(query)
    ]


def corrections_of(connection: Connection, partition: int, uid: int) -> dict[int, CorrectionRow]:
    """What holds for each tap of a card that was ever corrected."""
    table = fare_corrections
    query = (
        sa.select(*columns_of(table, CorrectionRow))
        .where(table.c.partition == partition, table.c.uid == uid)
        .order_by(table.c.tmc, table.c.ordinal)
    )
    return {row.tmc: CorrectionRow(*row) for row in connection.execute(query)}


def held_in_all(connection: Connection) -> int:
    """The sum of the corrections that hold, in sen."""
    later = fare_corrections.alias()
    table = fare_corrections
    replaced = sa.exists().where(
        later.c.partition == table.c.partition, later.c.uid == table.c.uid, later.c.tmc == table.c.tmc,
        later.c.ordinal > table.c.ordinal,
    )  # fmt: skip
    return int(connection.execute(sa.select(sa.func.sum(table.c.amount)).where(~replaced)).scalar() or 0)


def add_corrections(tx: Transaction, rows: Iterable[CorrectionRow]) -> None:
    """Note what was corrected, with the transfers that do it."""
    for row in rows:
        tx.add(
            fare_corrections,
            {
                "partition": row.partition, "uid": row.uid, "tmc": row.tmc, "ordinal": row.ordinal,
                "amount": row.amount, "code": row.code, "corrected_at": row.corrected_at,
            },
        )  # fmt: skip
