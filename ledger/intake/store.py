"""What the intake took into the books: batches, and the card transactions in them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from card.batch import RELAYED_FROM
from keys.clock import Day, UnixMs
from ledger.intake import tables
from ledger.intake.memory import Tail
from ledger.intake.outcomes import Outcomes
from ledger.schema import columns_of, values_of
from ledger.tables import WHOLE

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ledger.writer import Transaction


@dataclass(frozen=True, slots=True)
class BatchRow:
    """A batch as it was taken in; its signed bytes are the document (block, ordinal) of the journal."""

    terminal: int
    first_sequence: int
    last_sequence: int
    digest: bytes
    block: int
    ordinal: int
    received_at: UnixMs
    outcomes: Outcomes
    last_occurred_at: UnixMs

    @property
    def results(self) -> list[dict[str, Any]]:
        """One result a record, as the terminal was told."""
        return self.outcomes.said()


@dataclass(frozen=True, slots=True)
class TapRow:
    """A card transaction that is in the books; amounts in sen, `position` of its first transfer (0: no money moved).

    `seen_tmv` is the value of the transaction before, as the card's Transaction MAC file showed it.
    """

    partition: int
    uid: int
    tmc: int
    identity: bytes
    terminal: int
    sequence: int
    kind: int
    amount: int
    balance_after: int
    position: int
    occurred_at: UnixMs
    service_day: Day
    business_date: Day
    route: str
    stop: str
    rules: str
    seen_tmv: bytes


def insert_batch(tx: Transaction, row: BatchRow) -> None:
    """Record a batch and what became of its records."""
    values = values_of(row)
    values["results"] = values.pop("outcomes").stored()
    tx.add(tables.batches, {"partition": WHOLE, **values})


def tail_of(connection: sa.Connection, terminal: int) -> Tail | None:
    """The end of the chain of batches that a terminal sent itself."""
    table = tables.batches
    query = sa.select(table.c.last_sequence, table.c.digest, table.c.last_occurred_at).where(
        table.c.partition == WHOLE, table.c.terminal == terminal, table.c.first_sequence < RELAYED_FROM
    )
    row = connection.execute(query.order_by(table.c.first_sequence.desc()).limit(1)).first()
    return None if row is None else Tail(row[0], bytes(row[1]), UnixMs(row[2]))


def batch_at(connection: sa.Connection, terminal: int, first_sequence: int) -> BatchRow | None:
    """A terminal's batch by its first sequence number."""
    table = tables.batches
    where = sa.and_(table.c.terminal == terminal, table.c.first_sequence == first_sequence)
    return next(_batches(connection, where), None)


def batch_with(connection: sa.Connection, terminal: int, sequence: int) -> BatchRow | None:
    """The batch in which a terminal sent its record of a number."""
    table = tables.batches
    where = sa.and_(
        table.c.terminal == terminal, table.c.first_sequence <= sequence, table.c.last_sequence >= sequence
    )
    return next(_batches(connection, where, order=(table.c.first_sequence.desc(),), limit=1), None)


def all_batches(connection: sa.Connection) -> Iterator[BatchRow]:
    """All batches in the order in which they were taken in."""
    table = tables.batches
    return _batches(connection, sa.true(), order=(table.c.block, table.c.ordinal))


def batches_after(connection: sa.Connection, block: int) -> Iterator[BatchRow]:
    """The batches that were taken in after a block, in their order."""
    table = tables.batches
    return _batches(connection, table.c.block > block, order=(table.c.block, table.c.ordinal))


def _batches(
    connection: sa.Connection, where: Any, order: tuple[Any, ...] = (), limit: int | None = None
) -> Iterator[BatchRow]:
    table = tables.batches
    columns = [table.c["results" if name == "outcomes" else name] for name in BatchRow.__slots__]
    query = sa.select(*columns).where(table.c.partition == WHOLE, where)
    for row in connection.execute(query.order_by(*order).limit(limit)):
        terminal, first, last, digest, block, ordinal, at, results, occurred = row
        yield BatchRow(
            terminal, first, last, bytes(digest), block, ordinal, UnixMs(at), Outcomes.read(results), UnixMs(occurred)
        )  # fmt: skip


def insert_tap(tx: Transaction, row: TapRow) -> None:
    """Take a card transaction into the books."""
    tx.add(tables.taps, values_of(row))


def tap_at(connection: sa.Connection, partition: int, uid: int, tmc: int) -> TapRow | None:
    """A card's tap by its counter; None where it is not in the books."""
    table = tables.taps
    query = sa.select(*columns_of(table, TapRow)).where(
        table.c.partition == partition, table.c.uid == uid, table.c.tmc == tmc
    )
    row = connection.execute(query).first()
    return None if row is None else tap_row(row)


def tap_of_record(
    connection: sa.Connection, partition: int, uid: int, terminal: int, sequence: int
) -> TapRow | None:
    """A card's tap by the record that a terminal made of it; None where it is not in the books."""
    table = tables.taps
    query = sa.select(*columns_of(table, TapRow)).where(
        table.c.partition == partition,
        table.c.uid == uid,
        table.c.terminal == terminal,
        table.c.sequence == sequence,
    )
    row = connection.execute(query).first()
    return None if row is None else tap_row(row)


def taps_of(connection: sa.Connection, partition: int, uid: int, limit: int) -> list[TapRow]:
    """A card's newest taps."""
    table = tables.taps
    query = sa.select(*columns_of(table, TapRow)).where(table.c.partition == partition, table.c.uid == uid)
    return [tap_row(row) for row in connection.execute(query.order_by(table.c.tmc.desc()).limit(limit))]


def all_taps(connection: sa.Connection) -> Iterator[TapRow]:
    """All taps, a card after another."""
    table = tables.taps
    query = sa.select(*columns_of(table, TapRow)).order_by(table.c.partition, table.c.uid, table.c.tmc)
    for row in connection.execute(query.execution_options(yield_per=1000)):
        yield tap_row(row)


def seen_after(connection: sa.Connection, partition: int, uid: int, tmc: int) -> bytes:
    """What the card showed of a transaction when the next one began; b"" where the next one is not in the books."""
    table = tables.taps
    query = sa.select(table.c.seen_tmv).where(
        table.c.partition == partition, table.c.uid == uid, table.c.tmc == tmc + 1
    )
    return bytes(connection.execute(query).scalar() or b"")


def tap_row(row: Any) -> TapRow:
    """A tap as the database gives it."""
    values = list(row)
    values[3], values[-1] = bytes(values[3]), bytes(values[-1])
    return TapRow(*values)
