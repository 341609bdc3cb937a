"""Which breaks are asked for, and what they come to."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from keys.clock import Day
    from keys.money import Sen
    from settlement.breaks.model import Reason


@dataclass(frozen=True, slots=True)
class Span:
    """Breaks of some reasons whose age counts from `first` (None: ever) to `last`."""

    reasons: tuple[Reason, ...]
    first: Day | None
    last: Day


@dataclass(frozen=True, slots=True)
class Filters:
    """Which breaks are asked for; 0, "", () and False ask for all. `spans` are of `ages.spans_of`."""

    bank: int = 0
    reason: str = ""
    cause: str = ""
    owner: str = ""
    unowned: bool = False
    severity: int = 0
    text: str = ""
    closed: bool = False
    spans: tuple[Span, ...] = ()


@dataclass(frozen=True, slots=True)
class Totals:
    """Counts and sums in sen of the breaks that filters ask for: `difference` as it is, `size` of its absolute values."""

    count: int
    difference: Sen
    size: Sen
