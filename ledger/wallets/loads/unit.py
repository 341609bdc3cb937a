"""Units of the writer: an ordered load placed, and ended where no card wrote it."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from datetime import datetime, time
from typing import TYPE_CHECKING, Final

from keys.clock import UnixMs, local, moment, service_day
from keys.money import Sen
from ledger.bundles.blocks import block_of, is_out_of_use
from ledger.chart import purse, wallet
from ledger.errors import WalletRefused
from ledger.intake.authorised.store import is_being_loaded
from ledger.intake.limits import limits_of
from ledger.rules import change
from ledger.transfer import Flag, Kind, Result, Transfer
from ledger.wallets.loads import store
from ledger.wallets.loads.store import Fate, Ordered

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ledger.intake.cards.issued import Card
    from ledger.intake.intents import Intents
    from ledger.transaction import PostedRows, Transaction

WAITS_MS: Final = 30 * 86_400_000
"""How long an ordered load waits for its card: then the wallet has its money back."""


@dataclass(slots=True)
class Place:
    """An order: the wallet holds the amount for the card. Answers it, or the Result that refused it; None where a standing order has nothing to do."""

    card: Card
    amount: Sen
    automatic: bool = False
    document: bytes = field(default=b"", init=False)

    def plan(self, tx: Transaction) -> Sequence[Transfer]:
        """The hold; raises WalletRefused where the card is blocked, or a load waits already."""
        card = self.card
        if self.automatic:
            self.amount = self._due(tx)
            if not self.amount:
                return ()
        if block_of(tx.reading, card) is not None:
            raise WalletRefused("the card is blocked: nothing is loaded onto it")
        if _waiting(card, tx) is not None:
            raise WalletRefused("a load waits for this card already: hold the card to a kiosk, or cancel it")
        account, now = purse(card.card_number), tx.received_at
        known = tx.rules(account)
        limits = limits_of(card, 0, known.flags)
        hold = Transfer(
            wallet(card.card_number), account, self.amount, Kind.LOAD, now, service_day(now), Flag.PENDING, uid=card.uid
        )  # fmt: skip
        return (hold,) if known == limits else (change(account, limits, now, Flag.LINKED), hold)

    def settle(self, posted: PostedRows, tx: Transaction) -> Ordered | Result | None:
        """Keep it."""
        if not self.amount:
            return None
        done = posted[-1]
        if done.result is not Result.POSTED:
            return done.result
        card, now = self.card, tx.received_at
        before = store.loads_of(tx.connection, card.partition, card.uid, 1)
        ordinal = before[0].ordinal + 1 if before else 1
        one = Ordered(
            card.partition, card.uid, ordinal, self.amount, done.position, now, UnixMs(now + WAITS_MS), self.automatic
        )  # fmt: skip
        store.insert(tx.connection, one)
        self.document = _told("ordered", one)
        return one

    def _due(self, tx: Transaction) -> Sen:
        """What the standing order asks for now: nothing where the card holds enough, a load waits, or the day has had what it may."""
        card = self.card
        order = store.standing_of(tx.connection, card.partition, card.uid)
        account = purse(card.card_number)
        held = tx.balance(account)
        if order is None or held.credits_pending or held.net(account) >= order.below:
            return Sen(0)
        if block_of(tx.reading, card) is not None or _waiting(card, tx) is not None:
            return Sen(0)
        today = local(tx.received_at).date()
        since = moment(datetime.combine(today, time()))
        used = store.automatic_since(tx.connection, card.partition, card.uid, since)
        return order.amount if used + order.amount <= order.daily else Sen(0)


def _waiting(card: Card, tx: Transaction) -> Ordered | None:
    """The load that waits for a card. One whose hold was posted was written by a tap: it is noted as such."""
    one = store.waiting_of(tx.connection, card.partition, card.uid)
    if one is None or tx.pending(one.hold):
        return one
    store.end(tx.connection, one, Fate.WRITTEN, tx.received_at)
    return None


@dataclass(slots=True)
class End:
    """Ends what waits no more: written ones are noted, those that are over or cancelled give their hold back. Answers how many were given back.

    What a terminal is writing just now, and what it may have written, waits for the card to tell.
    """

    some: Sequence[Ordered]
    intents: Intents
    cancelled: bool = False
    document: bytes = field(default=b"", init=False)
    _ended: list[Ordered] = field(default_factory=list, init=False)

    def plan(self, tx: Transaction) -> Sequence[Transfer]:
        """The holds that go back."""
        given_back = []
        for one in self.some:
            kept = store.waiting_of(tx.connection, one.partition, one.uid)
            if kept != one:
                continue
            found = tx.hold(one.hold)
            if found is None or not found[1]:
                store.end(tx.connection, one, Fate.WRITTEN, tx.received_at)
            elif self._is_over(one, tx) and not self._is_under_way(one, tx):
                now, hold = tx.received_at, found[0]
                self._ended.append(one)
                given_back.append(
                    Transfer(
                        hold.debit, hold.credit, hold.amount, Kind.LOAD, now, service_day(now), Flag.VOID_PENDING, one.hold
                    )
                )  # fmt: skip
        return given_back

    def settle(self, posted: PostedRows, tx: Transaction) -> int:
        """Note them."""
        done = [one for one, said in zip(self._ended, posted, strict=True) if said.result is Result.POSTED]
        for one in done:
            fate = Fate.EXPIRED if one.expires_at <= tx.received_at else Fate.CANCELLED
            store.end(tx.connection, one, fate, tx.received_at)
        if done:
            self.document = _told("given back", *done)
        return len(done)

    def _is_over(self, one: Ordered, tx: Transaction) -> bool:
        """Cancelled, past its time, or of a card that was blocked: its value is free to move to the card that takes its place."""
        return (
            self.cancelled
            or one.expires_at <= tx.received_at
            or is_out_of_use(tx.reading, one.partition, one.uid)
        )

    def _is_under_way(self, one: Ordered, tx: Transaction) -> bool:
        torn = any(intent.record.context.authorisation == one.hold for intent in self.intents.of(one.uid))
        return torn or is_being_loaded(tx.connection, one.hold)


def _told(what: str, *some: Ordered) -> bytes:
    return json.dumps({"wallet_load": [what, *(one.hold for one in some)]}).encode()
