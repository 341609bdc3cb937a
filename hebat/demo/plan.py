"""What happens on the demo day: who holds which card and who taps where and when. Pure: a seed gives one plan.

People and amounts are invented; corridors, fares and rules are Trans Semarang's.
"""

from __future__ import annotations

import random
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from enum import StrEnum

from card.layout import Concession
from keys.clock import UnixMs, moment
from keys.money import Rupiah

CARDS_MIN = 20
CARDS_MAX = 20_000
BUSES = 8
CORRIDORS = frozenset({"1", "2", "3A", "4", "5", "6", "7", "8"})
"""Where the demo's buses run: the routes of the day that are no feeders, one way each."""
MERCHANTS = 3
BNI, BANK_JATENG, MANDIRI = 9, 113, 8
NOTHING = Rupiah(0)
_ISSUERS = ((BNI, 50), (BANK_JATENG, 35), (MANDIRI, 15))
_CLASSES = ((Concession.GENERAL, 70), (Concession.PUPIL, 20), (Concession.ELDERLY, 10))
_LOADS = (Rupiah(30_000), Rupiah(50_000), Rupiah(100_000))


class Action(StrEnum):
    """What a person does at a terminal."""

    LOAD = "load"
    FARE = "fare"
    SALE = "sale"


class Mishap(StrEnum):
    """What goes wrong at a tap; by design, so that the day shows what the system makes of it."""

    NONE = "none"
    TORN_BEFORE = "card pulled away before the commit"
    ANSWER_LOST = "answer to the commit lost, card back at once"
    ANSWER_LOST_GONE = "answer to the commit lost, card not seen again here"
    COMMIT_LOST_GONE = "commit never reached the card, card not seen again here"


@dataclass(frozen=True, slots=True)
class Holder:
    """A card to be issued."""

    serial: int
    issuer: int
    concession: Concession
    registered: bool


@dataclass(frozen=True, slots=True)
class Event:
    """One tap: `terminal` counts from 0 among the terminals of its kind; `amount` is 0 where the tariff decides."""

    at: UnixMs
    action: Action
    card: int
    terminal: int
    amount: Rupiah = NOTHING
    mishap: Mishap = Mishap.NONE


@dataclass(frozen=True, slots=True)
class Plan:
    """A day: who holds a card, and the taps in order of time."""

    day: date
    holders: tuple[Holder, ...]
    events: tuple[Event, ...]
    cloned: int
    """The card that somebody copies at noon and uses on another bus in the evening."""


class _Planner:
    """Draws a plan from one random generator, so that the seed alone decides."""

    def __init__(self, day: date, seed: int) -> None:
        self._day = day
        self._random = random.Random(seed)  # noqa: S311  a plan to be repeated, no secret

    def between(self, start: time, end: time) -> UnixMs:
        first = moment(datetime.combine(self._day, start))
        last = moment(datetime.combine(self._day, end))
        return UnixMs(self._random.randrange(first, last))

    def holder(self, serial: int) -> Holder:
        issuer = self._random.choices([issuer for issuer, _ in _ISSUERS], [weight for _, weight in _ISSUERS])[
            0
        ]
        classes, weights = [one for one, _ in _CLASSES], [weight for _, weight in _CLASSES]
        concession = self._random.choices(classes, weights)[0]
        return Holder(serial, issuer, concession, registered=self._random.random() < 0.4)  # noqa: PLR2004  4 in 10

    def day_of(self, card: int) -> list[Event]:
        """A person's day: load, ride to work or school (some with a transfer), buy something, ride home."""
        loaded = self._random.choice(_LOADS)
        events = [Event(self.between(time(5), time(6, 30)), Action.LOAD, card, 0, loaded)]
        if self._random.random() < 0.85:  # noqa: PLR2004  the rest stay at home
            events += self._ride(card, time(6, 35), time(9))
            events += self._ride(card, time(15), time(20))
        if self._random.random() < 0.45:  # noqa: PLR2004  the rest buy nothing with the card
            events.append(self._purchase(card, loaded))
        return events

    def _ride(self, card: int, start: time, end: time) -> list[Event]:
        at = self.between(start, end)
        bus, other = self._random.sample(range(BUSES), 2)
        ride = [Event(at, Action.FARE, card, bus)]
        if self._random.random() < 0.35:  # noqa: PLR2004  one in three changes buses
            change = timedelta(minutes=self._random.randint(20, 70))
            ride.append(Event(UnixMs(at + change // timedelta(milliseconds=1)), Action.FARE, card, other))
        return ride

    def _purchase(self, card: int, loaded: Rupiah) -> Event:
        price = Rupiah(self._random.randrange(2_000, loaded // 2, 500))
        merchant = self._random.randrange(MERCHANTS)
        return Event(self.between(time(10), time(14)), Action.SALE, card, merchant, price)


def make_plan(day: date, seed: int, cards: int) -> Plan:
    """The whole day; raises ValueError below `CARDS_MIN` cards, which the planted mishaps need."""
    if not CARDS_MIN <= cards <= CARDS_MAX:
        raise ValueError(f"a demo day has {CARDS_MIN} to {CARDS_MAX} cards, not {cards}")
    planner = _Planner(day, seed)
    holders = tuple(planner.holder(serial) for serial in range(1, cards + 1))
    ordinary = [event for card in range(7, cards) for event in planner.day_of(card)]
    events = sorted(ordinary + _mishaps(planner), key=lambda event: (event.at, event.card))
    return Plan(day, holders, tuple(events), cloned=6)


def _mishaps(planner: _Planner) -> list[Event]:
    """Cards 0 to 6 live through what must not cost anyone money."""
    load = [
        Event(planner.between(time(5), time(6, 30)), Action.LOAD, card, 0, Rupiah(50_000))
        for card in (0, 1, 2, 3, 4, 6)
    ]
    return [
        *load,
        *_torn(planner, 0, Mishap.TORN_BEFORE),
        *_torn(planner, 1, Mishap.ANSWER_LOST),
        *_torn(planner, 2, Mishap.ANSWER_LOST_GONE),
        *_torn(planner, 3, Mishap.COMMIT_LOST_GONE),
        # Card 4's load is torn at the kiosk: the hold is voided by what the card shows later.
        Event(
            planner.between(time(10), time(11)), Action.LOAD, 4, 0, Rupiah(30_000), Mishap.COMMIT_LOST_GONE
        ),
        Event(planner.between(time(16), time(17)), Action.FARE, 4, 2),
        # Card 5 was never loaded: its purse is empty and the bus refuses it.
        Event(planner.between(time(7), time(8)), Action.FARE, 5, 0),
        Event(planner.between(time(7), time(8)), Action.FARE, 6, 1),
    ]


def _torn(planner: _Planner, card: int, mishap: Mishap) -> list[Event]:
    """A morning tap that goes wrong on bus 0, and an afternoon tap on bus 1 whose reading settles what happened."""
    morning = Event(planner.between(time(7), time(8)), Action.FARE, card, 0, mishap=mishap)
    return [morning, Event(planner.between(time(16), time(17)), Action.FARE, card, 1)]
