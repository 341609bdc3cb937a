"""Open-addressing columns: 64-bit keys, and a row of 64-bit integers for each."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

import numpy as np

from ledger import kernel

if TYPE_CHECKING:
    import numpy.typing as npt

    Integers = npt.NDArray[np.int64]

PLACES_MIN: Final = 1024


class View(NamedTuple):
    """Keys and their rows, taken together: a reader that holds one never sees half of a growth."""

    keys: Integers
    values: Integers

    def at(self, key: int) -> Integers | None:
        """The row of a key; None where there is none."""
        place = kernel.place_of(self.keys, key)
        return self.values[place] if self.keys[place] else None


class Columns:
    """A table that grows by doubling and is never more than half full; key 0 marks a free place."""

    def __init__(self, width: int) -> None:
        self.view = _empty(PLACES_MIN, width)
        self._width = width
        self._used = 0

    def reserve(self, more: int) -> None:
        """Make room for that many new keys.

        The count in use is an upper bound, and counted out only when it would make the table grow.
        """
        if 2 * (self._used + more) > len(self.view.keys):
            self._used = int(np.count_nonzero(self.view.keys))
            places = len(self.view.keys)
            # A table that is a quarter full grows: one that stays just under its limit would be counted at every batch.
            while 2 * (self._used + more) > places or 4 * self._used > places:
                places *= 2
            if places > len(self.view.keys):
                grown = _empty(places, self._width)
                kernel.rehash(self.view.keys, self.view.values, grown.keys, grown.values)
                self.view = grown
        self._used += more


def _empty(places: int, width: int) -> View:
    return View(np.zeros(places, np.int64), np.zeros((places, width), np.int64))
