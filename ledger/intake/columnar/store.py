"""Look-ups of many cards, a statement a partition, and rows handed over as columns: what the path of a batch asks of the database and leaves there."""

from __future__ import annotations

from itertools import groupby
from operator import itemgetter
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from ledger.intake import tables
from ledger.tables import WHOLE

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from keys.clock import Day
    from ledger.writer import Transaction

# PostgreSQL plans a join with a list of values as so many look-ups by key; an IN of hundreds of pairs it would plan one by one.
_IDENTITIES = (
    "WITH wanted (uid, tmc) AS (VALUES {values}) SELECT t.uid, t.tmc, t.identity FROM wanted AS w "
    "JOIN taps AS t ON t.partition = {partition} AND t.uid = w.uid AND t.tmc = w.tmc"
)
_HIGHEST = (
    "WITH wanted (uid) AS (VALUES {values}) SELECT w.uid, "
    "(SELECT max(t.tmc) FROM taps AS t WHERE t.partition = {partition} AND t.uid = w.uid) FROM wanted AS w"
)


def _found(connection: sa.Connection, statement: str, wanted: Iterable[tuple[int, ...]]) -> Iterator[Any]:
    """What is found of keys that begin with their partition: a statement for each partition, so that each goes to one place."""
    for partition, keys in groupby(sorted(wanted), itemgetter(0)):
        values = ",".join(f"({','.join(str(int(one)) for one in key[1:])})" for key in keys)
        yield from connection.exec_driver_sql(statement.format(partition=int(partition), values=values))


def tap_identities(
    connection: sa.Connection, wanted: Iterable[tuple[int, int, int]]
) -> dict[tuple[int, int], bytes]:
    """What cards signed at counters (partition, UID, counter), as digests by UID and counter: those that are in the books."""
    found = _found(connection, _IDENTITIES, wanted)
    return {(uid, tmc): bytes(identity) for uid, tmc, identity in found}


def highest_counters(connection: sa.Connection, cards: Iterable[tuple[int, int]]) -> dict[int, int]:
    """The highest counter of each card (partition, UID) in the books; 0 for one that has none."""
    return {uid: highest or 0 for uid, highest in _found(connection, _HIGHEST, cards)}


def is_sighted(connection: sa.Connection, partition: int, uid: int, tmc: int, tmv: bytes) -> bool:
    """True where some terminal saw this value on the card."""
    table = tables.sights
    query = sa.select(table.c.block).where(
        table.c.partition == partition, table.c.uid == uid, table.c.tmc == tmc, table.c.tmv == tmv
    )
    return connection.execute(query.limit(1)).first() is not None


def add_tap_columns(tx: Transaction, columns: Mapping[str, Any]) -> None:
    """Take many card transactions into the books."""
    tx.add(tables.taps, columns)


def add_sights(tx: Transaction, sights: Iterable[tuple[int, int, int, bytes]]) -> None:
    """Keep what terminals saw: partition, UID, counter, value."""
    rows = sorted(sights)
    if rows:
        partitions, uids, tmcs, tmvs = (list(column) for column in zip(*rows, strict=True))
        tx.add(
            tables.sights,
            {
                "partition": partitions,
                "uid": uids,
                "tmc": tmcs,
                "tmv": tmvs,
                "block": tx.block,
                "ordinal": tx.ordinal,
            },
        )


def add_move(tx: Transaction, terminal: int, day: Day, amount: int) -> None:
    """Keep what this batch moved in a terminal's service day, in sen."""
    named = {
        "partition": WHOLE,
        "terminal": terminal,
        "service_day": day,
        "block": tx.block,
        "ordinal": tx.ordinal,
    }
    tx.add(tables.terminal_moves, named | {"amount": amount})
