"""Heads and strings of deterministic CBOR (RFC 8949 sections 3 and 4.2) in a numba kernel: positions in a buffer, nothing is copied.

Each function gives the position after what it read, or `BAD` where the bytes are not the one encoding that a plain record has.
"""

from __future__ import annotations

from typing import Any, Final

from ledger.intake.columnar.compiled import compiled

BAD: Final = -1
UNSIGNED: Final = 0
NEGATIVE: Final = 1
OCTETS: Final = 2
TEXT: Final = 3
ARRAY: Final = 4
_TEXT_BYTES_MAX: Final = 64
_SHORT: Final = 24
_WIDTH_8: Final = 24
_WIDTH_64: Final = 27
_PRINTABLE: Final = 0x20
_ASCII_END: Final = 0x7F


@compiled
def head(data: Any, at: int, end: int, major: int) -> Any:
    """The argument of the item at a place, if it is of this major type, in its shortest form and under 2^63; and the place after its head."""
    if at < 0 or at >= end or data[at] >> 5 != major:
        return 0, BAD
    short = data[at] & 31
    if short < _SHORT:
        return int(short), at + 1
    if short > _WIDTH_64:
        return 0, BAD
    octets = 1 << (short - _WIDTH_8)
    if at + 1 + octets > end or (short == _WIDTH_64 and data[at + 1] & 0x80):
        return 0, BAD
    value = 0
    for place in range(octets):
        value = (value << 8) | int(data[at + 1 + place])
    least = _SHORT if octets == 1 else 1 << (4 * octets)
    return (value, at + 1 + octets) if value >= least else (0, BAD)


@compiled
def integer(data: Any, at: int, end: int, low: int, high: int) -> Any:
    """An integer within bounds, and the place after it."""
    if at < 0 or at >= end:
        return 0, BAD
    negative = data[at] >> 5 == NEGATIVE
    value, after = head(data, at, end, NEGATIVE if negative else UNSIGNED)
    if negative:
        value = -1 - value
    return (value, after) if after != BAD and low <= value <= high else (0, BAD)


@compiled
def octets(data: Any, at: int, end: int, low: int, high: int) -> Any:
    """Where a byte string of bounded length starts, and the place after it."""
    length, start = head(data, at, end, OCTETS)
    if start == BAD or not low <= length <= high or start + length > end:
        return 0, BAD
    return start, start + length


@compiled
def text(data: Any, at: int, end: int) -> Any:
    """Where a text of at most 64 printable ASCII characters starts, and the place after it."""
    length, start = head(data, at, end, TEXT)
    if start == BAD or length > _TEXT_BYTES_MAX or start + length > end:
        return 0, BAD
    for place in range(start, start + length):
        if not _PRINTABLE <= data[place] < _ASCII_END:
            return 0, BAD
    return start, start + length
