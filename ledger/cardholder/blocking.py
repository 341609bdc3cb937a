"""A lost card: blocked by its holder or at a counter, and its value moved to the card that takes its place.

Unregistered value stays where it is: the issuer bears no loss on it (PBI 20/6/2018). Registered value moves by transfers of the books: the wallet's at once, the
purse's once offline terminals have had time to send what the card paid before they heard of the block.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Final

from keys.clock import UnixMs, service_day
from keys.money import Sen
from ledger.bundles import store as bundles
from ledger.bundles.blocks import block_of
from ledger.bundles.store import Block
from ledger.cardholder import records
from ledger.cardholder.reading import wallet
from ledger.cardholder.records import ReplacementRow
from ledger.chart import Code, account_id, issuer_of, purse, split
from ledger.errors import BlockRefused
from ledger.rules import change
from ledger.transfer import Flag, Kind, Transfer
from ledger.wallets.blocked import NotedInStep, flagged

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from keys.clock import Clock
    from ledger.book import Ledger
    from ledger.chart import AccountId
    from ledger.intake.cards.issued import Card
    from ledger.store import Connection
    from ledger.transaction import PostedRows, Transaction

LATE_MS: Final = 3 * 86_400_000
"""How long a purse's value waits after its card was blocked: by then terminals have sent what they took offline."""
LOST: Final = "lost: its holder blocked it"


class Blocking:
    """Blocks cards for their holders; `told` is called after each, so that the next hotlist goes out at once."""

    def __init__(self, ledger: Ledger, clock: Clock, told: Callable[[], object]) -> None:
        self._ledger = ledger
        self._clock = clock
        self._told = told

    def block(self, card: Card, reason: str = LOST) -> Block:
        """Take a card out of use; durable when this returns. One that is blocked already stays as it is."""

        def work(connection: Connection) -> Block:
            before = block_of(connection, card)
            if before is not None:
                return before
            places = len(bundles.blocks_of(connection, [(card.partition, card.uid)]))
            made = Block(card.uid, reason, self._clock.now(), UnixMs(0))
            bundles.insert_block(connection, card.partition, places, made)
            return made

        made: Block = self._ledger.writer.submit(NotedInStep(wallet(card), work)).result()
        self._told()
        return made

    def move(self, old: Card, new: Card) -> ReplacementRow:
        """Move a blocked, registered card's value to the wallet of the card that takes its place, once; durable when this returns.

        Raises BlockRefused where it may not, or not yet.
        """
        done: ReplacementRow = self._ledger.writer.submit(MoveValue(old, new)).result()
        if not done.moved_at:
            raise BlockRefused("the new card's wallet cannot take the value: look at its limits")
        return done


@dataclass(slots=True)
class MoveValue:
    """Implements `ledger.writer.Unit`: purse and wallet of one card to the wallet of another."""

    old: Card
    new: Card
    document: bytes = b""
    _row: ReplacementRow | None = field(default=None, init=False)

    def plan(self, tx: Transaction) -> Sequence[Transfer]:
        """The transfers, all or none; raises BlockRefused."""
        _require(self.old, self.new, tx)
        accounts = (purse(self.old.card_number), wallet(self.old))
        sums = [self._left(tx, account) for account in accounts]
        now = tx.received_at
        self._row = ReplacementRow(
            self.old.partition, self.old.uid, self.new.uid, now, purse=sums[0], wallet=sums[1], moved_at=now
        )
        moved = [
            step
            for account, amount in zip(accounts, sums, strict=True)
            if amount > 0
            for step in _steps(account, wallet(self.new), amount, tx.received_at)
        ]
        rows = [*self._around(tx, moved)]
        return [_linked(one) for one in rows[:-1]] + rows[-1:]

    def _around(self, tx: Transaction, moved: Sequence[Transfer]) -> Sequence[Transfer]:
        """The moves, with the old wallet's flag lifted before them and set behind them."""
        account = wallet(self.old)
        lifted = flagged(tx, account, blocked=False) if moved else None
        if lifted is None:
            return moved
        return (lifted, *moved, change(account, tx.rules(account), tx.received_at))

    def settle(self, posted: PostedRows, tx: Transaction) -> ReplacementRow:
        """Note what was moved; raises BlockRefused where the new wallet may not take it."""
        assert self._row is not None  # noqa: S101  it was planned
        if not posted.all_posted:
            return replace(self._row, moved_at=UnixMs(0))
        records.add_replacement(tx.connection, self._row)
        return self._row

    @staticmethod
    def _left(tx: Transaction, account: AccountId) -> Sen:
        balance = tx.balance(account)
        return Sen(max(0, balance.net(account) - balance.debits_pending))


def _require(old: Card, new: Card, tx: Transaction) -> None:
    held = block_of(tx.reading, old)
    if held is None:
        raise BlockRefused(f"card {old.card_number} is not blocked: block it first")
    if not old.registered:
        raise BlockRefused(
            f"card {old.card_number} is not registered: its value goes with the card (PBI 20/6/2018)"
        )
    if old.uid == new.uid or block_of(tx.reading, new) is not None:
        raise BlockRefused(f"card {new.card_number} cannot take its place: it is blocked, or the same one")
    if issuer_of(purse(old.card_number)) != issuer_of(purse(new.card_number)):
        raise BlockRefused("the two cards are of different banks: the new one must be the same bank's")
    if records.replacement_of(tx.reading, old.partition, old.uid) is not None:
        raise BlockRefused(f"the value of card {old.card_number} was moved already: nothing was changed")
    if tx.received_at - held.blocked_at < LATE_MS:
        raise BlockRefused(
            "the card was blocked less than three days ago: terminals may still send what it paid before"
        )


def _steps(old: AccountId, new: AccountId, amount: Sen, at: UnixMs) -> list[Transfer]:
    """One transfer within a partition; else through the issuer's suspense in both, which nets to nothing."""
    here, there, issuer = split(old).partition, split(new).partition, issuer_of(old)
    if here == there:
        return [_transfer(old, new, amount, at)]
    return [
        _transfer(old, account_id(Code.SUSPENSE, here, issuer), amount, at),
        _transfer(account_id(Code.SUSPENSE, there, issuer), new, amount, at),
    ]


def _transfer(debit: AccountId, credit: AccountId, amount: Sen, at: UnixMs) -> Transfer:
    return Transfer(debit, credit, amount, Kind.ADJUSTMENT, at, service_day(at))


def _linked(one: Transfer) -> Transfer:
    return replace(one, flags=one.flags | Flag.LINKED)
