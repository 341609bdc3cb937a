"""Tables of 64-bit integers by key (`ledger.places`) that grow as they fill, without a pause for who uses them."""

from __future__ import annotations

import mmap
import threading
from contextlib import suppress
from typing import TYPE_CHECKING, Final, NamedTuple

import numpy as np

from ledger import places

if TYPE_CHECKING:
    import numpy.typing as npt

    Integers = npt.NDArray[np.int64]

ROWS_RESERVED: Final = 1 << 24
"""Rows of address space that a table begins with (1 GB of it for accounts). Only what is in use takes memory: the system gives a page
at its first touch."""
ROWS_MIN: Final = 1 << 16
"""Rows that it begins with where the system allows no such reserve; these are doubled as they fill."""
PLACES_MIN: Final = 1 << 11
AHEAD_MIN: Final = 1 << 16
"""An index of so many places is grown ahead of time, by a thread; a smaller one on the spot, in less than a millisecond."""
_LARGE_FROM: Final = 1 << 22
_NO_RESERVE: Final = 0x4000  # MAP_NORESERVE of Linux, which Python has no name for before 3.13


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
        self.view = View(_index(PLACES_MIN), reserved(width))
        self._growth: _Growth | None = None

    def __len__(self) -> int:
        return int(self.view.rows[0, places.USED])

    @property
    def used(self) -> Integers:
        """The rows in use, in the order in which they were opened."""
        return self.view.rows[1 : len(self) + 1]

    def reserve(self, more: int) -> None:
        """Make room for that many new keys."""
        count = len(self.view.where) - 1
        wanted = len(self) + more
        if self._growth is not None and (self._growth.is_done or 2 * wanted > count):
            self._use(self._growth.finished(len(self)))
        elif self._growth is None and count >= AHEAD_MIN and 8 * wanted > 3 * count:
            self._growth = _Growth(self.view, len(self))
        if 2 * wanted > len(self.view.where) - 1:
            larger = _index(1 << (2 * wanted).bit_length())
            places.grow(self.view.where, larger)
            self._use(larger)
        if wanted >= len(self.view.rows):
            rows = np.zeros((2 * wanted, self.view.rows.shape[1]), np.int64)
            rows[: len(self) + 1] = self.view.rows[: len(self) + 1]
            self.view = View(self.view.where, rows)

    def _use(self, index: Integers) -> None:
        self.view, self._growth = View(index, self.view.rows), None

    def replace(self, rows: Integers) -> None:
        """Hold these rows (n, width) and no others."""
        fresh = Columns(rows.shape[1])
        fresh.reserve(len(rows))
        where, table = fresh.view
        table[1 : len(rows) + 1], table[0, places.USED] = rows, len(rows)
        places.add(where, table, 1, len(rows))
        self.view, self._growth = fresh.view, None


class _Growth:
    """An index of twice the places, made by a thread while the smaller one is used on; rows that come meanwhile are added at the end."""

    def __init__(self, view: View, used: int) -> None:
        self._rows, self._used = view.rows, used
        self._larger = _index(2 * (len(view.where) - 1))
        self._thread = threading.Thread(target=places.grow, args=(view.where, self._larger), daemon=True)
        self._thread.start()

    @property
    def is_done(self) -> bool:
        return not self._thread.is_alive()

    def finished(self, used: int) -> Integers:
        """The larger index, with all rows up to this one."""
        self._thread.join()
        places.add(self._larger, self._rows, self._used + 1, used)
        return self._larger


def reserved(width: int) -> Integers:
    """Rows of zeros, as many as a table begins with."""
    try:
        flags = mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS | _NO_RESERVE
        memory = mmap.mmap(-1, ROWS_RESERVED * width * 8, flags=flags)
    except OSError:  # a limit on address space
        return np.zeros((ROWS_MIN, width), np.int64)
    with suppress(OSError):  # a kernel without them
        # Large pages for what lies beyond the first ones: a table of a million rows is read all over, a small one stays small.
        memory.madvise(mmap.MADV_HUGEPAGE, _LARGE_FROM, len(memory) - _LARGE_FROM)
    return np.frombuffer(memory, np.int64).reshape(ROWS_RESERVED, width)


def _index(count: int) -> Integers:
    index = np.zeros(count + 1, np.int64)
    index[count] = places.HASH_BITS - (count.bit_length() - 1)
    return index
