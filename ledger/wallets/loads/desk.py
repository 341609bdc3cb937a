"""The desk of ordered loads: holders order and cancel, standing orders order by themselves, what nobody fetched goes back."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import structlog

from keys.money import Rupiah, Sen, sen_of
from ledger.cardholder.unit import noted
from ledger.chart import purse
from ledger.errors import LedgerError, WalletRefused
from ledger.transfer import Result
from ledger.wallets.loads import store
from ledger.wallets.loads.store import Standing
from ledger.wallets.loads.unit import End, Place

if TYPE_CHECKING:
    from collections.abc import Iterable

    from keys.clock import Clock
    from ledger.book import Ledger
    from ledger.intake.cards.issued import Card
    from ledger.intake.intents import Intents
    from ledger.intake.registry import Registry
    from ledger.store import Connection
    from ledger.wallets.loads.store import Ordered

LEAST: Final = Rupiah(1_000)
MOST: Final = Rupiah(2_000_000)
"""Rupiah that one order may load."""
WAITING_MAX: Final = 10_000
"""Loads that terminals are told of, and that one sweep looks at."""
_log = structlog.get_logger("ledger.wallets")


class OrderedLoads:
    """Orders loads from wallets onto cards; safe to use from several threads."""

    def __init__(self, ledger: Ledger, registry: Registry, intents: Intents, clock: Clock) -> None:
        self._ledger = ledger
        self._registry = registry
        self._intents = intents
        self._clock = clock
        with ledger.database.transaction() as connection:
            self._standing = {one.uid for one in store.all_standing(connection)}

    def order(self, card: Card, amount: Rupiah) -> Ordered:
        """Hold an amount (rupiah) in a card's wallet until its next tap writes it; durable when this returns.

        Raises WalletRefused: short, frozen, blocked, over a limit, or one waits already.
        """
        if not LEAST <= amount <= MOST:
            raise WalletRefused(f"a load is from {LEAST} to {MOST} rupiah: choose another amount")
        done: Ordered | Result = self._ledger.writer.submit(Place(card, sen_of(amount))).result()
        if isinstance(done, Result):
            raise WalletRefused(
                f"the wallet may not give it, or the card not take it: {done.name.lower().replace('_', ' ')}"
            )
        return done

    def cancel(self, card: Card) -> bool:
        """Give the load that waits for a card back to its wallet; False where none waits, or a terminal has it under way."""
        waiting = self.waiting(card)
        unit = End([] if waiting is None else [waiting], self._intents, cancelled=True)
        return bool(self._ledger.writer.submit(unit).result())

    def waiting(self, card: Card) -> Ordered | None:
        """The load that waits for a card."""
        with self._ledger.database.transaction() as connection:
            one = store.waiting_of(connection, card.partition, card.uid)
        found = None if one is None else self._ledger.hold(one.hold)
        return one if found is not None and found[1] else None

    def uids(self) -> list[int]:
        """The cards for which a load waits: what terminals are told, so that they need not ask at each tap."""
        return [one.uid for one in self._waiting()]

    def _waiting(self) -> list[Ordered]:
        with self._ledger.database.transaction() as connection:
            return store.all_waiting(connection, WAITING_MAX)

    def stand(self, card: Card, below: Rupiah, amount: Rupiah, daily: Rupiah) -> None:
        """Order once and for all: `amount` whenever the card holds less than `below`, at most `daily` a calendar day (rupiah); an amount of 0 ends it.

        Raises WalletRefused for amounts that make no sense.
        """
        if amount and not (LEAST <= amount <= min(MOST, daily) and 0 < below <= MOST and daily <= 10 * MOST):
            raise WalletRefused(
                f"an automatic load is from {LEAST} to {MOST} rupiah, and no more than a day may have: choose other amounts"
            )
        sums = (Sen(0), Sen(0), Sen(0)) if not amount else (sen_of(below), sen_of(amount), sen_of(daily))
        one = Standing(card.partition, card.uid, *sums, self._clock.now())

        def keep(connection: Connection) -> None:
            store.set_standing(connection, one)

        noted(self._ledger, keep)
        self._standing = self._standing | {card.uid} if amount else self._standing - {card.uid}
        self.look([card.uid])

    def standing(self, card: Card) -> Standing | None:
        """A card's standing order."""
        with self._ledger.database.transaction() as connection:
            return store.standing_of(connection, card.partition, card.uid)

    def look(self, uids: Iterable[int]) -> None:
        """Let standing orders of these cards order what is due. Raises nothing: what cannot be ordered now is looked at again."""
        for uid in self._standing.intersection(uids):
            card = self._registry.card(uid)
            if card is not None and self._may_be_due(card):
                self._placed(card)

    def _may_be_due(self, card: Card) -> bool:
        """Cheap, and without the writer; the unit decides."""
        order, account = self.standing(card), purse(card.card_number)
        return order is not None and self._ledger.balance(account).net(account) < order.below

    def _placed(self, card: Card) -> None:
        try:
            done = self._ledger.writer.submit(Place(card, Sen(0), automatic=True)).result()
        except LedgerError as error:
            _log.warning("automatic load not ordered", card=card.card_number, why=str(error))
            return
        if isinstance(done, Result):
            _log.info("automatic load refused", card=card.card_number, why=done.name.lower())

    def sweep(self) -> int:
        """Give back what waited too long, note what was written, and let standing orders look; how many were given back."""
        waiting = self._waiting()
        given: int = self._ledger.writer.submit(End(waiting, self._intents)).result() if waiting else 0
        self.look(self._standing)
        return given
