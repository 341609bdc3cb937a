"""What a seed makes of a run: what happens on each of its days, and what goes wrong with it. Pure; the same seed gives the same plan."""

from __future__ import annotations

from dataclasses import replace
from random import Random
from typing import TYPE_CHECKING, Final

from hebat.simulate.faults import Fault
from hebat.simulate.foundation import CARDS
from hebat.simulate.plan import BUSES, DAY, HOUR, KIOSK, MIDNIGHT, MINUTE, ROGUE, TILL, Act, Event, Plan
from keys.clock import UnixMs

if TYPE_CHECKING:
    from collections.abc import Sequence

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
_AT_BANKS: Final = (
    Fault.BANK_LOST_PAYMENT, Fault.BANK_PAID_TWICE, Fault.BANK_PAID_LESS, Fault.BANK_STRAY_LINE, Fault.STATEMENT_LATE,
    Fault.STATEMENT_TWICE, *_AT_NIGHT,
)  # fmt: skip
_TAMPERED: Final = (Fault.AMOUNT_FALSIFIED, Fault.EVIDENCE_FORGED, Fault.NUMBERS_LEFT_OUT)
_LOADS: Final = (20_000, 50_000, 100_000, 1_990_000)
_TAPS_A_DAY: Final = (15, 30, 30, 150)
_WINDOW: Final = 2 * HOUR
_UPLOADS_A_DAY: Final = 10
_BESIDE: Final = 9001
"""From here on events are numbered that came to the plans later than the others."""


class _Planner:
    """Draws a plan."""

    def __init__(self, seed: int, days: int) -> None:
        self._seed = seed
        self._days = days
        self._dice = Random(f"plan-{seed}")  # noqa: S311  a plan to be repeated, no secret
        self._chance = self._dice.choice((0.0, 0.1, 0.3, 0.6))
        """How often something goes wrong in this run."""
        self._taps = self._dice.choice(_TAPS_A_DAY)
        self._drawn: list[Event] = []

    def plan(self) -> Plan:
        for day in range(self._days):
            self._day(UnixMs(MIDNIGHT + day * DAY))
        self._drawn.sort(key=lambda one: one.at)
        events = [replace(one, number=number) for number, one in enumerate(self._drawn, 1)]
        events += (one for day in range(self._days) for one in self._ended(day))
        return Plan(self._seed, self._days, tuple(sorted(events, key=lambda one: one.at)))

    def _ended(self, day: int) -> list[Event]:
        """A certificate that ends on a day, at times: with dice and numbers of its own, so that all else of a seed stays as it is."""
        dice = Random(f"ended-{self._seed}-{day}")  # noqa: S311  as above
        if dice.random() >= self._chance / 2:
            return []
        at = UnixMs(MIDNIGHT + day * DAY + dice.randrange(6 * HOUR, 16 * HOUR))
        return [Event(_BESIDE + day, at, Act.BREAK, dice.randrange(4), fault=Fault.CERTIFICATE_ENDED)]

    def _day(self, midnight: UnixMs) -> None:
        for card in range(CARDS):
            self._add(midnight, (5, 6.5), Act.LOAD, KIOSK, card, self._dice.choice(_LOADS), _AT_LOAD)
        for _ in range(self._taps):
            self._tap(midnight)
        self._transfer(midnight)
        for _ in range(_UPLOADS_A_DAY):
            self._add(midnight, (6, 22.5), Act.UPLOAD, self._dice.choice((*BUSES, TILL)), 0, 0, _AT_UPLOAD)
        for _ in range(3):
            fault = self._dice.choice(_ALONE) if self._dice.random() < 2 * self._chance else None
            if fault is not None:
                self._draw(midnight, (6, 22), Act.BREAK, self._dice.randrange(4), 0, 0, fault)
        if self._chance:
            self._rogue(midnight)
        if self._dice.random() < self._chance:
            self._draw(midnight, (9, 20), Act.BREAK, 0, self._dice.randrange(CARDS), 0, Fault.CARD_BLOCKED)
        self._office(midnight)
        self._evening(midnight)

    def _office(self, midnight: UnixMs) -> None:
        """What the city changes while everything runs."""
        for fault in (Fault.KEY_ROLLED, Fault.TARIFF_CHANGED):
            if self._dice.random() < self._chance:
                self._draw(midnight, (6, 21), Act.BREAK, 0, 0, 0, fault)

    def _evening(self, midnight: UnixMs) -> None:
        """Shifts end, the window is settled, banks tell what they did, and somebody looks at it."""
        for machine in range(4):
            if self._dice.random() < 0.8:  # noqa: PLR2004  the others come with the next day's
                self._add(midnight, (22.6, 22.9), Act.SHIFT_END, machine, 0, 0, _AT_UPLOAD)
        # Sold before the cut-off, received after it, while the window is not closed yet.
        late = Random(f"late-{self._seed}-{midnight}")  # noqa: S311  as above
        sold = UnixMs(midnight + 22 * HOUR + 55 * MINUTE + late.randrange(MINUTE))
        self._drawn.append(Event(0, sold, Act.SALE, TILL, late.randrange(CARDS), 1_234))
        self._drawn.append(Event(0, UnixMs(sold + 10 * MINUTE), Act.UPLOAD, TILL))
        self._add(midnight, (23.2, 23.6), Act.NIGHT, 0, 0, 0, _AT_NIGHT)
        often = self._chance and self._dice.random() < 0.8  # noqa: PLR2004  banks have one night a day
        self._draw(
            midnight, (23.7, 23.9), Act.STATEMENTS, 0, 0, 0, self._dice.choice(_AT_BANKS) if often else None
        )
        if self._dice.random() < self._chance:
            self._draw(midnight, (23.91, 23.99), Act.BREAK, 0, 0, 0, Fault.MATCH_UNDONE)

    def _rogue(self, midnight: UnixMs) -> None:
        """A merchant's till sells, and what it sends is not what it sold; one day it is found out."""
        for hour in (8, 11, 14):
            card, amount = self._dice.randrange(CARDS), self._dice.randint(100, 5_000)
            self._draw(midnight, (hour, hour + 1), Act.SALE, ROGUE, card, amount, None)
            fault = self._dice.choice(_TAMPERED)
            self._draw(midnight, (hour + 1, hour + 2), Act.TAMPER, ROGUE, 0, 0, fault)
        if self._dice.random() < 0.5:  # noqa: PLR2004  a coin
            self._draw(midnight, (9, 13), Act.BREAK, ROGUE, 0, 0, Fault.TERMINAL_REVOKED)
        self._draw(midnight, (17, 18), Act.SALE, ROGUE, self._dice.randrange(CARDS), 777, None)
        self._draw(midnight, (19, 20), Act.UPLOAD, ROGUE, 0, 0, None)

    def _tap(self, midnight: UnixMs) -> None:
        card = self._dice.randrange(CARDS)
        if self._dice.random() < 0.7:  # noqa: PLR2004  most people ride
            self._add(midnight, (5.5, 24.5), Act.FARE, self._dice.choice(BUSES), card, 0, _AT_TAP)
        else:
            self._add(midnight, (7, 22), Act.SALE, TILL, card, self._dice.randint(100, 20_000), _AT_TAP)

    def _transfer(self, midnight: UnixMs) -> None:
        """Somebody changes buses in the very second in which the window of transfers ends, and somebody a second before."""
        for before_ms in (0, 1000):
            card = self._dice.randrange(CARDS)
            self._draw(midnight, (7, 20), Act.FARE, BUSES[0], card, 0, None)
            first = self._drawn[-1]
            self._drawn.append(replace(first, at=UnixMs(first.at + _WINDOW - before_ms), machine=BUSES[1]))

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
