"""A few rows as PostgreSQL's binary COPY reads them, put together value by value: for some dozens of rows columns cost more than they save."""

from __future__ import annotations

import struct
from itertools import groupby, repeat
from operator import itemgetter
from typing import TYPE_CHECKING, Any, Final

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    Writer = Callable[[Any], list[bytes]]

ROWS_MAX: Final = 100
"""Up to so many rows this is the quicker way."""
_LENGTH: Final = struct.Struct(">i").pack
_COUNT: Final = struct.Struct(">h").pack
_LONG: Final = struct.Struct(">iq").pack
_INTEGER: Final = struct.Struct(">ii").pack


def pieces(writers: Sequence[Writer], columns: Sequence[Any]) -> Iterator[bytes]:
    """The tuples of columns, cut by the first of them, the partition; `writers` has what writes each, one of those below.

    Raises OverflowError for a value that does not fit its column.
    """
    partitions = columns[0].tolist() if isinstance(columns[0], np.ndarray) else columns[0]
    try:
        fields = [write(column) for write, column in zip(writers, columns, strict=True)]
    except struct.error as error:
        raise OverflowError(f"a value does not fit its column: {error}") from error
    rows = zip(partitions, map(b"".join, zip(repeat(_COUNT(len(fields))), *fields)), strict=True)
    for _, some in groupby(sorted(rows, key=itemgetter(0)), itemgetter(0)):
        yield b"".join([row for _, row in some])


def _plain(column: Any) -> Any:
    return column.tolist() if isinstance(column, np.ndarray) else column


def longs(column: Any) -> list[bytes]:
    """A column of 64-bit integers."""
    return [_LONG(8, value) for value in _plain(column)]


def integers(column: Any) -> list[bytes]:
    """A column of 32-bit integers."""
    return [_INTEGER(4, value) for value in _plain(column)]


def octets(column: Any) -> list[bytes]:
    """A column of byte strings."""
    return [_LENGTH(len(value)) + value for value in column]


def texts(column: Any) -> list[bytes]:
    """A column of texts, in UTF-8."""
    return octets([value.encode() for value in column])
