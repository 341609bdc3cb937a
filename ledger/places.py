"""Tables of 64-bit integers by key: an index of places over rows that stand in the order in which they were opened.

A table is two arrays. `rows` (n, width) has the key in its first column; row 0 belongs to no key, its second column counts the rows in
use. `index` has a power of two places and, last, its shift; a place is 0 (free) or the 31-bit hash of a key over the number of its row.
Places are in order of hash, so that an index grows by one walk from its first place to its last (no jump a key). Plain integers, no
product over 63 bits: numba compiles it, and Python runs the same source.
"""

from __future__ import annotations

from typing import Any

from ledger.compiled import compiled, inlined, unlocked

KEY, USED = 0, 1
HASH_BITS = 31
_LOW = 0x7FFF_FFFF
_ROW = 0xFFFF_FFFF
_ROW_BITS = 32
# Odd multipliers under 2^31, from the fractions of the golden ratio and of the roots of 2 and 3 (Knuth's multiplicative hash).
_SPREAD_LOW = 0x4F1B_BCDD
_SPREAD_HIGH = 0x3504_F333
_SPREAD_LAST = 0x5DB3_D743


@inlined
def hash_of(key: Any) -> Any:
    """31 well mixed bits of a key; the highest are the best."""
    mixed = ((key & _LOW) * _SPREAD_LOW) ^ (((key >> 31) & _LOW) * _SPREAD_HIGH)
    return (((mixed ^ (mixed >> 31)) & _LOW) * _SPREAD_LAST) & _LOW


@inlined
def row_of(index: Any, rows: Any, key: Any) -> Any:
    """The row of a key; 0 where there is none."""
    mask = len(index) - 2
    found = hash_of(key)
    at = found >> index[mask + 1]
    while index[at] != 0:
        if index[at] >> _ROW_BITS == found and rows[index[at] & _ROW, KEY] == key:
            return index[at] & _ROW
        at = (at + 1) & mask
    return 0


@inlined
def opened(index: Any, rows: Any, key: Any) -> Any:
    """The row of a key, a new one (columns as they are: zeros) where there was none. The table must have room."""
    mask = len(index) - 2
    found = hash_of(key)
    at = found >> index[mask + 1]
    while index[at] != 0:
        if index[at] >> _ROW_BITS == found and rows[index[at] & _ROW, KEY] == key:
            return index[at] & _ROW
        at = (at + 1) & mask
    row = rows[0, USED] + 1
    rows[0, USED] = row
    # The row first: a reader in another thread that meets its place finds the key there.
    rows[row, KEY] = key
    index[at] = (found << _ROW_BITS) | row
    return row


@unlocked
def grow(index: Any, larger: Any) -> None:
    """Carry every place over into a larger index."""
    mask = len(larger) - 2
    shift = larger[mask + 1]
    for old in range(len(index) - 1):
        if index[old] != 0:
            at = index[old] >> (_ROW_BITS + shift)
            while larger[at] != 0:
                at = (at + 1) & mask
            larger[at] = index[old]


@compiled
def touch(index: Any, rows: Any, column: Any, first: Any, last: Any) -> Any:
    """Bring the places of keys in a column into the processor's cache: loads that wait for nothing overlap."""
    shift = index[len(index) - 1]
    seen = 0
    for at in range(first, last):
        seen ^= index[hash_of(rows[at, column]) >> shift]
    return seen


@compiled
def add(index: Any, rows: Any, first: Any, last: Any) -> None:
    """Give rows first to last (included) a place, where they have none; the index must have room."""
    mask = len(index) - 2
    for row in range(first, last + 1):
        found = hash_of(rows[row, KEY])
        at = found >> index[mask + 1]
        while index[at] != 0 and index[at] & _ROW != row:
            at = (at + 1) & mask
        index[at] = (found << _ROW_BITS) | row
