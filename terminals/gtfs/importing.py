"""A feed's fares as a tariff: Fares v2 where the feed has them, else v1 (the reference gives v2 precedence)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from terminals.errors import FeedWrong, TariffWrong
from terminals.fares.checks import check
from terminals.fares.codec import NAME_CHARS_MAX
from terminals.fares.tariff import Policy, Tariff
from terminals.gtfs import fares_v1, fares_v2
from terminals.gtfs.calendars import read_days
from terminals.gtfs.feed import Feed
from terminals.gtfs.places import read_places
from terminals.gtfs.policy import FILE as POLICY_FILE
from terminals.gtfs.policy import read_policy

if TYPE_CHECKING:
    from pathlib import Path

    from keys.clock import Day
    from terminals.fares.tariff import LegRule, Medium
    from terminals.gtfs.places import FeedPlaces
    from terminals.gtfs.policy import PolicyFile


@dataclass(frozen=True, slots=True)
class Naming:
    """What a tariff is called and from when it holds; what is None comes from feed_info.txt."""

    version: str | None = None
    valid_from: Day | None = None


def import_tariff(path: Path, naming: Naming | None = None) -> Tariff:
    """The tariff of a feed, a folder or a zip; raises FeedWrong with file, row and column."""
    with Feed(path) as feed:
        version, valid_from = _named(feed, naming or Naming())
        places = read_places(feed)
        policy = read_policy(feed)
        parts = _parts(feed, places, policy)
        try:
            tariff = Tariff(version, valid_from, holidays=frozenset(policy.holidays), **parts)
            check(tariff)
        except TariffWrong as error:
            file = POLICY_FILE if error.part == "policy" else error.part
            raise FeedWrong(file, 0, "", error.reason) from None
    return tariff


def _named(feed: Feed, naming: Naming) -> tuple[str, Day]:
    version, valid_from = naming.version, naming.valid_from
    for row in feed.optional("feed_info.txt", ["feed_publisher_name"]):
        version = version or row.text("feed_version") or None
        if valid_from is None and row.text("feed_start_date"):
            valid_from = row.day("feed_start_date")
    if version is None or valid_from is None:
        raise FeedWrong(
            "feed_info.txt", 0, "", "it names no feed_version or feed_start_date: give --as and --from"
        )
    if not 1 <= len(version) <= NAME_CHARS_MAX or "#" in version:
        raise FeedWrong(
            "feed_info.txt", 0, "feed_version", f"a version has 1 to {NAME_CHARS_MAX} characters, and no #"
        )
    return version, valid_from


def _parts(feed: Feed, places: FeedPlaces, file: PolicyFile) -> dict[str, Any]:
    if next(feed.optional("fare_leg_join_rules.txt", ["from_network_id"]), None) is not None:
        raise FeedWrong(
            "fare_leg_join_rules.txt", 2, "", "joined legs are not priced here: use fare_transfer_rules.txt"
        )
    categories, media = fares_v2.read_categories(feed), fares_v2.read_media(feed)
    common = {"categories": categories, "media": media, "policy": _with_medium(file, media)}
    if feed.has("fare_products.txt"):
        return common | _version_2(
            feed, places, file, {one.category for one in categories}, {one.medium for one in media}
        )
    if not feed.has("fare_attributes.txt"):
        raise FeedWrong(
            "fare_products.txt", 0, "", "the feed has no fares, neither v2 nor v1 (fare_attributes.txt)"
        )
    found = fares_v1.read_fares(feed, places)
    rules = {
        "products": found.products,
        "legs": found.legs,
        "transfers": found.transfers,
        "prioritised": True,
    }
    return common | rules | _placed(places, found.legs, file)


def _version_2(
    feed: Feed, places: FeedPlaces, file: PolicyFile, categories: set[str], media: set[str]
) -> dict[str, Any]:
    products = fares_v2.read_products(feed, categories, media)
    named = {one.product for one in products}
    days = read_days(feed, file.follows, frozenset(file.holidays))
    for service in file.follows:
        if service not in days:
            raise FeedWrong(POLICY_FILE, 0, "applies_to", f"{service!r} is no service of this feed")
    frames = fares_v2.read_frames(feed, days)
    legs, prioritised = fares_v2.read_legs(feed, places, named, {one.group for one in frames})
    groups = {one.group for one in legs if one.group}
    used = {one.service for one in frames}
    return {
        "products": products, "legs": legs, "prioritised": prioritised, "frames": frames,
        "services": tuple(one for one in days.values() if one.service in used),
        "transfers": fares_v2.read_transfers(feed, groups, named),
        **_placed(places, legs, file),
    }  # fmt: skip


def _placed(places: FeedPlaces, legs: tuple[LegRule, ...], file: PolicyFile) -> dict[str, Any]:
    """Routes and stops, where a rule asks for them."""
    needs_network = any(one.network for one in legs) or any(file.gated)
    needs_area = any(one.from_area or one.to_area for one in legs)
    networks = tuple((one, places.network_of.get(one, "")) for one in places.routes)
    areas = tuple((one, places.areas_of_stop(one)) for one in places.stops)
    return {"networks": networks if needs_network else (), "areas": areas if needs_area else ()}


def _with_medium(file: PolicyFile, media: tuple[Medium, ...]) -> Policy:
    if not file.medium:
        cards = [one.medium for one in media if one.kind == fares_v2.TRANSIT_CARD]
        if len(cards) > 1:
            raise FeedWrong(
                POLICY_FILE, 0, "", f"card_medium must say which of {', '.join(cards)} this city's card is"
            )
        file.medium = cards[0] if cards else ""
    return file.policy()
