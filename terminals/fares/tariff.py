"""A tariff: dated and immutable. A change is a new version, so that yesterday's fares stay what they were.

Its parts are those of GTFS Fares v2 (GTFS Schedule reference: fare_products.txt, fare_leg_rules.txt, fare_transfer_rules.txt, timeframes.txt and
what they refer to), with routes and stops numbered by their place in the feed, as the card notes them. What GTFS cannot say is the `Policy`.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from enum import IntEnum, StrEnum
from typing import Final

from card.layout import Concession, Identity
from keys.clock import Day, date_of
from keys.money import Rupiah
from terminals.fares.prices import Prices

AMOUNT_MAX: Final = 1_000_000
"""The dearest product, and the highest cap of a day, in rupiah: what the card's journey file can count."""
WEEKLY_CAP_MAX: Final = 4_000_000
CASH_KIND: Final = 0
"""A fare medium of fare_media.txt that is none: paid in cash."""
_NO_DAYS: Final[frozenset[Day]] = frozenset()
_DAY_SECONDS: Final = 86_400


class Follows(StrEnum):
    """What a public holiday does to a set of days: nothing, takes the day out of it, or puts it in."""

    NOTHING = ""
    REMOVES = "removes"
    ADDS = "adds"


@dataclass(frozen=True, slots=True)
class Product:
    """A price in whole rupiah (negative for a transfer's discount) for a rider category and a medium; "" is any."""

    product: str
    category: str
    medium: str
    amount: Rupiah
    name: str = ""


@dataclass(frozen=True, slots=True)
class Category:
    """A rider category; exactly one is the default."""

    category: str
    name: str
    default: bool = False


@dataclass(frozen=True, slots=True)
class Medium:
    """What a product is held on: `kind` as in fare_media.txt (0 none, 2 transit card)."""

    medium: str
    name: str
    kind: int


@dataclass(frozen=True, slots=True)
class LegRule:
    """A rule of fare_leg_rules.txt: which product a leg costs; "" as the reference says it for each field."""

    product: str
    group: str = ""
    network: str = ""
    from_area: str = ""
    to_area: str = ""
    from_frame: str = ""
    to_frame: str = ""
    priority: int = 0


class Limit(IntEnum):
    """Between which taps a transfer's time counts (duration_limit_type)."""

    DEPARTURE_TO_ARRIVAL = 0
    DEPARTURE_TO_DEPARTURE = 1
    ARRIVAL_TO_DEPARTURE = 2
    ARRIVAL_TO_ARRIVAL = 3

    @property
    def from_arrival(self) -> bool:
        """True where the time begins when the first leg ends."""
        return self in {Limit.ARRIVAL_TO_DEPARTURE, Limit.ARRIVAL_TO_ARRIVAL}

    @property
    def to_departure(self) -> bool:
        """True where the time ends when the last leg begins."""
        return self in {Limit.DEPARTURE_TO_DEPARTURE, Limit.ARRIVAL_TO_DEPARTURE}


class Cost(IntEnum):
    """What a transfer from A to B costs (fare_transfer_type); AB is the rule's product, nothing without one."""

    A_PLUS_AB = 0
    A_PLUS_AB_PLUS_B = 1
    AB = 2


@dataclass(frozen=True, slots=True)
class TransferRule:
    """A rule of fare_transfer_rules.txt. `count` -1 is no limit, 0 not given; `seconds` 0 is no limit."""

    from_group: str
    to_group: str
    cost: Cost
    product: str = ""
    count: int = 0
    seconds: int = 0
    limit: Limit = Limit.DEPARTURE_TO_DEPARTURE


@dataclass(frozen=True, slots=True)
class Days:
    """The days of a service (calendar.txt, calendar_dates.txt): bit 0 of `weekdays` is Monday."""

    service: str
    weekdays: int
    first: Day
    last: Day
    follows: Follows = Follows.NOTHING
    added: frozenset[Day] = field(default=_NO_DAYS)
    removed: frozenset[Day] = field(default=_NO_DAYS)

    def holds(self, day: Day, holidays: frozenset[Day]) -> bool:
        """Whether a day is one of them."""
        if day in self.added or day in self.removed:
            return day in self.added
        if day in holidays and self.follows is not Follows.NOTHING and self.first <= day <= self.last:
            return self.follows is Follows.ADDS
        return self.first <= day <= self.last and bool(self.weekdays >> date_of(day).weekday() & 1)


@dataclass(frozen=True, slots=True)
class Timeframe:
    """A stretch of local time on the days of a service (timeframes.txt), in seconds since midnight; `end` is outside."""

    group: str
    service: str
    start: int = 0
    end: int = _DAY_SECONDS


@dataclass(frozen=True, slots=True)
class Policy:
    """What GTFS cannot say. Minutes; caps and degraded fares in rupiah by rider category, 0 minutes or no entry for none.

    `classes` names the rider category of a card's class; `gated` the networks where a ride's price is known at its end; days and
    timeframes are those of the service day (from 03:00), or of the calendar where `calendar_days` says so.
    """

    medium: str = ""
    classes: tuple[tuple[Concession, str], ...] = ()
    gated: frozenset[str] = frozenset()
    calendar_days: bool = False
    passback_minutes: int = 3
    reversal_minutes: int = 15
    continuation_minutes: int = 0
    ride_minutes: int = 240
    daily_caps: tuple[tuple[str, Rupiah], ...] = ()
    weekly_caps: tuple[tuple[str, Rupiah], ...] = ()
    degraded: tuple[tuple[str, Rupiah], ...] = ()


@dataclass(frozen=True, slots=True)
class Tariff:
    """Prices and rules from a service day on. Routes and stops stand at the place of their number, less one.

    `networks` are (route id, its network or ""), `areas` are (stop id, its areas) and empty where no rule asks for a place;
    `prioritised` says that the feed has the column rule_priority, which changes what an empty field of a leg rule means.
    """

    version: str
    valid_from: Day
    products: tuple[Product, ...]
    legs: tuple[LegRule, ...]
    transfers: tuple[TransferRule, ...] = ()
    categories: tuple[Category, ...] = (Category("general", "Umum", default=True),)
    media: tuple[Medium, ...] = ()
    frames: tuple[Timeframe, ...] = ()
    services: tuple[Days, ...] = ()
    networks: tuple[tuple[str, str], ...] = ()
    areas: tuple[tuple[str, tuple[str, ...]], ...] = ()
    prioritised: bool = False
    policy: Policy = field(default=Policy())
    holidays: frozenset[Day] = field(default=_NO_DAYS)
    prices: Prices = field(init=False, compare=False, repr=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "prices", Prices(self))

    @property
    def default_category(self) -> str:
        """The category of a rider who has no other."""
        return next((one.category for one in self.categories if one.default), "")

    def category(self, identity: Identity, day: Day) -> tuple[str, str]:
        """The rider's category on a day, and why it is not the card's class ("" where it is)."""
        concession = identity.concession
        if concession is Concession.GENERAL:
            return self.prices.default, ""
        if identity.concession_until < day:
            return self.prices.default, "expired"
        known = dict(self.policy.classes).get(concession, concession.name.lower())
        if any(one.category == known for one in self.categories):
            return known, ""
        return self.prices.default, "unknown"

    def in_cash(self) -> Tariff:
        """The same rules with the prices of cash (a medium of kind 0); the card's prices where the tariff names none for it."""
        cash = next((one.medium for one in self.media if one.kind == CASH_KIND), None)
        return self if cash is None else replace(self, policy=replace(self.policy, medium=cash))

    def is_gated(self, route_number: int) -> bool:
        """Whether rides on a route are tapped in and out."""
        return (self.prices.network(route_number) or "") in self.policy.gated

    def subsidy(self, paid: Rupiah, rules: tuple[str, ...]) -> Rupiah:
        """What the city adds to a paid fare: the difference that a concession leaves; nothing for a transfer."""
        conceded = next((rule for rule in rules if rule.startswith("concession:")), "")
        if not conceded or not paid or "transfer" in rules:
            return Rupiah(0)
        name, _, product = conceded.removeprefix("concession:").partition("@")
        concession = next((one for one in Concession if one.name.lower() == name), Concession.GENERAL)
        return self.prices.conceded(dict(self.policy.classes).get(concession, name), product)
