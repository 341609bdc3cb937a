"""Which leg rules fit a ride, and what they cost: the look-ups behind a tariff, made once. Pure.

Source: GTFS Schedule reference, fare_leg_rules.txt. Without the column rule_priority an empty network or area stands for all those that no rule lists;
with it, for any, and the highest priority wins. Where several rules fit, the rider takes the cheapest.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, time, timedelta
from typing import TYPE_CHECKING, Final

from card.journey import GROUPS_MAX
from keys.clock import UnixMs, day_of, local, moment, service_day
from keys.money import Rupiah

if TYPE_CHECKING:
    from terminals.fares.tariff import LegRule, Tariff, TransferRule

_Areas = frozenset[str] | None
_ROLL_SECONDS: Final = 3 * 3_600
"""When the service day ends: days hold until then."""


@dataclass(frozen=True, slots=True)
class Leg:
    """A ride as the rules see it: numbers of route and stops (0 unknown), and when it begins and ends."""

    route: int
    from_stop: int
    to_stop: int
    starts_at: UnixMs
    ends_at: UnixMs | None = None


@dataclass(frozen=True, slots=True)
class Quote:
    """A leg's price for a rider, and the rule it comes from; `full` is what the default category pays for it."""

    amount: Rupiah
    full: Rupiah
    rule: LegRule
    note: str = ""
    """The code of a rule that fired on the way and costs nothing."""


class Prices:
    """The look-ups of one tariff."""

    def __init__(self, tariff: Tariff) -> None:
        self._tariff = tariff
        self._networks = [network for _, network in tariff.networks]
        self._areas = [frozenset(areas) for _, areas in tariff.areas]
        self._from_listed = {rule.from_area for rule in tariff.legs if rule.from_area}
        self._to_listed = {rule.to_area for rule in tariff.legs if rule.to_area}
        self._networks_listed = {rule.network for rule in tariff.legs if rule.network}
        self._frames = {
            group: [one for one in tariff.frames if one.group == group]
            for group in {one.group for one in tariff.frames}
        }
        self._services = {one.service: one for one in tariff.services}
        self._amounts = self._priced()
        self._placed: dict[tuple[str | None, _Areas, _Areas], tuple[LegRule, ...]] = {}
        self.groups = sorted({rule.group for rule in tariff.legs if rule.group})[:GROUPS_MAX]
        """Names of the leg groups; a card notes the place of one, from 1."""
        self.default = tariff.default_category
        self.from_arrival = {rule.from_group for rule in tariff.transfers if rule.limit.from_arrival}
        """Groups whose window opens when a ride ends."""
        self.caps = (
            ("daily-cap", dict(tariff.policy.daily_caps)),
            ("weekly-cap", dict(tariff.policy.weekly_caps)),
        )
        self.transfers: dict[tuple[str, str], list[TransferRule]] = {}
        """Transfer rules by the groups before and after, as they are asked for."""

    def _priced(self) -> dict[tuple[str, str], Rupiah]:
        """Amount by product and category: the card's medium before none, the category before any before the default."""
        mine = [one for one in self._tariff.products if one.medium in {"", self._tariff.policy.medium}]
        found: dict[tuple[str, str], tuple[int, Rupiah]] = {}
        for one in mine:
            for category in (each.category for each in self._tariff.categories):
                rank = self._rank(one.category, category) + bool(one.medium)
                key = one.product, category
                if rank > 0 and (key not in found or found[key][0] < rank):
                    found[key] = (rank, one.amount)
        return {key: amount for key, (_, amount) in found.items()}

    def _rank(self, offered: str, category: str) -> int:
        """How well a price's category fits a rider's; below zero where it does not."""
        if offered == category:
            return 6
        if not offered:
            return 4
        return 2 if offered == self._tariff.default_category else -2

    def amount(self, product: str, category: str) -> Rupiah | None:
        """What a product costs a rider; None where the card cannot have it."""
        return self._amounts.get((product, category))

    def conceded(self, category: str, product: str = "") -> Rupiah:
        """What a concession takes off the full price of a product, or of any that has one (the least)."""
        products = [product] if product else self.has_concession(category)
        return Rupiah(min((full - price for full, price in self._pairs(category, products)), default=0))

    def has_concession(self, category: str) -> list[str]:
        """The products of leg rules that cost a category less than the default one."""
        products = sorted({rule.product for rule in self._tariff.legs})
        return [one for one in products for full, price in self._pairs(category, [one]) if price < full]

    def is_one_concession(self, category: str) -> bool:
        """Whether all concessions of a category are the same two prices."""
        return len(set(self._pairs(category, self.has_concession(category)))) <= 1

    def _pairs(self, category: str, products: list[str]) -> list[tuple[int, int]]:
        """Full and own price of products."""
        default, known = self._tariff.default_category, self._amounts
        return [
            (known[one, default], known[one, category])
            for one in products
            if (one, default) in known and (one, category) in known
        ]

    def network(self, route: int) -> str | None:
        """The network of a route; None for a route that the tariff does not know."""
        if not self._networks:
            return ""
        return self._networks[route - 1] if 0 < route <= len(self._networks) else None

    def _areas_of(self, stop: int) -> _Areas:
        if not self._areas:
            return frozenset()
        return self._areas[stop - 1] if 0 < stop <= len(self._areas) else None

    def place_matters(self, leg: Leg) -> bool:
        """Whether a place that the price may need is unknown."""
        unknown = self.network(leg.route) is None or self._areas_of(leg.from_stop) is None
        return unknown or (leg.ends_at is not None and self._areas_of(leg.to_stop) is None)

    def quotes(self, leg: Leg, category: str) -> list[Quote]:
        """The prices of all rules that fit a leg, cheapest first; what is unknown of it fits any rule."""
        found = [
            quote
            for rule in self._fitting(leg)
            if self._in_frame(rule.from_frame, leg.starts_at)
            and (leg.ends_at is None or self._in_frame(rule.to_frame, leg.ends_at))
            and (quote := self._quote(rule, category)) is not None
        ]
        if self._tariff.prioritised and found:
            best = max(quote.rule.priority for quote in found)
            found = [quote for quote in found if quote.rule.priority == best]
        return sorted(found, key=lambda quote: quote.amount)

    def _quote(self, rule: LegRule, category: str) -> Quote | None:
        amount = self._amounts.get((rule.product, category))
        if amount is None:
            return None
        return Quote(amount, self._amounts.get((rule.product, self.default), amount), rule)

    def _fitting(self, leg: Leg) -> tuple[LegRule, ...]:
        to_areas = None if leg.ends_at is None else self._areas_of(leg.to_stop)
        key = (self.network(leg.route), self._areas_of(leg.from_stop), to_areas)
        known = self._placed.get(key)
        if known is None:
            known = self._placed[key] = tuple(rule for rule in self._tariff.legs if self._fits(rule, *key))
        return known

    def _fits(self, rule: LegRule, network: str | None, from_areas: _Areas, to_areas: _Areas) -> bool:
        here = None if network is None else frozenset({network})
        return (
            self._field_fits(rule.network, here, self._networks_listed)
            and self._field_fits(rule.from_area, from_areas, self._from_listed)
            and self._field_fits(rule.to_area, to_areas, self._to_listed)
        )

    def _field_fits(self, wanted: str, found: _Areas, listed: set[str]) -> bool:
        if found is None:
            return True
        if wanted:
            return wanted in found
        return self._tariff.prioritised or not found & listed

    def _in_frame(self, group: str, at: UnixMs) -> bool:
        if not group:
            return True
        wall = local(at)
        day = day_of(wall.date()) if self._tariff.policy.calendar_days else service_day(at)
        seconds = wall.hour * 3600 + wall.minute * 60 + wall.second
        return any(
            one.start <= seconds < one.end and self._services[one.service].holds(day, self._tariff.holidays)
            for one in self._frames.get(group, ())
        )

    def stretches(self, since: UnixMs, until: UnixMs) -> list[UnixMs]:
        """A moment of each stretch of time in which the same timeframes hold, latest first."""
        if not self._frames:
            return [until]
        edges = {0, _ROLL_SECONDS, *(edge for one in self._tariff.frames for edge in (one.start, one.end))}
        first, last = (datetime.combine(local(at).date(), time()) for at in (since, until))
        midnights = [first + timedelta(days=day) for day in range((last - first).days + 1)]
        moments = {moment(day + timedelta(seconds=edge)) for day in midnights for edge in edges}
        return [until, *sorted((one for one in moments if since < one < until), reverse=True), since]

    def group_number(self, rule: LegRule) -> int:
        """The number of a rule's group as a card notes it; 0 for none."""
        return self.groups.index(rule.group) + 1 if rule.group in self.groups else 0
