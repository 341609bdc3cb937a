"""What a window makes us expect on bank statements: payments out, deposits and subsidy in, each under a reference of ours.

Each party has one payment from its own bank for what cards paid, and an operator one for the city's subsidy; an agent pays in at its own
bank. What banks owe one another goes between our accounts there, in transfers that carry the multilateral net out.

References are `KSH-YYYYMMDD-bbbb-nnnn`: window, bank, and a number that counts payments first, then what comes in.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import TYPE_CHECKING, NamedTuple

from keys.clock import Day, date_of
from keys.money import Sen
from ledger.chart import Code
from settlement.errors import PaymentsTooMany
from settlement.positions.model import Purpose
from settlement.positions.netting import between, nets

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from settlement.participants import Participants
    from settlement.payments.rails import Rail, RailRules
    from settlement.positions.model import Position

REFERENCE_PREFIX = "KSH-"
ITEMS_PER_BANK_MAX = 9_999


class ItemKind(StrEnum):
    """What an expected movement is."""

    PAYOUT = "payout"
    SUBSIDY_SHARE = "subsidy share"
    CASH = "cash deposit"
    SUBSIDY = "subsidy"
    ISSUER = "issuer's cards"
    INTERBANK = "interbank net"
    TOP_UP = "into a wallet"
    SWEEP = "out of a wallet"


ORDERS = frozenset({ItemKind.TOP_UP, ItemKind.SWEEP})
"""Items of orders that were posted one by one, and not by the window's own entries."""


@dataclass(frozen=True, slots=True)
class Item:
    """One movement that a statement of `bank` should show: sen, negative where we pay.

    `rail` is how we pay it, None where it comes in. `due` is the day of execution. `end_to_end` is the reference under which a bank tells
    it, where that is not the item's own: what comes in between our accounts carries the reference that it went out with.
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
    end_to_end: str = ""

    @property
    def told(self) -> str:
        """The reference that a statement line carries."""
        return self.end_to_end or self.reference


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

    A payment above what any rail takes becomes several items. Raises PaymentsTooMany over `ITEMS_PER_BANK_MAX` a bank,
    ParticipantUnknown, RailMissing.
    """
    listed = list(positions)
    demands = [*_demands(listed, participants), *_between(listed, participants)]
    demands.sort(key=lambda demand: demand.order)
    numbers: dict[int, int] = {}
    made = []
    for demand, rail in _routed(demands, window, participants, rules):
        number = numbers[demand.bank] = numbers.get(demand.bank, 0) + 1
        if number > ITEMS_PER_BANK_MAX:
            raise PaymentsTooMany(
                f"bank {demand.bank:04d} has over {ITEMS_PER_BANK_MAX} items in one window: close windows more often"
            )
        made.append(_item(demand, rail, window, number, participants, rules))
    return _paired(made)


def _demands(positions: list[Position], participants: Participants) -> Iterator[_Demand]:
    """One for each party and purpose at the party's bank, and one for each who pays in for others."""
    sums: Counter[_Demand] = Counter()
    for position in positions:
        for key, sign in _expected(position, participants):
            sums[key] += sign * position.net
    for key, amount in sums.items():
        if amount:
            yield key._replace(amount=Sen(amount))


def _expected(position: Position, participants: Participants) -> Iterator[tuple[_Demand, int]]:
    """What a position adds to: a demand without its amount, and the sign (negative: we pay)."""
    code, number = position.code, position.number
    home, zero = participants.party(code, number).bank, Sen(0)
    if position.purpose is Purpose.CASH:
        city_owes = code is Code.SUBSIDY_RECEIVABLE  # by an adjustment: it goes with the window's subsidy
        yield _Demand(home, ItemKind.SUBSIDY if city_owes else ItemKind.CASH, code, number, zero), 1
        return
    subsidy = position.purpose is Purpose.SUBSIDY
    yield _Demand(home, ItemKind.SUBSIDY_SHARE if subsidy else ItemKind.PAYOUT, code, number, zero), -1
    if subsidy:
        city = participants.city
        yield _Demand(city.bank, ItemKind.SUBSIDY, Code.SUBSIDY_RECEIVABLE, city.number, zero), 1


def _between(positions: list[Position], participants: Participants) -> Iterator[_Demand]:
    """What issuers pay for cards whose books they keep, and what goes between our accounts."""
    issuers: Counter[int] = Counter()
    for position in positions:
        if position.purpose is Purpose.OTHERS_CARDS:
            issuers[position.bank] += position.gross - position.refunds
    for bank, amount in issuers.items():
        if amount:
            yield _Demand(bank, ItemKind.ISSUER, Code.ISSUER_RECEIVABLE, bank, Sen(amount))
    for one in between(nets(positions, participants)):
        yield _Demand(one.debtor, ItemKind.INTERBANK, Code.BANK_SETTLEMENT, one.creditor, Sen(-one.amount))
        yield _Demand(one.creditor, ItemKind.INTERBANK, Code.BANK_SETTLEMENT, one.debtor, one.amount)


def _routed(
    demands: Iterable[_Demand], window: Day, participants: Participants, rules: RailRules
) -> Iterator[tuple[_Demand, Rail | None]]:
    """Each demand with its rail; a payment above what any rail takes in parts.

    What comes in has no rail; between our accounts it comes in the parts in which it went out.
    """
    for demand in demands:
        party = participants.party(demand.code, demand.party)
        if demand.amount > 0 and demand.kind is not ItemKind.INTERBANK:
            yield demand, None
            continue
        sign = 1 if demand.amount > 0 else -1
        parts = rules.parts(Sen(abs(demand.amount)), same_bank=party.bank == demand.bank, day=window)
        for rail, part in parts:
            yield demand._replace(amount=Sen(sign * part)), rail if sign < 0 else None


def _item(
    demand: _Demand, rail: Rail | None, window: Day, number: int, participants: Participants, rules: RailRules
) -> Item:
    return Item(
        window=window,
        reference=reference(window, demand.bank, number),
        bank=demand.bank,
        kind=demand.kind,
        code=demand.code,
        party=demand.party,
        name=participants.party(demand.code, demand.party).name,
        amount=demand.amount,
        due=rules.execution(rail, window) if rail else window,
        rail=rail,
    )


def _paired(made: list[Item]) -> tuple[Item, ...]:
    """What comes in between our accounts is told, and due, as it went out."""
    went: dict[tuple[int, int], list[Item]] = defaultdict(list)
    for item in made:
        if item.kind is ItemKind.INTERBANK and item.rail is not None:
            went[item.bank, item.party].append(item)

    def paired(item: Item) -> Item:
        if item.kind is not ItemKind.INTERBANK or item.rail is not None:
            return item
        part = went[item.party, item.bank].pop(0)  # parts keep their order on both sides
        return replace(item, due=part.due, end_to_end=part.reference)

    return tuple(paired(item) for item in made)
