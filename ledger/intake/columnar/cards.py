"""Registered cards as columns, by the place that each got when it came: places never change, and no card ever goes."""

from __future__ import annotations

import threading
from itertools import repeat
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from ledger.chart import purse, split

if TYPE_CHECKING:
    from collections.abc import Iterable

    import numpy.typing as npt

    from ledger.intake.cards.issued import Card

    Integers = npt.NDArray[np.int64]

UNKNOWN = -1


class Cards(NamedTuple):
    """Card number, purse account, partition, and version of the Transaction MAC key; a row a card."""

    number: Integers
    account: Integers
    partition: Integers
    key_version: Integers


class CardColumns:
    """Grows as cards are issued; any thread may ask."""

    def __init__(self, cards: Iterable[Card]) -> None:
        self._places: dict[int, int] = {}
        self._columns = Cards(*(np.zeros(0, np.int64) for _ in Cards._fields))
        self._growing = threading.Lock()
        self.add(cards)

    def __len__(self) -> int:
        return len(self._places)

    def add(self, cards: Iterable[Card]) -> None:
        """Take cards in; one that is known keeps its place, its number and its Transaction MAC key for life."""
        with self._growing:
            fresh = {card.uid: card for card in cards if card.uid not in self._places}
            if not fresh:
                return
            accounts = [purse(card.card_number) for card in fresh.values()]
            added = Cards(
                np.array([card.card_number for card in fresh.values()], np.int64),
                np.array(accounts, np.int64),
                np.array([split(account).partition for account in accounts], np.int64),
                np.array([card.key_version for card in fresh.values()], np.int64),
            )
            self._columns = Cards(*map(np.concatenate, zip(self._columns, added, strict=True)))
            self._places.update(zip(fresh, range(len(self._places), len(self._columns.number)), strict=True))

    def places(self, uids: Integers) -> Integers:
        """Where cards stand; `UNKNOWN` for a UID that was not issued here."""
        return np.fromiter(map(self._places.get, uids.tolist(), repeat(UNKNOWN)), np.int64, len(uids))

    def place(self, uid: int) -> int:
        """Where one card stands."""
        return self._places.get(uid, UNKNOWN)

    @property
    def columns(self) -> Cards:
        """The columns of all cards so far; to be asked after `places`."""
        return self._columns
