"""A tariff: dated and immutable. A change is a new version, so that yesterday's fares stay what they were.

Source of the figures: Trans Semarang since 2022-07-01 (FACTS, Trans Semarang (BRT)): non-cash Rp3,500; Rp1,000 for elderly, veterans, disabled, pupils, students and
child-card holders; pupils and students pay the full fare on Sundays and holidays. The city publishes no transfer window: 120 minutes from the first tap.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date
from typing import Final

from card.layout import Concession, Identity
from keys.clock import Day, date_of, day_of
from keys.money import Rupiah

SCHOOL_CLASSES: Final = frozenset({Concession.PUPIL, Concession.STUDENT})
"""Classes whose concession rests on Sundays and holidays."""
_SUNDAY: Final = 6
_NO_HOLIDAYS: Final[frozenset[Day]] = frozenset()


@dataclass(frozen=True, slots=True)
class Tariff:
    """Prices in whole rupiah; minutes; holidays as days. `valid_from` is the first service day."""

    version: str
    valid_from: Day
    full_fare: Rupiah
    concession_fare: Rupiah
    transfer_minutes: int = 120
    passback_minutes: int = 3
    holidays: frozenset[Day] = field(default=_NO_HOLIDAYS)

    def rests(self, day: Day) -> bool:
        """True on Sundays and holidays."""
        return date_of(day).weekday() == _SUNDAY or day in self.holidays

    def price(self, identity: Identity, day: Day) -> tuple[Rupiah, str]:
        """The fare of a ride on a service day, and the rule that made it."""
        concession = identity.concession
        if concession is Concession.GENERAL:
            return self.full_fare, "full"
        name = concession.name.lower()
        if identity.concession_until < day:
            return self.full_fare, f"full:{name}-expired"
        if concession in SCHOOL_CLASSES and self.rests(day):
            return self.full_fare, f"full:{name}-rest-day"
        return self.concession_fare, f"concession:{name}"

    def subsidy(self, paid: Rupiah, rules: tuple[str, ...]) -> Rupiah:
        """What the city adds to a paid fare: the difference that a concession leaves."""
        conceded = any(rule.startswith("concession:") for rule in rules)
        return Rupiah(self.full_fare - paid) if conceded and paid == self.concession_fare else Rupiah(0)


TRANS_SEMARANG_2022: Final = Tariff(
    version="trans-semarang-2022-07",
    valid_from=day_of(date(2022, 7, 1)),
    full_fare=Rupiah(3_500),
    concession_fare=Rupiah(1_000),
)
