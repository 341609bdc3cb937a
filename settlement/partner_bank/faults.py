"""What the bank does wrong, drawn from a seed or named call by call."""

from __future__ import annotations

import random
from enum import StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping


class Fault(StrEnum):
    """One way to fail; each happens on real lines."""

    NONE = "none"
    REFUSED_BEFORE = "500-before"
    """An error of the server, and nothing was done."""
    FAILED_AFTER = "500-after"
    """It was done, and an error is answered."""
    LOST_BEFORE = "lost-before"
    """The call never arrives; no answer."""
    LOST_AFTER = "lost-after"
    """It was done; the answer gets lost."""
    TWICE = "twice"
    """The call arrives twice; the second answer is what comes back."""
    UNDER_WAY = "under-way"
    """It is taken, and ends a little later, well or not: 202."""
    GARBLED = "garbled"
    """It was done; the answer is no JSON."""


class Faults:
    """Decides for each call that would move money: a script first, then dice with a share for each fault."""

    def __init__(self, seed: int = 0, shares: Mapping[Fault, float] | None = None) -> None:
        self._dice = random.Random(seed)  # noqa: S311  dice of a simulation
        self._shares = dict(shares or {})
        self._script: list[Fault] = []

    def script(self, faults: Iterable[Fault]) -> None:
        """What happens to the next calls, in this order."""
        self._script.extend(faults)

    def draw(self) -> Fault:
        """What happens to this call."""
        if self._script:
            return self._script.pop(0)
        rolled = self._dice.random()
        for fault, share in self._shares.items():
            rolled -= share
            if rolled < 0:
                return fault
        return Fault.NONE


def shares_of(text: str) -> dict[Fault, float]:
    """From "lost-after=0.1,twice=0.05"; raises ValueError."""
    parts = [part.split("=", 1) for part in text.split(",") if part]
    shares = {Fault(part[0].strip()): float(part[1]) for part in parts if len(part) > 1}
    if len(shares) < len(parts) or sum(shares.values()) > 1 or min(shares.values(), default=0) < 0:
        raise ValueError(text)
    return shares
