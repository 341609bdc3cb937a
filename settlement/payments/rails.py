"""How a payment travels: inside a bank, BI-FAST, SKN or RTGS, by amount; and on which day (FACTS, rails and calendars)."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum
from typing import TYPE_CHECKING

from keys.money import Rupiah, Sen, sen_of
from settlement.calendar.indonesia import indonesian_calendar

if TYPE_CHECKING:
    from keys.clock import Day
    from settlement.calendar.days import BankCalendar


class Rail(Enum):
    """A rail, with its proprietary codes for a payment file: service level, local instrument."""

    IN_HOUSE = ("NURG", "OVERBOOKING")
    BI_FAST = ("URGP", "BIFAST")
    SKN = ("NURG", "SKN")
    RTGS = ("URGP", "RTGS")

    def __init__(self, service_level: str, local_instrument: str) -> None:
        self.service_level = service_level
        self.local_instrument = local_instrument

    @property
    def always_open(self) -> bool:
        """Whether it runs at night and on holidays."""
        return self in {Rail.IN_HOUSE, Rail.BI_FAST}


@dataclass(frozen=True, slots=True)
class RailRules:
    """Limits, which change; and the days on which banks work."""

    bi_fast_max: Sen = sen_of(Rupiah(250_000_000))
    skn_max: Sen = sen_of(Rupiah(1_000_000_000))
    calendar: BankCalendar = field(default_factory=indonesian_calendar)

    def rail(self, amount: Sen, *, same_bank: bool) -> Rail:
        """The cheapest rail that takes an amount; money that stays inside one bank travels none."""
        if same_bank:
            return Rail.IN_HOUSE
        if amount <= self.bi_fast_max:
            return Rail.BI_FAST
        return Rail.SKN if amount <= self.skn_max else Rail.RTGS

    def execution(self, rail: Rail, window: Day) -> Day:
        """When a payment of a window, sent after its cut-off, is executed: the same night, or the next bank day."""
        if rail.always_open:
            return window
        return self.calendar.next_bank_day(window)
