"""Columns as the stream of PostgreSQL's binary COPY.

PostgreSQL documentation, COPY, "Binary Format": signature, then a tuple's field count and its length-prefixed big-endian values,
then -1 as the last field count.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, NamedTuple

import numpy as np
from numba import njit

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy.typing as npt

    Octets = npt.NDArray[np.uint8]
    Integers = npt.NDArray[np.int64]

SIGNATURE: Final = b"PGCOPY\n\xff\r\n\0" + bytes(8)  # no flags, no header extension
TRAILER: Final = b"\xff\xff"
_COUNT = 2
_LENGTH = 4


class Field(NamedTuple):
    """A column as bytes, one value behind the other, and how long each value is."""

    octets: Octets
    lengths: Integers


def integers(values: Integers, width: int) -> Field:
    """A column of big-endian integers, each `width` bytes long (4 or 8); raises OverflowError where one does not fit."""
    narrow = values.astype(f">i{width}")
    if width < 8 and (narrow != values).any():  # noqa: PLR2004  bytes of a 64-bit integer
        raise OverflowError(f"a value does not fit {width} bytes")
    return Field(narrow.view(np.uint8), np.full(len(values), width, np.int64))


def octets(values: Sequence[bytes]) -> Field:
    """A column of byte strings."""
    lengths = np.fromiter(map(len, values), np.int64, len(values))
    return Field(np.frombuffer(b"".join(values), np.uint8), lengths)


def texts(values: Sequence[str]) -> Field:
    """A column of texts, in UTF-8."""
    return octets([value.encode() for value in values])


def tuples(fields: Sequence[Field], order: Integers) -> tuple[Octets, Integers]:
    """The tuples of some columns of equal length, in an order of rows; and where each begins."""
    starts = np.stack([np.cumsum(field.lengths) - field.lengths for field in fields])
    lengths = np.stack([field.lengths for field in fields])
    starts += np.cumsum([0, *(len(field.octets) for field in fields[:-1])])[:, None]
    widths = lengths.sum(axis=0)[order] + (_COUNT + _LENGTH * len(fields))
    out = np.empty(int(widths.sum()), np.uint8)
    _assemble(out, np.concatenate([field.octets for field in fields]), starts, lengths, order)
    return out, np.cumsum(widths) - widths


def integer_tuples(table: npt.NDArray[np.int64], order: Integers) -> Octets:
    """The same for a table (rows, columns) of which every column is a 64-bit integer, what the journal is made of: all equally wide."""
    out = np.empty(len(order) * integer_width(table.shape[1]), np.uint8)
    _integers(out, table, order)
    return out


def integer_width(columns: int) -> int:
    """Octets of a tuple of so many 64-bit integers."""
    return _COUNT + columns * (_LENGTH + 8)


def stream(octets_: Octets) -> bytes:
    """The whole stream of a COPY from its tuples."""
    return SIGNATURE + octets_.tobytes() + TRAILER


def integers_from(stream: bytes | memoryview, columns: int) -> Integers:
    """A table (rows, columns) from what COPY TO gives of 64-bit integers; raises ValueError where it is anything else."""
    return integers_of(memoryview(stream)[len(SIGNATURE) : -len(TRAILER)], columns)


def integers_of(tuples: bytes | memoryview, columns: int) -> Integers:
    """The same from tuples without the stream's head and end."""
    octets_ = np.frombuffer(tuples, np.uint8).reshape(-1, integer_width(columns))
    fields = octets_[:, _COUNT:].reshape(-1, columns, _LENGTH + 8)
    if (fields[:, :, :_LENGTH] != (0, 0, 0, 8)).any():
        raise ValueError("a column is no 64-bit integer")
    values = np.ascontiguousarray(fields[:, :, _LENGTH:]).view(">i8")
    return values.astype(np.int64).reshape(-1, columns)


@njit(cache=True, nogil=True)
def _integers(out: Any, table: Any, order: Any) -> None:
    """Tuples of 64-bit integers; the eight stores of a value are written out, which the compiler turns into one."""
    columns = table.shape[1]
    at = 0
    for row in order:
        out[at], out[at + 1] = columns >> 8, columns & 0xFF
        at += _COUNT
        for column in range(columns):
            value = table[row, column]
            out[at], out[at + 1], out[at + 2], out[at + 3] = 0, 0, 0, 8
            out[at + 4], out[at + 5] = (value >> 56) & 0xFF, (value >> 48) & 0xFF
            out[at + 6], out[at + 7] = (value >> 40) & 0xFF, (value >> 32) & 0xFF
            out[at + 8], out[at + 9] = (value >> 24) & 0xFF, (value >> 16) & 0xFF
            out[at + 10], out[at + 11] = (value >> 8) & 0xFF, value & 0xFF
            at += _LENGTH + 8


@njit(cache=True, nogil=True)
def _assemble(out: Any, source: Any, starts: Any, lengths: Any, order: Any) -> None:
    """Tuples from columns: `starts` and `lengths` say where in `source` the value of (column, row) lies."""
    columns = len(lengths)
    at = 0
    for row in order:
        out[at], out[at + 1] = columns >> 8, columns & 0xFF
        at += _COUNT
        for column in range(columns):
            length = lengths[column, row]
            for byte in range(_LENGTH):
                out[at + byte] = (length >> (8 * (_LENGTH - 1 - byte))) & 0xFF
            at += _LENGTH
            start = starts[column, row]
            out[at : at + length] = source[start : start + length]
            at += length
