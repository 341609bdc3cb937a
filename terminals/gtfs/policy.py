"""What GTFS cannot say of fares: one file more in the feed, `ksh_fare_policy.txt`, with the fields policy, applies_to and value.

| policy | applies_to | value |
|---|---|---|
| card_medium | | fare_media_id of the card (without it: the one transit card of fare_media.txt) |
| card_class | class on the card: pupil, student, elderly, veteran, disabled, child | its rider_category_id (without it: the same name) |
| gated | network_id, empty for routes in none | yes: rides are tapped in and out |
| days | | service (from 03:00, the default) or calendar |
| passback_minutes, reversal_minutes, continuation_minutes, ride_minutes | | minutes; 0 is never |
| daily_cap, weekly_cap | rider_category_id, empty for all | rupiah |
| degraded_fare | rider_category_id, empty for all | rupiah where the place is unknown (without it: the cheapest that it can be) |
| follows_holidays | service_id | removes or adds: what a public holiday does to these days |
| holiday | | a date (20261225) |
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from card.layout import Concession
from keys.clock import Day, date_of
from terminals.fares.tariff import AMOUNT_MAX, WEEKLY_CAP_MAX, Follows, Policy, Tariff

if TYPE_CHECKING:
    from collections.abc import Iterator

    from keys.money import Rupiah
    from terminals.gtfs.feed import Feed, Row

FILE: Final = "ksh_fare_policy.txt"
FIELDS: Final = ("policy", "applies_to", "value")
_MINUTES_MAX: Final = 24 * 60
_MINUTES: Final = ("passback_minutes", "reversal_minutes", "continuation_minutes", "ride_minutes")
_CLASSES: Final = {one.name.lower(): one for one in Concession if one}
_DEFAULTS: Final = Policy()


@dataclass(slots=True)
class PolicyFile:
    """What the file says; rows that name something of the feed are checked when the tariff is whole."""

    medium: str = ""
    calendar_days: bool = False
    classes: dict[Concession, str] = field(default_factory=dict)
    gated: set[str] = field(default_factory=set)
    minutes: dict[str, int] = field(default_factory=dict)
    daily_cap: dict[str, Rupiah] = field(default_factory=dict)
    weekly_cap: dict[str, Rupiah] = field(default_factory=dict)
    degraded_fare: dict[str, Rupiah] = field(default_factory=dict)
    follows: dict[str, Follows] = field(default_factory=dict)
    holidays: set[Day] = field(default_factory=set)

    def take(self, row: Row) -> None:
        """One row; raises FeedWrong."""
        policy, applies, value = row.needed("policy"), row.name("applies_to"), row.name("value", needed=True)
        if policy == "card_medium":
            self.medium = value
        elif policy == "card_class":
            self.classes[_CLASSES[row.one_of("applies_to", _CLASSES, "class of cards", needed=True)]] = value
        elif policy == "gated":
            _chosen(row, "yes")
            self.gated.add(applies)
        elif policy == "days":
            self.calendar_days = _chosen(row, "service", "calendar") == "calendar"
        elif policy in _MINUTES:
            self.minutes[policy] = row.whole("value", 0, _MINUTES_MAX)
        elif policy == "follows_holidays":
            self.follows[row.needed("applies_to")] = Follows(_chosen(row, "removes", "adds"))
        elif policy == "holiday":
            self.holidays.add(row.day("value"))
        else:
            self._take_amount(row, policy, applies)

    def _take_amount(self, row: Row, policy: str, applies: str) -> None:
        amounts = {
            "daily_cap": self.daily_cap, "weekly_cap": self.weekly_cap, "degraded_fare": self.degraded_fare,
        }.get(policy)  # fmt: skip
        if amounts is None:
            raise row.wrong("policy", f"{policy!r} is no policy that this software knows")
        amounts[applies] = row.rupiah("value", 0, WEEKLY_CAP_MAX if policy == "weekly_cap" else AMOUNT_MAX)

    def policy(self) -> Policy:
        """The policy of a tariff."""
        return Policy(
            medium=self.medium,
            classes=tuple(sorted(self.classes.items())),
            gated=frozenset(self.gated),
            calendar_days=self.calendar_days,
            **{name: self.minutes.get(name, getattr(_DEFAULTS, name)) for name in _MINUTES},
            daily_caps=tuple(sorted(self.daily_cap.items())),
            weekly_caps=tuple(sorted(self.weekly_cap.items())),
            degraded=tuple(sorted(self.degraded_fare.items())),
        )


def _chosen(row: Row, *known: str) -> str:
    if row.text("value") not in known:
        raise row.wrong("value", f"{row.text('value')!r}: {' or '.join(known)} is expected")
    return row.text("value")


def read_policy(feed: Feed) -> PolicyFile:
    """The file of a feed; a feed without it has the defaults. Raises FeedWrong, also for a row that stands there twice."""
    found, seen = PolicyFile(), set[tuple[str, str]]()
    for row in feed.optional(FILE, FIELDS, FIELDS):
        key = (
            row.text("policy"),
            row.text("applies_to") or row.text("value") * (row.text("policy") == "holiday"),
        )
        if key in seen:
            raise row.wrong("policy", f"{' '.join(key).strip()} stands there twice")
        seen.add(key)
        found.take(row)
    return found


def policy_rows(tariff: Tariff) -> Iterator[tuple[str, str, str]]:
    """The file's rows for a tariff, in a fixed order."""
    policy = tariff.policy
    if policy.medium:
        yield "card_medium", "", policy.medium
    yield from (("card_class", one.name.lower(), category) for one, category in policy.classes)
    yield from (("gated", network, "yes") for network in sorted(policy.gated))
    yield "days", "", "calendar" if policy.calendar_days else "service"
    yield from ((name, "", str(getattr(policy, name))) for name in _MINUTES)
    for name, fares in (
        ("daily_cap", policy.daily_caps), ("weekly_cap", policy.weekly_caps), ("degraded_fare", policy.degraded),
    ):  # fmt: skip
        yield from ((name, category, f"{amount}.00") for category, amount in fares)
    for one in tariff.services:
        if one.follows is not Follows.NOTHING:
            yield "follows_holidays", one.service, one.follows.value
    yield from (("holiday", "", f"{date_of(day):%Y%m%d}") for day in sorted(tariff.holidays))
