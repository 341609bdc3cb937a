"""Blocked cards: when, why, and when a card came back into use. Always read from the database, so that every process sees the same."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from keys.clock import UnixMs
from ledger.bundles import store
from ledger.bundles.store import Block
from ledger.chart import Code, split
from ledger.errors import BlockRefused, WalletRefused

if TYPE_CHECKING:
    from ledger.chart import AccountId
    from ledger.intake.cards.issued import Card
    from ledger.store import Connection, Database

REASON_CHARS_MAX: Final = 200
STILL: Final = UnixMs(0)


class BlockedThen:
    """The blocks that cards ever had, to tell which was blocked when it was tapped; `ledger.watch` says when to read them anew."""

    def __init__(self, connection: Connection) -> None:
        self._blocks: dict[int, list[Block]] = {}
        for block in store.all_blocks(connection):
            self._blocks.setdefault(block.uid, []).append(block)

    def uids(self) -> list[int]:
        """The cards that ever were blocked."""
        return list(self._blocks)

    def said(self, uid: int, at: UnixMs) -> str:
        """What to tell of a card that was blocked at a moment; "" where it was not."""
        found = [block for block in self._blocks.get(uid, ()) if block.covers(at)]
        return f"the card was blocked ({found[0].reason}): the terminal had an old hotlist" if found else ""


class Blocks:
    """The door for blocking cards."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def block(self, card: Card, reason: str, at: UnixMs) -> Block:
        """Take a card out of use; durable when this returns. The next hotlist names it.

        Raises BlockRefused where it is blocked already, or no reason is given.
        """
        if not 1 <= len(reason.strip()) <= REASON_CHARS_MAX:
            raise BlockRefused(f"say why in 1 to {REASON_CHARS_MAX} characters: somebody will ask")
        with self._database.writing() as connection:
            known = store.blocks_of(connection, [(card.partition, card.uid)])
            held = _holding(known)
            if held is not None:
                raise BlockRefused(f"the card is blocked already ({held.reason}): nothing was changed")
            made = Block(card.uid, reason.strip(), at, STILL)
            store.insert_block(connection, card.partition, len(known), made)
        return made

    def unblock(self, card: Card, at: UnixMs) -> Block:
        """Put a card back into use from the next hotlist on; the block that ended.

        Raises BlockRefused where it is not blocked.
        """
        with self._database.writing() as connection:
            held = _holding(store.blocks_of(connection, [(card.partition, card.uid)]))
            if held is None:
                raise BlockRefused("the card is not blocked: nothing was changed")
            store.end_block(connection, card.partition, card.uid, at)
        return held

    def of(self, card: Card) -> Block | None:
        """The block that holds for a card."""
        with self._database.transaction() as connection:
            return block_of(connection, card)

    def now(self) -> list[Block]:
        """All cards that are blocked."""
        with self._database.transaction() as connection:
            return store.blocked_now(connection)


def _holding(blocks: list[Block]) -> Block | None:
    return next((block for block in blocks if not block.unblocked_at), None)


def need_unblocked(connection: Connection, wallet: AccountId) -> None:
    """Raises WalletRefused where a wallet's card is blocked: nothing leaves it until a counter takes the block back."""
    name = split(wallet)
    if name.code is Code.WALLET and store.is_blocked(connection, name.partition, name.number):
        raise WalletRefused("the card is blocked: its wallet pays nothing")


def block_of(connection: Connection, card: Card) -> Block | None:
    """The block that holds for a card, within a transaction of somebody else's."""
    return _holding(store.blocks_of(connection, [(card.partition, card.uid)]))


def is_out_of_use(connection: Connection, partition: int, uid: int) -> bool:
    """True while a card is blocked, by its UID alone."""
    return _holding(store.blocks_of(connection, [(partition, uid)])) is not None
