"""Every kernel that a batch, a commit or a start meets, compiled now or loaded from numba's cache: so that no tap waits for the compiler.

numba compiles for kinds of arguments, and a strided or read-only array is another kind. So the arrays here come about as they do when a
batch is taken in; a test compares what a real one needs with what is warm.
"""

from __future__ import annotations

import sqlite3
from contextlib import closing

import numpy as np

from keys import cardmacs
from ledger import engine
from ledger.bulk import binary
from ledger.bulk.native import Native
from ledger.bulk.spans import Spans
from ledger.intake.columnar import fields as f
from ledger.intake.columnar.columns import Columns
from ledger.intake.columnar.counters import Counters
from ledger.intake.columnar.moving import moved

_RECORDS = 2
"""One row alone is laid out like a column, which would be another kind of array."""


def warm() -> None:
    """Compile what is not compiled yet: a minute the first time, a second after that."""
    engine.warm()
    _warm_intake()
    _warm_databases()


def _warm_intake() -> None:
    columns = Columns([bytes(64)] * _RECORDS, 1)
    rows = np.arange(_RECORDS)
    at = columns.at[:, rows]
    zeros = np.zeros(_RECORDS, np.int64)
    uids = columns.octets[zeros[:, None] + np.arange(cardmacs.UID_BYTES)]
    cardmacs.transaction_macs(
        bytes(16), 0, 0, uids, at[f.TMC], columns.octets, at[f.TMI_AT], at[f.TMI_END] + 16
    )
    moved(columns.at, rows, columns.places, zeros, zeros, zeros, zeros, 0, 0)
    counters = Counters()
    counters.read(rows, zeros)
    counters.take(columns.places + 1, columns.at[f.TMC], columns.plain)
    counters.mark(0, 1)
    _warm_spans(Spans(columns.octets, at[f.ROUTE_AT], at[f.ROUTE_END] - at[f.ROUTE_AT]))


def _warm_spans(cut: Spans) -> None:
    """Those that were cut out of a batch, equal ones, chosen ones, and several joined."""
    joined = Spans.joined([cut, Spans.equal([bytes(2)] * _RECORDS, 2)])
    for one in (joined, Spans.chosen(["a"], np.zeros(_RECORDS, np.int64))):
        one.octets()


def _warm_databases() -> None:
    order = np.arange(_RECORDS)
    table = np.zeros((_RECORDS, 3), np.int64)
    binary.integer_tuples(table, order)
    binary.tuples([binary.integers(table[:, 0], 8), binary.octets([b""] * _RECORDS)], order)
    native = Native.find()
    if native is not None:
        connection, handle = native.connect(lambda: sqlite3.connect(":memory:"))
        with closing(connection):
            connection.execute("CREATE TABLE warm (one, two, three)")
            native.insert(handle, "INSERT INTO warm VALUES (?, ?, ?)", table)
            native.select(handle, "SELECT one, two, three FROM warm", 3, _RECORDS)
