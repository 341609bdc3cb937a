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
_INTEGER: Final = 4
_BIGINT: Final = 8


class Field(NamedTuple):
    """A column: `width` octets an integer, whose values these are; 0 for byte strings, one behind the other, whose lengths they are."""

    width: int
    values: Integers
    octets: Octets


_NONE: Final = np.zeros(0, np.uint8)


def integers(values: Integers, width: int) -> Field:
    """A column of integers, each `width` bytes long (4 or 8); raises OverflowError where one does not fit."""
    if width == _INTEGER and (values.astype(np.int32) != values).any():
        raise OverflowError(f"a value does not fit {width} bytes")
    return Field(width, values, _NONE)


def spans(octets_: Octets, lengths: Integers) -> Field:
    """A column of byte strings, one behind the other, and how long each is."""
    return Field(0, lengths, octets_)


def octets(values: Sequence[bytes]) -> Field:
    """A column of byte strings."""
    lengths = np.fromiter(map(len, values), np.int64, len(values))
    return spans(np.frombuffer(b"".join(values), np.uint8), lengths)


def texts(values: Sequence[str]) -> Field:
    """A column of texts, in UTF-8."""
    return octets([value.encode() for value in values])


def tuples(fields: Sequence[Field], order: Integers) -> tuple[Octets, Integers]:
    """The tuples of some columns of equal length, in an order of rows; and where each begins."""
    table = np.stack([field.values for field in fields])
    fixed = np.array([field.width for field in fields], np.int64)
    loose = np.flatnonzero(fixed == 0)
    lengths = table[loose]
    sizes = lengths.sum(axis=1)
    starts = np.cumsum(lengths, axis=1) - lengths + (np.cumsum(sizes) - sizes)[:, None]
    widths = lengths.sum(axis=0)[order] + (_COUNT + _LENGTH * len(fields) + int(fixed.sum()))
    out = np.empty(int(widths.sum()), np.uint8)
    _assemble(out, np.concatenate([field.octets for field in fields]), table, fixed, starts, order)
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
def _bigint(out: Any, at: int, value: int) -> None:
    """A 64-bit integer behind its length; the stores are written out, which the compiler turns into one."""
    out[at], out[at + 1], out[at + 2], out[at + 3] = 0, 0, 0, 8
    out[at + 4], out[at + 5] = (value >> 56) & 0xFF, (value >> 48) & 0xFF
    out[at + 6], out[at + 7] = (value >> 40) & 0xFF, (value >> 32) & 0xFF
    out[at + 8], out[at + 9] = (value >> 24) & 0xFF, (value >> 16) & 0xFF
    out[at + 10], out[at + 11] = (value >> 8) & 0xFF, value & 0xFF


@njit(cache=True, nogil=True)
def _short(out: Any, at: int, value: int) -> None:
    """Four octets: a length, or a 32-bit integer."""
    out[at], out[at + 1] = (value >> 24) & 0xFF, (value >> 16) & 0xFF
    out[at + 2], out[at + 3] = (value >> 8) & 0xFF, value & 0xFF


@njit(cache=True, nogil=True)
def _integers(out: Any, table: Any, order: Any) -> None:
    """Tuples of 64-bit integers."""
    columns = table.shape[1]
    at = 0
    for row in order:
        out[at], out[at + 1] = columns >> 8, columns & 0xFF
        at += _COUNT
        for column in range(columns):
            _bigint(out, at, table[row, column])
            at += _LENGTH + _BIGINT


@njit(cache=True, nogil=True)
def _assemble(out: Any, source: Any, table: Any, widths: Any, starts: Any, order: Any) -> None:
    """Tuples from columns (`Field`): `starts` says of each column of byte strings where in `source` the value of a row lies."""
    columns = len(table)
    at = 0
    for row in order:
        out[at], out[at + 1] = columns >> 8, columns & 0xFF
        at += _COUNT
        loose = 0
        for column in range(columns):
            value = table[column, row]
            if widths[column] == _BIGINT:
                _bigint(out, at, value)
                at += _LENGTH + _BIGINT
                continue
            _short(out, at, widths[column] or value)
            at += _LENGTH
            if widths[column]:
                _short(out, at, value)
                at += _INTEGER
                continue
            start = starts[loose, row]
            for place in range(value):
                out[at + place] = source[start + place]
            at += value
            loose += 1
