"""What a seed makes of a run: the events of its days in order, and what goes wrong with each. Pure; the same seed gives the same plan.

An event draws nothing from a generator that others share while it is played: to leave one out changes nothing but what follows from it. So a
failure can be made shorter event by event (`shrink`).
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import StrEnum
from random import Random
from typing import TYPE_CHECKING, Final

from hebat.simulate.faults import Fault
from hebat.simulate.foundation import CARDS, FOUNDED_AT
from keys.clock import UnixMs

if TYPE_CHECKING:
    from collections.abc import Sequence

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
_AT_TAP: Final = (
    Fault.CARD_TORN_BEFORE, Fault.CARD_TORN_AFTER, Fault.TERMINAL_KILLED_IN_TAP, Fault.TERMINAL_POWER_CUT,
    Fault.OUTBOX_WRITE_FAILED,
)  # fmt: skip
_AT_LOAD: Final = (
    Fault.CARD_TORN_BEFORE, Fault.CARD_TORN_AFTER, Fault.REQUEST_LOST, Fault.ANSWER_LOST, Fault.REQUEST_DOUBLED,
    Fault.SERVER_KILLED_IN_COMMIT, Fault.SERVER_POWER_CUT, Fault.DISK_FULL, Fault.TERMINAL_KILLED_IN_TAP,
)  # fmt: skip
_AT_UPLOAD: Final = (
    Fault.REQUEST_LOST, Fault.ANSWER_LOST, Fault.REQUEST_DOUBLED, Fault.REQUEST_LATE, Fault.SERVER_KILLED_IN_COMMIT,
    Fault.SERVER_POWER_CUT, Fault.DISK_WRITE_FAILED, *[Fault.DISK_SYNC_FAILED] * 2, Fault.DISK_FULL, Fault.DISK_SLOW,
    Fault.TERMINAL_POWER_CUT,
)  # fmt: skip
_ALONE: Final = (Fault.TERMINAL_KILLED, Fault.SERVER_KILLED, Fault.PARTITION, Fault.CLOCK_DRIFT)
_AT_NIGHT: Final = (Fault.SERVER_KILLED_IN_COMMIT, Fault.SERVER_POWER_CUT, Fault.DISK_FULL)
_TAMPERED: Final = (Fault.AMOUNT_FALSIFIED, Fault.EVIDENCE_FORGED, Fault.NUMBERS_LEFT_OUT)
_LOADS: Final = (20_000, 50_000, 100_000)
_TAPS_A_DAY: Final = 30
_UPLOADS_A_DAY: Final = 10


class _Planner:
    """Draws a plan."""

    def __init__(self, seed: int, days: int) -> None:
        self._seed = seed
        self._days = days
        self._dice = Random(f"plan-{seed}")  # noqa: S311  a plan to be repeated, no secret
        self._chance = self._dice.choice((0.0, 0.1, 0.3, 0.6))
        """How often something goes wrong in this run."""
        self._drawn: list[Event] = []

    def plan(self) -> Plan:
        for day in range(self._days):
            self._day(UnixMs(MIDNIGHT + day * DAY))
        self._drawn.sort(key=lambda one: one.at)
        events = tuple(replace(one, number=number) for number, one in enumerate(self._drawn, 1))
        return Plan(self._seed, self._days, events)

    def _day(self, midnight: UnixMs) -> None:
        for card in range(CARDS):
            self._add(midnight, (5, 6.5), Act.LOAD, KIOSK, card, self._dice.choice(_LOADS), _AT_LOAD)
        for _ in range(_TAPS_A_DAY):
            self._tap(midnight)
        for _ in range(_UPLOADS_A_DAY):
            self._add(midnight, (6, 22.5), Act.UPLOAD, self._dice.choice((*BUSES, TILL)), 0, 0, _AT_UPLOAD)
        for _ in range(3):
            fault = self._dice.choice(_ALONE) if self._dice.random() < 2 * self._chance else None
            if fault is not None:
                self._draw(midnight, (6, 22), Act.BREAK, self._dice.randrange(4), 0, 0, fault)
        if self._chance:
            self._rogue(midnight)
        for machine in range(4):
            if self._dice.random() < 0.8:  # noqa: PLR2004  the others come with the next day's
                self._add(midnight, (22.6, 22.9), Act.SHIFT_END, machine, 0, 0, _AT_UPLOAD)
        self._add(midnight, (23.2, 23.8), Act.NIGHT, 0, 0, 0, _AT_NIGHT)

    def _rogue(self, midnight: UnixMs) -> None:
        """A merchant's till sells, and what it sends is not what it sold; one day it is found out."""
        for hour in (8, 11, 14):
            card, amount = self._dice.randrange(CARDS), 500 * self._dice.randint(1, 10)
            self._draw(midnight, (hour, hour + 1), Act.SALE, ROGUE, card, amount, None)
            fault = self._dice.choice(_TAMPERED)
            self._draw(midnight, (hour + 1, hour + 2), Act.TAMPER, ROGUE, 0, 0, fault)
        if self._dice.random() < 0.5:  # noqa: PLR2004  a coin
            self._draw(midnight, (12, 22), Act.BREAK, ROGUE, 0, 0, Fault.TERMINAL_REVOKED)

    def _tap(self, midnight: UnixMs) -> None:
        card = self._dice.randrange(CARDS)
        if self._dice.random() < 0.7:  # noqa: PLR2004  most people ride
            self._add(midnight, (5.5, 24.5), Act.FARE, self._dice.choice(BUSES), card, 0, _AT_TAP)
        else:
            self._add(midnight, (7, 22), Act.SALE, TILL, card, 500 * self._dice.randint(1, 40), _AT_TAP)

    def _add(
        self, midnight: UnixMs, hours: tuple[float, float], act: Act, machine: int, card: int, amount: int,
        faults: Sequence[Fault],
    ) -> None:  # fmt: skip
        fault = self._dice.choice(faults) if self._dice.random() < self._chance else None
        self._draw(midnight, hours, act, machine, card, amount, fault)

    def _draw(
        self, midnight: UnixMs, hours: tuple[float, float], act: Act, machine: int, card: int, amount: int,
        fault: Fault | None,
    ) -> None:  # fmt: skip
        at = UnixMs(midnight + self._dice.randrange(int(hours[0] * HOUR), int(hours[1] * HOUR)))
        self._drawn.append(Event(0, at, act, machine, card, amount, fault))


def make_plan(seed: int, days: int) -> Plan:
    """The plan of a seed: so many days from the founding's."""
    return _Planner(seed, days).plan()
