"""Spending by month as a small SVG: bars with their amounts, readable without colour, and told to screen readers as a list."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ledger.cardholder.shown import Month

WIDTH: Final = 328
HEIGHT: Final = 84
_GAP: Final = 10


class Bar(NamedTuple):
    """One month's bar, in the picture's own units."""

    x: int
    y: int
    width: int
    height: int
    month: Month


def bars(months: Sequence[Month]) -> list[Bar]:
    """Bars for months, the highest as high as the picture; a month with any spending has one that can be seen."""
    highest = max((one.spent for one in months), default=0)
    width = (WIDTH + _GAP) // max(len(months), 1) - _GAP
    made = []
    for place, one in enumerate(months):
        height = max(3, HEIGHT * one.spent // highest) if one.spent > 0 else 1
        made.append(Bar(place * (width + _GAP), HEIGHT - height, width, height, one))
    return made
