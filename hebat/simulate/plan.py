"""A run: the events of its days in order, and what goes wrong with each; `planning` draws them from a seed.

An event draws nothing from a generator that others share while it is played: to leave one out changes nothing but what follows from it. So a
failure can be made shorter event by event (`shrink`).
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import StrEnum
from typing import TYPE_CHECKING, Final

from hebat.simulate.foundation import FOUNDED_AT
from keys.clock import UnixMs

if TYPE_CHECKING:
    from collections.abc import Sequence

    from hebat.simulate.faults import Fault

MINUTE: Final = 60_000
HOUR: Final = 60 * MINUTE
DAY: Final = 24 * HOUR
MIDNIGHT: Final = UnixMs(FOUNDED_AT - 3 * HOUR - 30 * MINUTE)


class Act(StrEnum):
    """What happens."""

    FARE = "fare"
    SALE = "sale"
    LOAD = "load"
    UPLOAD = "upload"
    SHIFT_END = "shift end"
    NIGHT = "night"
    STATEMENTS = "statements"
    TAMPER = "tamper"
    BREAK = "break"
    """Nothing but a fault."""


@dataclass(frozen=True, slots=True)
class Event:
    """One event: when (story time), what, at which terminal (index), by which card (index), for how much (rupiah), and what goes wrong."""

    number: int
    at: UnixMs
    act: Act
    machine: int = 0
    card: int = 0
    amount: int = 0
    fault: Fault | None = None


@dataclass(frozen=True, slots=True)
class Plan:
    """A run's events, in order; days from the founding's own."""

    seed: int
    days: int
    events: tuple[Event, ...]

    def only(self, kept: Sequence[int], faults: Sequence[int]) -> Plan:
        """The same with these events alone, and with faults at these alone."""
        events = [
            one if one.number in faults else replace(one, fault=None)
            for one in self.events
            if one.number in kept
        ]
        return replace(self, events=tuple(events))


BUSES, TILL, KIOSK, ROGUE = (0, 1), 2, 3, 4
