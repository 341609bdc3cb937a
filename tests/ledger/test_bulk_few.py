"""A few rows put together value by value are, byte for byte, what columns of many rows would be."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ledger.bulk import binary, copies, few
from ledger.bulk.copies import parts
from ledger.bulk.spans import Spans
from ledger.bulk.store import writers_of
from ledger.orders.tables import order_answers

INT64 = st.integers(-(1 << 63), (1 << 63) - 1)
INT32 = st.integers(-(1 << 31), (1 << 31) - 1)
WRITERS = writers_of(order_answers)
PARTITION = st.integers(0, 63)
ANSWER = st.tuples(PARTITION, st.text(max_size=9), st.text(max_size=9), st.binary(max_size=9), INT64, INT32, st.binary(max_size=40))  # fmt: skip
ANSWERS = st.lists(ANSWER, min_size=1, max_size=few.ROWS_MAX)


def columns_of(rows: list[tuple[Any, ...]]) -> list[Any]:
    return [list(column) for column in zip(*rows, strict=True)]


def by_columns(columns: list[Any]) -> list[bytes]:
    """The pieces as many rows are put together."""
    partition, client, key, fingerprint, received_at, status, body = columns
    fields = [
        *(binary.integers(np.array(partition, np.int64), 4), binary.texts(client), binary.texts(key)),
        *(binary.octets(fingerprint), binary.integers(np.array(received_at, np.int64), 8)),
        *(binary.integers(np.array(status, np.int64), 4), binary.octets(body)),
    ]
    order, cuts = parts(np.array(partition, np.int64))
    tuples, starts = binary.tuples(fields, order)
    return [tuples[start:end].tobytes() for start, end in pairwise([*starts[cuts].tolist(), len(tuples)])]


@settings(deadline=None)
@given(ANSWERS)
def test_they_are_the_same_bytes_as_columns_give(rows: list[tuple[Any, ...]]) -> None:
    assert list(few.pieces(WRITERS, columns_of(rows))) == by_columns(columns_of(rows))


@settings(deadline=None)
@given(ANSWERS)
def test_columns_may_be_arrays_and_spans(rows: list[tuple[Any, ...]]) -> None:
    columns = columns_of(rows)
    ends = np.cumsum([len(value) for value in columns[3]])
    lengths = np.diff(ends, prepend=0)
    spans = Spans(np.frombuffer(b"".join(columns[3]), np.uint8), ends - lengths, lengths)
    given = [
        np.array(columns[0]),
        *columns[1:3],
        spans,
        np.array(columns[4]),
        np.array(columns[5]),
        columns[6],
    ]
    assert list(few.pieces(WRITERS, given)) == by_columns(columns)


@pytest.mark.parametrize(("column", "value"), [(4, 1 << 63), (5, 1 << 31), (5, -(1 << 31) - 1)])
def test_a_value_that_its_column_cannot_hold_is_refused(column: int, value: int) -> None:
    row: list[Any] = [0, "shop", "k", b"", 1, 201, b""]
    row[column] = value
    with pytest.raises(OverflowError, match=r"does not fit its column"):
        list(few.pieces(WRITERS, columns_of([tuple(row)])))


@settings(deadline=None)
@given(st.lists(PARTITION, min_size=1, max_size=copies.ROWS_A_COPY))
def test_few_rows_are_cut_as_many_are(partitions: list[int]) -> None:
    order, cuts = parts(np.array(partitions, np.int64))
    more = [
        *partitions,
        *[64] * copies.ROWS_A_COPY,
    ]  # a partition of its own behind them all, too many for the short way
    long_order, long_cuts = parts(np.array(more, np.int64))
    assert order.tolist() == long_order[: len(partitions)].tolist()
    assert [*cuts.tolist(), len(partitions)] == long_cuts.tolist()
