"""What a tap costs, step by step, under the caps of the service day and week that each step belongs to. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from card.journey import FARE_MAX, WEEK_MAX, Journey
from keys.clock import Day, date_of
from keys.money import Rupiah
from terminals.fares.decision import Step

if TYPE_CHECKING:
    from terminals.fares.tariff import Tariff


def week_of(day: Day) -> int:
    """The Monday of a service day's week, as days since 1970."""
    return day - date_of(day).weekday()


class Bill:
    """The steps of one decision; `start` moves on to the day that the next steps belong to."""

    def __init__(self, tariff: Tariff, journey: Journey) -> None:
        self._caps = tariff.prices.caps
        self._day = journey.service_day
        self.day_total, self.week_total = journey.day_total, journey.week_total
        self.steps: list[Step] = []

    def start(self, day: Day) -> None:
        """Move to a service day: another day, and another week, count from nothing."""
        if day != self._day:
            self.day_total = Rupiah(0)
            if not self._day or week_of(day) != week_of(self._day):
                self.week_total = Rupiah(0)
        self._day = day

    def note(self, code: str) -> None:
        """A rule that fired and costs nothing."""
        self.steps.append(Step(code, Rupiah(0)))

    def charge(self, category: str, *steps: Step) -> Rupiah:
        """Add the steps of one fare, cut to what is left under the caps; what is charged for it."""
        amount = int(sum(step.amount for step in steps))
        self.steps += steps
        for code, caps in self._caps:
            spent = self.day_total if code == "daily-cap" else self.week_total
            cap = caps.get(category, caps.get(""))
            over = 0 if cap is None else min(amount, amount + spent - cap)
            if over > 0:
                self.steps.append(Step(code, Rupiah(-over)))
                amount -= over
        self.day_total = Rupiah(min(self.day_total + amount, FARE_MAX))
        self.week_total = Rupiah(min(self.week_total + amount, WEEK_MAX))
        return Rupiah(amount)
