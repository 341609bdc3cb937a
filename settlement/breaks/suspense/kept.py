"""A line in suspense, and where all lines stand."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from keys.clock import Day, UnixMs
    from keys.money import Sen
    from settlement.statements.kept import LineKey


@dataclass(frozen=True, slots=True)
class Suspended:
    """A line in suspense: the positions of its two entries (`left_position` 0 while it is in), and why it left."""

    number: int
    line: LineKey
    bank: int
    amount: Sen
    entered_position: int
    entered_at: UnixMs
    night: Day
    left_position: int
    left_at: UnixMs
    why: str


@dataclass(frozen=True, slots=True)
class Sums:
    """Where the lines of all statements, or of those that one night accepted, stand; `movement` must be the sum of the others."""

    movement: Sen
    matched: Sen
    in_breaks: Sen
    in_suspense: Sen
    unplaced: int

    @property
    def adds_up(self) -> bool:
        """Whether every line is in exactly one place."""
        return not self.unplaced and self.matched + self.in_breaks + self.in_suspense == self.movement
