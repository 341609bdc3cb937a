"""Tables of 64-bit integers by key (`ledger.places`) that grow as they fill."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

import numpy as np

from ledger import places

if TYPE_CHECKING:
    import numpy.typing as npt

    Integers = npt.NDArray[np.int64]

ROWS_RESERVED: Final = 1 << 20
"""Rows of address space that a table begins with. Memory is used by rows in use only: the system gives a page at its first touch."""
ROWS_GROWTH: Final = 16
PLACES_MIN: Final = 1 << 11


class View(NamedTuple):
    """Index and rows, taken together: a reader that holds one never sees half of a growth."""

    where: Integers
    rows: Integers

    def at(self, key: int) -> Integers | None:
        """The row of a key; None where there is none."""
        row = places.row_of(self.where, self.rows, key)
        return self.rows[row] if row else None


class Columns:
    """A table: places double before they are more than half full, rows stand where they were opened."""

    def __init__(self, width: int) -> None:
        self.view = View(_index(PLACES_MIN), np.zeros((ROWS_RESERVED, width), np.int64))

    def __len__(self) -> int:
        return int(self.view.rows[0, places.USED])

    @property
    def used(self) -> Integers:
        """The rows in use, in the order in which they were opened."""
        return self.view.rows[1 : len(self) + 1]

    def reserve(self, more: int) -> None:
        """Make room for that many new keys."""
        index, rows = self.view
        wanted = len(self) + more
        if 2 * wanted > len(index):
            index = _index(1 << (2 * wanted).bit_length())
            places.grow(self.view.where, index)
        if wanted >= len(rows):
            rows = np.zeros((max(wanted + 1, ROWS_GROWTH * len(rows)), rows.shape[1]), np.int64)
            rows[: len(self) + 1] = self.view.rows[: len(self) + 1]
        self.view = View(index, rows)

    def replace(self, rows: Integers) -> None:
        """Hold these rows (n, width) and no others."""
        fresh = Columns(rows.shape[1])
        fresh.reserve(len(rows))
        places.fill(*fresh.view, rows)
        self.view = fresh.view


def _index(count: int) -> Integers:
    index = np.zeros(count + 1, np.int64)
    index[count] = places.HASH_BITS - (count.bit_length() - 1)
    return index
