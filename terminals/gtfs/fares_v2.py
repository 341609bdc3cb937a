"""Fares v2: rider_categories, fare_media, fare_products, timeframes, fare_leg_rules and fare_transfer_rules, row by row."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from terminals.fares.tariff import (
    AMOUNT_MAX,
    Category,
    Cost,
    LegRule,
    Limit,
    Medium,
    Product,
    Timeframe,
    TransferRule,
)

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

    from terminals.gtfs.feed import Feed, Row
    from terminals.gtfs.places import FeedPlaces

CATEGORY_FIELDS: Final = ("rider_category_id", "rider_category_name", "is_default_fare_category")
MEDIA_FIELDS: Final = ("fare_media_id", "fare_media_name", "fare_media_type")
PRODUCT_FIELDS: Final = (
    "fare_product_id", "fare_product_name", "rider_category_id", "fare_media_id", "amount", "currency",
)  # fmt: skip
FRAME_FIELDS: Final = ("timeframe_group_id", "start_time", "end_time", "service_id")
LEG_FIELDS: Final = (
    "leg_group_id", "network_id", "from_area_id", "to_area_id", "from_timeframe_group_id", "to_timeframe_group_id",
    "fare_product_id",
)  # fmt: skip
TRANSFER_FIELDS: Final = (
    "from_leg_group_id", "to_leg_group_id", "transfer_count", "duration_limit", "duration_limit_type",
    "fare_transfer_type", "fare_product_id",
)  # fmt: skip
TRANSIT_CARD: Final = 2
_DAY_SECONDS: Final = 86_400
_COUNT_MAX: Final = 1_000
_PRIORITY_MAX: Final = 1_000_000
_WINDOW_SECONDS_MAX: Final = 2 * _DAY_SECONDS


def read_categories(feed: Feed) -> tuple[Category, ...]:
    """The rider categories; one general category where the feed names none."""
    found: list[Category] = []
    for row in feed.optional(
        "rider_categories.txt", CATEGORY_FIELDS[:2], (*CATEGORY_FIELDS, "eligibility_url")
    ):
        default = bool(row.whole("is_default_fare_category", 0, 1, default=0))
        _once(row, "rider_category_id", {one.category for one in found})
        if default and any(one.default for one in found):
            raise row.wrong("is_default_fare_category", "another category is the default already")
        found.append(Category(row.name("rider_category_id"), row.needed("rider_category_name")[:64], default))
    return tuple(found) or (Category("general", "Umum", default=True),)


def read_media(feed: Feed) -> tuple[Medium, ...]:
    """What products are held on."""
    found: list[Medium] = []
    for row in feed.optional("fare_media.txt", [MEDIA_FIELDS[0], MEDIA_FIELDS[2]], MEDIA_FIELDS):
        _once(row, "fare_media_id", {one.medium for one in found})
        kind = row.whole("fare_media_type", 0, 4)
        found.append(Medium(row.name("fare_media_id"), row.text("fare_media_name")[:64], kind))
    return tuple(found)


def read_products(feed: Feed, categories: Collection[str], media: Collection[str]) -> tuple[Product, ...]:
    """The prices."""
    found: dict[tuple[str, str, str], Product] = {}
    for row in feed.rows("fare_products.txt", ["fare_product_id", "amount", "currency"], PRODUCT_FIELDS):
        row.need_rupiah("currency")
        one = Product(
            row.name("fare_product_id", needed=True),
            row.one_of("rider_category_id", categories, "rider category"),
            row.one_of("fare_media_id", media, "fare medium"),
            row.rupiah("amount", -AMOUNT_MAX, AMOUNT_MAX),
            row.text("fare_product_name")[:64],
        )
        key = one.product, one.category, one.medium
        if key in found:
            raise row.wrong("fare_product_id", "the same product, category and medium stand there twice")
        found[key] = one
    return tuple(found.values())


def read_frames(feed: Feed, services: Collection[str]) -> tuple[Timeframe, ...]:
    """The timeframes; those of one group and service never overlap."""
    found: list[Timeframe] = []
    for row in feed.optional("timeframes.txt", ["timeframe_group_id", "service_id"], FRAME_FIELDS):
        if bool(row.text("start_time")) != bool(row.text("end_time")):
            raise row.wrong("end_time", "start_time and end_time stand there together or not at all")
        whole = not row.text("start_time")
        start = 0 if whole else row.seconds("start_time", _DAY_SECONDS)
        end = _DAY_SECONDS if whole else row.seconds("end_time", _DAY_SECONDS)
        group = row.name("timeframe_group_id", needed=True)
        service = row.one_of("service_id", services, "service", needed=True)
        if end <= start:
            raise row.wrong("end_time", "it is not after start_time")
        for other in found:
            if (other.group, other.service) == (group, service) and start < other.end and other.start < end:
                raise row.wrong("start_time", "it overlaps another timeframe of its group and service")
        found.append(Timeframe(group, service, start, end))
    return tuple(found)


def read_legs(
    feed: Feed, places: FeedPlaces, products: Collection[str], frames: Collection[str]
) -> tuple[tuple[LegRule, ...], bool]:
    """The leg rules, and whether they have priorities."""
    found: dict[LegRule, Row] = {}
    prioritised, groups = False, dict[LegRule, str]()
    for row in feed.rows("fare_leg_rules.txt", ["fare_product_id"], (*LEG_FIELDS, "rule_priority")):
        prioritised = prioritised or "rule_priority" in row.values
        fields: dict[str, Any] = {
            "product": row.one_of("fare_product_id", products, "fare product", needed=True),
            "network": row.one_of("network_id", places.networks, "network"),
            "from_area": row.one_of("from_area_id", places.areas, "area"),
            "to_area": row.one_of("to_area_id", places.areas, "area"),
            "from_frame": row.one_of("from_timeframe_group_id", frames, "timeframe"),
            "to_frame": row.one_of("to_timeframe_group_id", frames, "timeframe"),
        }
        bare = LegRule(**fields)
        if bare in groups:
            raise row.wrong("fare_product_id", "the same rule stands there twice")
        groups[bare] = row.name("leg_group_id")
        priority = row.whole("rule_priority", 0, _PRIORITY_MAX, default=0)
        found[LegRule(**fields, group=groups[bare], priority=priority)] = row
    return tuple(found), prioritised


def read_transfers(
    feed: Feed, groups: Collection[str], products: Collection[str]
) -> tuple[TransferRule, ...]:
    """The transfer rules."""
    return tuple(_transfers(feed, groups, products))


def _transfers(feed: Feed, groups: Collection[str], products: Collection[str]) -> Iterator[TransferRule]:
    seen: set[tuple[str, ...]] = set()
    for row in feed.optional("fare_transfer_rules.txt", ["fare_transfer_type"], TRANSFER_FIELDS):
        key = tuple(
            row.text(name)
            for name in (
                "from_leg_group_id",
                "to_leg_group_id",
                "fare_product_id",
                "transfer_count",
                "duration_limit",
            )
        )
        if key in seen:
            raise row.wrong("from_leg_group_id", "the same rule stands there twice")
        seen.add(key)
        before = row.one_of("from_leg_group_id", groups, "leg group")
        after = row.one_of("to_leg_group_id", groups, "leg group")
        limited, typed = bool(row.text("duration_limit")), bool(row.text("duration_limit_type"))
        if limited != typed:
            raise row.wrong(
                "duration_limit_type", "duration_limit and its type stand there together or not at all"
            )
        yield TransferRule(
            before, after, Cost(row.whole("fare_transfer_type", 0, 2)),
            row.one_of("fare_product_id", products, "fare product"), _count(row, same=before == after),
            row.whole("duration_limit", 1, _WINDOW_SECONDS_MAX) if limited else 0,
            Limit(row.whole("duration_limit_type", 0, 3)) if limited else Limit.DEPARTURE_TO_DEPARTURE,
        )  # fmt: skip


def _count(row: Row, *, same: bool) -> int:
    if bool(row.text("transfer_count")) != same:
        raise row.wrong(
            "transfer_count", "it is needed where both leg groups are the same, and forbidden elsewhere"
        )
    count = row.whole("transfer_count", -1, _COUNT_MAX) if same else 0
    if same and not count:
        raise row.wrong("transfer_count", "it is -1 for no limit, or 1 and more")
    return count


def _once(row: Row, column: str, seen: Collection[str]) -> None:
    if row.name(column, needed=True) in seen:
        raise row.wrong(column, f"{row.text(column)!r} stands there twice")
