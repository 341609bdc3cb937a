"""Whether a tariff's parts fit together: every name that a rule uses is there, and no name stands for two things. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from card.journey import GROUPS_MAX
from terminals.errors import TariffWrong

if TYPE_CHECKING:
    from collections.abc import Iterable

    from terminals.fares.tariff import Tariff

CODE_CHARS_MAX: Final = 32
"""The longest name of a product or a category: both stand in the codes of rules, which travel in 64 characters."""
NUMBERS_MAX: Final = 0xFFFF


def check(tariff: Tariff) -> None:
    """Raises TariffWrong, naming the part and the name, at the first thing that does not fit."""
    categories = {one.category for one in tariff.categories}
    if sum(one.default for one in tariff.categories) != 1:
        raise TariffWrong("categories", "exactly one rider category is the default")
    _once("categories", (one.category for one in tariff.categories))
    _once("media", (one.medium for one in tariff.media))
    _once("products", ((one.product, one.category, one.medium) for one in tariff.products))
    _once("services", (one.service for one in tariff.services))
    _need("products", "rider category", (one.category for one in tariff.products), categories | {""})
    _need(
        "products",
        "medium",
        (one.medium for one in tariff.products),
        {one.medium for one in tariff.media} | {""},
    )
    _check_rules(tariff)
    _check_policy(tariff, categories)


def _check_rules(tariff: Tariff) -> None:
    products = {one.product for one in tariff.products}
    groups = {one.group for one in tariff.legs} | {""}
    frames = {one.group for one in tariff.frames} | {""}
    areas = {area for _, held in tariff.areas for area in held} | {""}
    networks = {network for _, network in tariff.networks} | {""}
    if not tariff.legs:
        raise TariffWrong("legs", "a tariff has at least one leg rule: nothing would have a price")
    _need("legs", "product", (one.product for one in tariff.legs), products)
    _need("legs", "network", (one.network for one in tariff.legs), networks)
    _need("legs", "area", (area for one in tariff.legs for area in (one.from_area, one.to_area)), areas)
    _need(
        "legs", "timeframe", (name for one in tariff.legs for name in (one.from_frame, one.to_frame)), frames
    )
    _need(
        "frames", "service", (one.service for one in tariff.frames), {one.service for one in tariff.services}
    )
    _need("transfers", "product", (one.product for one in tariff.transfers), products | {""})
    _need("transfers", "leg group", (name for one in tariff.transfers for name in (one.from_group, one.to_group)), groups)  # fmt: skip
    for one in (each for each in tariff.products if len(each.product) > CODE_CHARS_MAX):
        raise TariffWrong("products", f"the name {one.product!r} is longer than {CODE_CHARS_MAX} characters")
    default = tariff.default_category
    if all(tariff.prices.amount(one.product, default) is None for one in tariff.legs):
        raise TariffWrong("legs", "no rule's product has a price for the default rider with the card")
    if len(groups) > GROUPS_MAX:
        raise TariffWrong(
            "legs", f"a tariff has at most {GROUPS_MAX} leg groups: the card notes one by its number"
        )
    if max(len(tariff.networks), len(tariff.areas)) > NUMBERS_MAX:
        raise TariffWrong("networks", f"a card can note {NUMBERS_MAX} routes and stops at most")


def _check_policy(tariff: Tariff, categories: set[str]) -> None:
    policy = tariff.policy
    _need("policy", "rider category", (category for _, category in policy.classes), categories)
    _need("policy", "medium", [policy.medium], {one.medium for one in tariff.media} | {""})
    _need("policy", "network", policy.gated, {network for _, network in tariff.networks} | {""})
    for fares in (policy.daily_caps, policy.weekly_caps, policy.degraded):
        _need("policy", "rider category", (category for category, _ in fares), categories | {""})
        _once("policy", (category for category, _ in fares))
    _once("policy", (one for one, _ in policy.classes))


def _once(part: str, names: Iterable[object]) -> None:
    seen: set[object] = set()
    for name in names:
        if name in seen:
            raise TariffWrong(part, f"{name!r} stands there twice")
        seen.add(name)


def _need(part: str, what: str, names: Iterable[str], known: set[str]) -> None:
    for name in names:
        if name not in known:
            raise TariffWrong(part, f"the {what} {name!r} is not defined")
