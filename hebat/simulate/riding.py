"""What a ride costs, by a second hand: Trans Semarang's flat fare in a page of arithmetic, held against what each chip paid.

One price a ride, another for concessions (pupils and students pay in full on Sundays), and nothing within two hours of the ride that opened the window.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from card.layout import Concession

if TYPE_CHECKING:
    from collections.abc import Mapping

    from hebat.simulate.field import Committed

WINDOW_SECONDS: Final = 2 * 3600
FULL, CONCEDED = 3_500, 1_000
_SCHOOL: Final = frozenset({Concession.PUPIL, Concession.STUDENT})
_SERVICE_SECONDS: Final = 4 * 3600
"""The city is seven hours ahead of UTC, and its service day begins at three."""
_DAY: Final = 86_400
BEHIND_MS: Final = 10 * 60_000
"""How far a clock may be off that says when a terminal last heard of the city."""
_SUNDAY: Final = 3
"""1970-01-01 was a Thursday: days since then leave this, divided by seven."""


@dataclass(frozen=True, slots=True)
class Change:
    """Other prices from a service day on, at terminals that were given them since."""

    told_at: int
    day: int
    full: int
    conceded: int


@dataclass(slots=True)
class Given:
    """When a terminal was last given newer fares, which it may have lost on the way, and when it was last told that there are none newer."""

    some_at: int = 0
    all_at: int = 0


@dataclass(slots=True)
class Riding:
    """Every card's transfer window, from its commits at buses in the order in which its chip made them."""

    concessions: Mapping[int, Concession]
    changed: list[Change] = field(default_factory=list)
    subsidies: dict[tuple[int, int], int] = field(default_factory=dict)
    """By card and counter: the rupiah that the city owes for a ride."""
    _opened: dict[int, int] = field(default_factory=dict)

    def rode(self, uid: int, tmc: int, commit: Committed, given: Given) -> str:
        """What is wrong with what a card just paid on a bus that was last given fares at certain moments; empty where nothing is."""
        at, paid = commit.at // 1000, -commit.delta
        since = at - self._opened.get(uid, -_DAY)
        if 0 <= since < WINDOW_SECONDS:
            return (
                f"card {uid:014x} paid {paid} rupiah for a transfer {since} s into its window" if paid else ""
            )
        self._opened[uid] = at
        concession, day = self.concessions[uid], (at + _SERVICE_SECONDS) // _DAY
        is_full = not concession or (concession in _SCHOOL and day % 7 == _SUNDAY)
        prices = {full if is_full else conceded: full for full, conceded in self._known(day, given)}
        if paid not in prices:
            return (
                f"card {uid:014x} ({concession.name.lower()}) paid {paid} rupiah for a ride of {min(prices)}"
            )
        if prices[paid] != paid:
            self.subsidies[uid, tmc] = prices[paid] - paid
        return ""

    def _known(self, day: int, given: Given) -> list[tuple[int, int]]:
        """Full fare and concession of a service day, as a terminal knows them; several where it may have heard of a change, or not."""
        known = [(FULL, CONCEDED)]
        for one in self.changed:
            if day >= one.day and given.some_at >= one.told_at:
                known = [*([] if given.all_at >= one.told_at else known), (one.full, one.conceded)]
        return known
