"""A tariff as bytes: the body of a tariff bundle, and of a tariff file. Deterministic CBOR (RFC 8949 section 4.2), strict in what it holds.

One map: format (2), name, valid_from, and a list of rows for each part of `Tariff`, every row with the fields of its class in their order. Format 1, the
flat fare alone, is read by `terminals.bundles.contents`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import cbor2

from card.layout import Concession
from keys import cbor
from keys.clock import Day
from keys.errors import CborMalformed
from keys.money import Rupiah
from terminals.errors import TariffWrong
from terminals.fares.checks import check
from terminals.fares.fields import DAY_MAX, Fields
from terminals.fares.tariff import (
    AMOUNT_MAX,
    WEEKLY_CAP_MAX,
    Category,
    Cost,
    Days,
    Follows,
    LegRule,
    Limit,
    Medium,
    Policy,
    Product,
    Tariff,
    Timeframe,
    TransferRule,
)

if TYPE_CHECKING:
    from collections.abc import Callable

FORMAT: Final = 2
NAME_CHARS_MAX: Final = 48
_DAY_SECONDS: Final = 86_400
_MINUTES_MAX: Final = 24 * 60
_SECONDS_MAX: Final = 2 * _DAY_SECONDS
_PARTS: Final = (
    "products", "legs", "transfers", "categories", "media", "frames", "services", "networks", "areas",
)  # fmt: skip
_MINUTES: Final = ("passback_minutes", "reversal_minutes", "continuation_minutes", "ride_minutes")
_FARES: Final = {"daily_caps": AMOUNT_MAX, "weekly_caps": WEEKLY_CAP_MAX, "degraded": AMOUNT_MAX}


def encode(tariff: Tariff) -> bytes:
    """The tariff's bytes; its version stands there without the number of a bundle."""
    services = [
        [one.service, one.weekdays, one.first, one.last, one.follows.value, sorted(one.added), sorted(one.removed)]
        for one in tariff.services
    ]  # fmt: skip
    told: dict[str, Any] = {
        "format": FORMAT, "name": tariff.version.partition("#")[0], "valid_from": tariff.valid_from,
        "prioritised": tariff.prioritised, "holidays": sorted(tariff.holidays), "policy": _policy_told(tariff.policy),
        "products": [[one.product, one.category, one.medium, one.amount, one.name] for one in tariff.products],
        "legs": [
            [
                one.product, one.group, one.network, one.from_area, one.to_area, one.from_frame, one.to_frame,
                one.priority,
            ]
            for one in tariff.legs
        ],
        "transfers": [
            [one.from_group, one.to_group, int(one.cost), one.product, one.count, one.seconds, int(one.limit)]
            for one in tariff.transfers
        ],
        "categories": [[one.category, one.name, one.default] for one in tariff.categories],
        "media": [[one.medium, one.name, one.kind] for one in tariff.media],
        "frames": [[one.group, one.service, one.start, one.end] for one in tariff.frames],
        "services": services,
        "networks": [list(one) for one in tariff.networks],
        "areas": [[stop, list(areas)] for stop, areas in tariff.areas],
    }  # fmt: skip
    return cbor2.dumps(told, canonical=True)


def _policy_told(policy: Policy) -> dict[str, Any]:
    return {
        "medium": policy.medium,
        "classes": [[int(one), category] for one, category in policy.classes],
        "gated": sorted(policy.gated),
        "calendar_days": policy.calendar_days,
        **{name: getattr(policy, name) for name in _MINUTES},
        **{name: [list(one) for one in getattr(policy, name)] for name in _FARES},
    }


def is_this_format(body: bytes) -> bool:
    """Whether bytes are meant to be a tariff of this format: a map that names it."""
    try:
        found: Any = cbor.decoded(body)
    except CborMalformed:
        return False
    return isinstance(found, dict) and "format" in found


def decode(body: bytes, number: int = 0) -> Tariff:
    """The tariff of bytes, with the number of the bundle that it came by in its version.

    Raises TariffWrong, naming the part and the row.
    """
    found = Fields(cbor.decoded(body) if is_this_format(body) else None, "tariff")
    found.need({"format", "name", "valid_from", "prioritised", "holidays", "policy", *_PARTS})
    if found.whole("format", 255) != FORMAT:
        raise TariffWrong("format", f"this software reads format {FORMAT}: update it")
    if not cbor.is_deterministic(found.values, body):
        raise TariffWrong("tariff", "it is not in deterministic encoding")
    name = found.text("name", NAME_CHARS_MAX)
    if not name or "#" in name:
        raise TariffWrong("name", f"it has 1 to {NAME_CHARS_MAX} characters, and no #")
    rows = {part: found.rows(part) for part in _PARTS}
    tariff = Tariff(
        f"{name}#{number}" if number else name,
        Day(found.whole("valid_from", DAY_MAX)),
        prioritised=found.flag("prioritised"),
        holidays=frozenset(found.days("holidays")),
        policy=_policy(found.values["policy"]),
        networks=tuple((row.text(0), row.text(1)) for row in rows["networks"]),
        areas=tuple((row.text(0), tuple(row.texts(1))) for row in rows["areas"]),
        **{part: tuple(map(make, rows[part])) for part, make in _MAKERS.items()},
    )
    check(tariff)
    return tariff


def _policy(values: Any) -> Policy:
    found = Fields(values, "policy")
    found.need({"medium", "classes", "gated", "calendar_days", *_MINUTES, *_FARES})
    fares = {
        name: tuple((row.text(0), Rupiah(row.whole(1, most))) for row in found.rows(name))
        for name, most in _FARES.items()
    }
    minutes = {name: found.whole(name, _MINUTES_MAX) for name in _MINUTES}
    told: dict[str, Any] = {**fares, **minutes}
    return Policy(
        medium=found.text("medium"),
        classes=tuple(
            (Concession(row.whole(0, max(Concession))), row.text(1)) for row in found.rows("classes")
        ),
        gated=frozenset(found.texts("gated")),
        calendar_days=found.flag("calendar_days"),
        **told,
    )


_MAKERS: Final[dict[str, Callable[[Fields], Any]]] = {
    "products": lambda row: Product(
        row.text(0), row.text(1), row.text(2), Rupiah(row.whole(3, AMOUNT_MAX, -AMOUNT_MAX)), row.text(4)
    ),
    "legs": lambda row: LegRule(
        row.text(0), row.text(1), row.text(2), row.text(3), row.text(4), row.text(5), row.text(6), row.whole(7, 1_000_000)
    ),
    "transfers": lambda row: TransferRule(
        row.text(0), row.text(1), Cost(row.whole(2, max(Cost))), row.text(3), row.whole(4, 1_000, -1),
        row.whole(5, _SECONDS_MAX), Limit(row.whole(6, max(Limit))),
    ),
    "categories": lambda row: Category(row.text(0), row.text(1), row.flag(2)),
    "media": lambda row: Medium(row.text(0), row.text(1), row.whole(2, 4)),
    "frames": lambda row: Timeframe(
        row.text(0), row.text(1), row.whole(2, _DAY_SECONDS), row.whole(3, _DAY_SECONDS)
    ),
    "services": lambda row: Days(
        row.text(0), row.whole(1, 127), Day(row.whole(2, DAY_MAX)), Day(row.whole(3, DAY_MAX)),
        _follows(row), frozenset(row.days(5)), frozenset(row.days(6)),
    ),
}  # fmt: skip


def _follows(row: Fields) -> Follows:
    try:
        return Follows(row.text(4))
    except ValueError:
        raise TariffWrong("services", "a holiday removes a day, adds it, or does nothing") from None
