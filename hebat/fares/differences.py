"""What two versions of a tariff say differently, and what that changes over recorded taps. Pure."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any, Final

from hebat.fares.taps import answered
from keys.clock import date_of
from terminals.fares.tariff import Policy

if TYPE_CHECKING:
    from collections.abc import Iterator

    from hebat.fares.taps import RecordedTap
    from terminals.fares import Tariff

_PARTS: Final = (
    "legs",
    "transfers",
    "categories",
    "media",
    "frames",
    "services",
    "networks",
    "areas",
    "holidays",
)


@dataclass(frozen=True, slots=True)
class Changed:
    """What the second tariff changes over a file of taps, in rupiah."""

    taps: int
    cards: int
    before: int
    after: int
    dearer_taps: int
    cheaper_taps: int
    dearer_cards: int
    cheaper_cards: int
    refused_before: int
    refused_after: int
    by_reason: tuple[tuple[str, int, int], ...]
    """Rules, with the rupiah that each added or took off, before and after."""


def differences(old: Tariff, new: Tariff) -> list[str]:
    """One line for each thing that differs, in the order of the tariff's parts; none for the same tariff under another name."""
    return list(_differences(old, new))


def _differences(old: Tariff, new: Tariff) -> Iterator[str]:
    if old.valid_from != new.valid_from:
        yield f"valid from {date_of(old.valid_from)} > {date_of(new.valid_from)}"
    yield from _of_prices(old, new)
    yield from _of_parts(old, new)
    yield from _of_policy(old.policy, new.policy)


def _of_prices(old: Tariff, new: Tariff) -> Iterator[str]:
    before = {(one.product, one.category, one.medium): one.amount for one in old.products}
    after = {(one.product, one.category, one.medium): one.amount for one in new.products}
    for key in sorted(before.keys() | after.keys()):
        if before.get(key) != after.get(key):
            name = " ".join(filter(None, key))
            yield f"price of {name}: {_amount(before.get(key))} > {_amount(after.get(key))}"


def _of_parts(old: Tariff, new: Tariff) -> Iterator[str]:
    for part in _PARTS:
        was, now = set(getattr(old, part)), set(getattr(new, part))
        gone, come = len(was - now), len(now - was)
        if gone or come:
            yield f"{part}: {gone} gone, {come} new"


def _of_policy(old: Policy, new: Policy) -> Iterator[str]:
    for one in fields(Policy):
        was, now = getattr(old, one.name), getattr(new, one.name)
        if was != now:
            yield f"{one.name.replace('_', ' ')}: {_plain(was)} > {_plain(now)}"


def _amount(amount: int | None) -> str:
    return "none" if amount is None else f"Rp{amount:,}".replace(",", ".")


def _plain(value: Any) -> str:
    if isinstance(value, tuple):
        return ", ".join(f"{name or 'all'} {amount}" for name, amount in value) or "none"
    if isinstance(value, frozenset):
        return ", ".join(sorted(value)) or "none"
    return str(value) or "none"


def changed(taps: list[RecordedTap], old: Tariff, new: Tariff) -> Changed:
    """Both tariffs over the same taps."""
    dearer = cheaper = refused_before = refused_after = before = after = 0
    cards: Counter[str] = Counter()
    reasons: tuple[Counter[str], Counter[str]] = (Counter(), Counter())
    for one, other in zip(answered(taps, old), answered(taps, new), strict=True):
        was, now = one.decision.amount, other.decision.amount
        before, after = before + was, after + now
        dearer, cheaper = dearer + (now > was), cheaper + (now < was)
        refused_before, refused_after = (
            refused_before + bool(one.refused),
            refused_after + bool(other.refused),
        )
        cards[one.tap.card] += now - was
        for counted, done in zip(reasons, (one, other), strict=True):
            for step in done.decision.steps:
                counted[step.code] += step.amount
    names = sorted({code for counted in reasons for code, amount in counted.items() if amount})
    return Changed(
        len(taps), len(cards), before, after, dearer, cheaper, sum(one > 0 for one in cards.values()),
        sum(one < 0 for one in cards.values()), refused_before, refused_after,
        tuple((name, reasons[0][name], reasons[1][name]) for name in names),
    )  # fmt: skip
