"""Which counters of each card are in the books: the highest, and which of the 64 up to it. The writer's thread alone changes them.

FRESH is certain: no tap of that counter was taken in. Everything else is a candidate, and the table of taps decides. Taps that moved no money have no transfer,
so the engine's own windows cannot answer for them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np

from ledger.intake.columnar.compiled import compiled

if TYPE_CHECKING:
    import numpy.typing as npt

    Integers = npt.NDArray[np.int64]
    Flags = npt.NDArray[np.bool_]

UNREAD: Final = -1
"""The highest counter of a card whose taps nobody has looked up yet."""
_WINDOW: Final = 64
_ALL: Final = -1


@compiled
def _mark(highest: Any, window: Any, place: int, tmc: int) -> None:
    ahead = tmc - highest[place]
    if ahead > 0:
        window[place] = (window[place] << ahead) | 1 if ahead < _WINDOW else 1
        highest[place] = tmc
    elif -ahead < _WINDOW:
        window[place] |= np.int64(1) << -ahead


@compiled
def _take(highest: Any, window: Any, places: Any, tmcs: Any, wanted: Any, fresh: Any) -> None:
    for row in range(len(places)):
        place, tmc = places[row], tmcs[row]
        if not wanted[row] or highest[place] == UNREAD:
            continue
        age = highest[place] - tmc
        fresh[row] = age < 0 or (age < _WINDOW and not (window[place] >> age) & 1)
        _mark(highest, window, place, tmc)


class Counters:
    """One window a card, by the card's place (`CardColumns`)."""

    def __init__(self) -> None:
        self._highest = np.zeros(0, np.int64)
        self._window = np.zeros(0, np.int64)
        self._before_read: dict[int, int] = {}

    def _reserve(self, cards: int) -> None:
        more = cards - len(self._highest)
        if more > 0:
            more = max(more, len(self._highest))
            self._highest = np.concatenate([self._highest, np.full(more, UNREAD, np.int64)])
            self._window = np.concatenate([self._window, np.zeros(more, np.int64)])

    def unread(self, places: Integers) -> Integers:
        """Those of some places whose highest counter has to be looked up first. Any thread may ask."""
        highest = self._highest
        known = places < len(highest)
        unread = ~known
        unread[known] = highest[places[known]] == UNREAD
        return np.unique(places[unread])

    def read(self, places: Integers, highest: Integers) -> None:
        """What the table of taps said of some cards; where more is known of a card by now, it changes nothing.

        Which counters below the highest are taken is not known: all of them are candidates.
        """
        if not len(places):
            return
        self._reserve(int(places.max()) + 1)
        newer = self._highest[places] == UNREAD
        self._highest[places[newer]], self._window[places[newer]] = highest[newer], _ALL
        for place in places[newer].tolist() if self._before_read else ():
            self._highest[place] = max(int(self._highest[place]), self._before_read.pop(place, 0))

    def take(self, places: Integers, tmcs: Integers, wanted: Flags) -> Flags:
        """Mark the counters of the wanted rows as taken, in order; True where one was surely free before."""
        fresh = np.zeros(len(places), np.bool_)
        self._reserve(int(places.max(initial=-1)) + 1)
        _take(self._highest, self._window, places, tmcs, wanted, fresh)
        return fresh

    def mark(self, place: int, tmc: int) -> None:
        """A tap was taken in by itself. What somebody is looking up at this moment may not show it yet."""
        if place < len(self._highest) and self._highest[place] != UNREAD:
            _mark(self._highest, self._window, place, tmc)
        else:
            self._before_read[place] = max(tmc, self._before_read.get(place, 0))
