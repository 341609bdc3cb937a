"""Card against ledger: counters that are missing, and balances that are not what the card last showed."""

from __future__ import annotations

from itertools import chain, islice
from typing import TYPE_CHECKING, Final, NamedTuple

import numpy as np

from keys.money import Sen, display
from ledger.chart import purse
from settlement.night.counters import store as counters
from settlement.night.model import Check, Named, Side, Unit, listed

if TYPE_CHECKING:
    from collections.abc import Iterator

    from keys.clock import Day
    from ledger.chart import AccountId
    from ledger.store import Connection
    from settlement.night.books import Books
    from settlement.night.counters.store import Card, Hole

COUNTERS_MAX: Final = 20
"""Missing counters that an exception names one by one."""


class Gap(NamedTuple):
    """A card whose counters are not all there."""

    card: Card
    holes: tuple[Hole, ...]
    kept: int  # how many of the missing lie in quarantine

    @property
    def name(self) -> str:
        """How staff name the card."""
        return f"card {self.card.card_number}"

    @property
    def missing(self) -> int:
        """How many counters are missing."""
        return sum(len(hole.missing) for hole in self.holes)


class CardSide(NamedTuple):
    """The cards that were tapped in a window, as of its end, and those of them that lack counters."""

    cards: list[Card]
    gaps: list[Gap]


def look(connection: Connection, day: Day, *, whole: bool) -> CardSide:
    """What is known of the counters of a window's cards; `whole` reads them from each card's first on."""
    cards = counters.tapped(connection, day, whole=whole)
    return CardSide(cards, [_gap(connection, day, card) for card in cards if card.lacks])


def compare(books: Books, side: CardSide) -> list[Check]:
    """The figures of the side."""
    return [_gaps(side.gaps, len(side.cards)), _balances(books, side)]


def _gap(connection: Connection, day: Day, card: Card) -> Gap:
    holes = counters.holes(connection, day, card)
    kept = counters.in_quarantine(connection, card.uid)
    return Gap(card, tuple(holes), sum(any(tmc in hole.missing for hole in holes) for tmc in kept))


def _gaps(gaps: list[Gap], cards: int) -> Check:
    named = [Named(gap.name, gap.missing, _what_is_missing(gap)) for gap in gaps]
    return Check(
        Side.CARD, "missing counters", Unit.COUNT, sum(gap.missing for gap in gaps), cards, listed(named)
    )


def _what_is_missing(gap: Gap) -> str:
    named = chain.from_iterable(hole.missing for hole in gap.holes)
    some = ", ".join(map(str, islice(named, COUNTERS_MAX)))
    more = f" and {gap.missing - COUNTERS_MAX} more" if gap.missing > COUNTERS_MAX else ""
    which = f"counter{'s' * (gap.missing > 1)} {some}{more}"
    if gap.kept == gap.missing:
        return f"{which}: in quarantine"
    return f"{which}: no terminal has sent them; {gap.kept} of them in quarantine"


def _balances(books: Books, side: CardSide) -> Check:
    incomplete = {gap.card.uid: gap for gap in side.gaps}
    figure, checked, named = 0, 0, []
    for card, difference in _differences(books, side.cards):
        checked += 1
        figure += abs(difference)
        gap = incomplete.get(card.uid)
        if difference and gap is not None:
            told = f"the books hold {display(Sen(difference))} more than the card showed; {_what_is_missing(gap)}"
            named.append(Named(gap.name, abs(difference), told))
        elif difference:
            strangest = f"card {card.card_number}: the books hold {display(Sen(difference))} more than the card showed"
            named.append(Named("", 0, strangest))
    text = "; ".join(one.text for one in named if not one.name)[:2_000]
    return Check(
        Side.CARD, "balances against last evidence", Unit.SEN, figure, checked,
        listed(one for one in named if one.name), text,
    )  # fmt: skip


def _differences(books: Books, cards: list[Card]) -> Iterator[tuple[Card, int]]:
    """Each card, and what the books hold more than it showed last."""
    accounts: list[AccountId] = [purse(card.card_number) for card in cards]
    held = books.at_closing(np.array(accounts, np.int64))
    for card, sen in zip(cards, held.tolist(), strict=True):
        yield card, sen - card.balance_after
