"""Transfers: what a ride costs that follows another within the window. Pure.

Source: GTFS Schedule reference, fare_transfer_rules.txt. A window opens with a ride whose rule has a leg group, and is never prolonged by a transfer.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from card.journey import FARE_MAX, TRANSFERS_MAX
from keys.money import Rupiah
from terminals.fares.decision import Step

if TYPE_CHECKING:
    from terminals.fares.prices import Quote
    from terminals.fares.rider import Rider
    from terminals.fares.tariff import Tariff, TransferRule


@dataclass(frozen=True, slots=True)
class Window:
    """A transfer window as the card keeps it: its start (Unix seconds, 0 for none), what was paid in it, transfers, last group."""

    started_at: int
    paid: Rupiah
    transfers: int
    group: int

    def plus(self, amount: Rupiah) -> Window:
        """The window after a payment in it."""
        if not (self.started_at and amount):
            return self
        return Window(self.started_at, Rupiah(min(self.paid + amount, FARE_MAX)), self.transfers, self.group)


NO_WINDOW: Final = Window(0, Rupiah(0), 0, 0)


def transferred(
    tariff: Tariff, rider: Rider, window: Window, quote: Quote, *, starts: int, ends: int
) -> tuple[tuple[Step, ...], Window]:
    """The steps of a leg (Unix seconds of its ends), and the window after it, before what is charged is counted in it."""
    price = rider.steps_of(quote)
    group = tariff.prices.group_number(quote.rule)
    rule = _rule(tariff, window, quote.rule.group, starts, ends)
    if rule is None:
        arrives = quote.rule.group in tariff.prices.from_arrival
        fresh = Window(ends if arrives else starts, Rupiah(0), 0, group) if group else NO_WINDOW
        return price, fresh
    extra = tariff.prices.amount(rule.product, rider.category) or 0 if rule.product else 0
    due = _due(rule, quote.amount, window.paid, extra)
    step = Step("transfer", Rupiah(due - quote.amount))
    count = min(window.transfers + 1, TRANSFERS_MAX)
    return (*price, step), Window(window.started_at, window.paid, count, group)


def _due(rule: TransferRule, price: int, paid: int, extra: int) -> int:
    """What the leg after the transfer costs, never less than nothing (fare_transfer_type)."""
    if rule.cost == 0:
        return max(0, extra)
    return max(0, price + extra) if rule.cost == 1 else max(0, extra - paid)


def _rule(tariff: Tariff, window: Window, group: str, starts: int, ends: int) -> TransferRule | None:
    """The rule that fits: exact groups before empty ones; of several, the one with the fewest transfers that still suffice."""
    if not window.started_at or not group:
        return None
    groups = tariff.prices.groups
    before = groups[window.group - 1] if 0 < window.group <= len(groups) else group
    fitting = [
        rule
        for rule in _of_groups(tariff, before, group)
        if _in_time(rule, window, starts, ends) and _in_count(rule, window)
    ]
    return min(fitting, key=lambda rule: rule.count if rule.count > 0 else TRANSFERS_MAX + 1, default=None)


def _of_groups(tariff: Tariff, before: str, after: str) -> list[TransferRule]:
    known = tariff.prices.transfers.get((before, after))
    if known is None:
        known = tariff.prices.transfers[before, after] = _matching(tariff, before, after)
    return known


def _matching(tariff: Tariff, before: str, after: str) -> list[TransferRule]:
    from_listed = {rule.from_group for rule in tariff.transfers}
    to_listed = {rule.to_group for rule in tariff.transfers}
    exact = [rule for rule in tariff.transfers if (rule.from_group, rule.to_group) == (before, after)]
    return exact or [
        rule
        for rule in tariff.transfers
        if (rule.from_group == before or (not rule.from_group and before not in from_listed))
        and (rule.to_group == after or (not rule.to_group and after not in to_listed))
    ]


def _in_time(rule: TransferRule, window: Window, starts: int, ends: int) -> bool:
    since = (starts if rule.limit.to_departure else ends) - window.started_at
    return since >= 0 and (not rule.seconds or since < rule.seconds)


def _in_count(rule: TransferRule, window: Window) -> bool:
    """A rule with a count (same groups) spans that many transfers; one without joins two legs once each time."""
    return rule.count <= 0 or window.transfers < rule.count
