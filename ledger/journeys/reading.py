"""New batches, read once for what they say of rides; each tap's signed bytes stay as they came."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from card.batch import RELAYED_FROM, TapRecord, decode_batch
from card.layout import TapKind
from keys import envelope
from ledger.chain.store import read_documents
from ledger.intake import store as intake
from ledger.journeys import store
from ledger.journeys.store import RideRow

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ledger.intake.registry import Registry
    from ledger.intake.store import BatchRow
    from ledger.store import Connection, Database

_RIDES: Final = frozenset({TapKind.FARE, TapKind.TAP_IN, TapKind.TAP_OUT})


def read_new(database: Database, registry: Registry) -> tuple[set[tuple[int, int]], int]:
    """Take in the rides of all batches that came since the last time: the cards (partition, UID) that they tell something of, and the last block.

    That they were read is noted by the caller, once what follows from them is done: a run that is broken off reads them again.
    """
    touched: set[tuple[int, int]] = set()
    with database.writing() as connection:
        after = last = store.read_up_to(connection)
        rows: dict[tuple[int, ...], RideRow] = {}
        for batch in list(intake.batches_after(connection, after)):
            last = max(last, batch.block)
            for record in _records(connection, batch):
                card = registry.card(int.from_bytes(record.uid, "big"))
                if card is None:
                    continue
                touched.add((card.partition, card.uid))
                if record.kind in _RIDES and record.tmi:
                    row = _row(card.partition, batch.terminal, record)
                    rows[row.partition, row.uid, row.tmc, row.terminal, row.sequence] = row
        store.keep(connection, list(rows.values()))
    return touched, last


def _records(connection: Connection, batch: BatchRow) -> Iterator[TapRecord]:
    """The records of a batch that decode; loads that the ledger ran itself are no rides."""
    if batch.first_sequence >= RELAYED_FROM:
        return
    body = read_documents(connection, batch.block)[batch.ordinal]
    for record in decode_batch(envelope.parse(body).payload).records:
        if isinstance(record, TapRecord):
            yield record


def _row(partition: int, terminal: int, record: TapRecord) -> RideRow:
    uid, kind = int.from_bytes(record.uid, "big"), int(record.kind or 0)
    return RideRow(
        partition, uid, record.tmc, terminal, record.sequence, kind, record.occurred_at, record.tmi,
        record.context.tariff, " ".join(record.context.rules),
    )  # fmt: skip
