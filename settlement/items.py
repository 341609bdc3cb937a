"""What a window makes us expect on bank statements: payments out, deposits and subsidy in, each under a reference of ours.

References are `KSH-YYYYMMDD-bbbb-nnnn`: window, bank, and a number that counts payments first, then what comes in.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, NamedTuple

from keys.clock import Day, date_of
from keys.money import Sen
from ledger.chart import Code
from settlement.errors import PaymentsTooMany
from settlement.positions import Purpose

if TYPE_CHECKING:
    from collections.abc import Iterable

    from settlement.participants import Participants
    from settlement.payments.rails import Rail, RailRules
    from settlement.positions import Position

REFERENCE_PREFIX = "KSH-"
ITEMS_PER_BANK_MAX = 9_999


class ItemKind(StrEnum):
    """What an expected movement is."""

    PAYOUT = "payout"
    SUBSIDY_SHARE = "subsidy share"
    CASH = "cash deposit"
    SUBSIDY = "subsidy"


@dataclass(frozen=True, slots=True)
class Item:
    """One movement that a statement of `bank` should show: sen, negative where we pay.

    `rail` is how we pay it, None where it comes in. `due` is the day of execution.
    """

    window: Day
    reference: str
    bank: int
    kind: ItemKind
    code: Code
    party: int
    name: str
    amount: Sen
    due: Day
    rail: Rail | None


class _Demand(NamedTuple):
    """An item before it has its number."""

    bank: int
    kind: ItemKind
    code: Code
    party: int
    amount: Sen

    @property
    def order(self) -> tuple[int, bool, str, int, int]:
        return self.bank, self.amount > 0, self.kind.value, self.code, self.party


def reference(window: Day, bank: int, number: int) -> str:
    """The end-to-end reference of an item."""
    return f"{REFERENCE_PREFIX}{date_of(window):%Y%m%d}-{bank:04d}-{number:04d}"


def items(
    positions: Iterable[Position], window: Day, participants: Participants, rules: RailRules
) -> tuple[Item, ...]:
    """The items of a window, by bank; payments first. Positions that net to zero make none.

    Raises PaymentsTooMany over `ITEMS_PER_BANK_MAX` a bank, ParticipantUnknown.
    """
    demands = sorted(_demands(list(positions), participants), key=lambda demand: demand.order)
    numbers: dict[int, int] = {}
    made = []
    for demand in demands:
        number = numbers[demand.bank] = numbers.get(demand.bank, 0) + 1
        if number > ITEMS_PER_BANK_MAX:
            raise PaymentsTooMany(
                f"bank {demand.bank:04d} has over {ITEMS_PER_BANK_MAX} items in one window: close windows more often"
            )
        made.append(_item(demand, window, number, participants, rules))
    return tuple(made)


def _demands(positions: list[Position], participants: Participants) -> list[_Demand]:
    kinds = {
        Purpose.TAPS: ItemKind.PAYOUT,
        Purpose.SUBSIDY: ItemKind.SUBSIDY_SHARE,
        Purpose.CASH: ItemKind.CASH,
    }
    made = [
        _Demand(
            position.bank,
            kinds[position.purpose],
            position.code,
            position.number,
            position.net if position.purpose is Purpose.CASH else Sen(-position.net),
        )
        for position in positions
    ]
    subsidy = sum(position.net for position in positions if position.purpose is Purpose.SUBSIDY)
    city = participants.city
    made.append(_Demand(city.bank, ItemKind.SUBSIDY, Code.SUBSIDY_RECEIVABLE, city.number, Sen(subsidy)))
    return [demand for demand in made if demand.amount]


def _item(demand: _Demand, window: Day, number: int, participants: Participants, rules: RailRules) -> Item:
    party = participants.party(demand.code, demand.party)
    rail = rules.rail(Sen(-demand.amount), same_bank=party.bank == demand.bank) if demand.amount < 0 else None
    return Item(
        window=window,
        reference=reference(window, demand.bank, number),
        bank=demand.bank,
        kind=demand.kind,
        code=demand.code,
        party=demand.party,
        name=party.name,
        amount=demand.amount,
        due=rules.execution(rail, window) if rail else window,
        rail=rail,
    )
