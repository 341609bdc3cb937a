"""The engine's own flag on the wallets of blocked cards, kept in step with the blocks, so that no way out of a wallet can forget to ask.

Whoever blocks a card in this process sets the flag in the same commit. Blocks that other processes wrote are followed within a second; until then the
doors that ask the database (`ledger.bundles.blocks.need_unblocked`) refuse already.
"""

from __future__ import annotations

import threading
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final, TypeVar

import structlog

from ledger.bundles import store
from ledger.cardholder.unit import Noted
from ledger.chart import Code, Partition, account_id, split
from ledger.errors import LedgerError
from ledger.rules import RuleFlag, change
from ledger.watch import store as watch

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from typing import Self

    from ledger.book import Ledger
    from ledger.chart import AccountId
    from ledger.store import Connection
    from ledger.transaction import PostedRows, Transaction
    from ledger.transfer import Transfer

LOOK_SECONDS: Final = 0.5
AT_ONCE: Final = 1_000
"""Wallets whose flags one commit changes."""
_T = TypeVar("_T")
_log = structlog.get_logger("ledger.wallets")


def flagged(tx: Transaction, wallet: AccountId, *, blocked: bool) -> Transfer | None:
    """The row that sets or lifts a wallet's flag; None where it is so already."""
    rules = tx.rules(wallet)
    if bool(rules.flags & RuleFlag.BLOCKED) is blocked:
        return None
    return change(wallet, replace(rules, flags=rules.flags ^ RuleFlag.BLOCKED), tx.received_at)


@dataclass(slots=True)
class InStep:
    """The unit that brings the flags of some wallets in step with their cards' blocks. Answers how many it changed."""

    wallets: Sequence[AccountId]
    document: bytes = b""

    def plan(self, tx: Transaction) -> Sequence[Transfer]:
        """A row for each that is out of step."""
        rows = (flagged(tx, one, blocked=_is_blocked(tx.reading, one)) for one in self.wallets)
        return [row for row in rows if row is not None]

    def settle(self, posted: PostedRows, _tx: Transaction) -> int:
        """How many."""
        return len(posted)


class NotedInStep(Noted[_T]):
    """A piece of work that may block a wallet's card, with the wallet's flag in the same commit."""

    def __init__(self, wallet: AccountId, work: Callable[[Connection], _T]) -> None:
        super().__init__(work)
        self._wallet = wallet

    def plan(self, tx: Transaction) -> Sequence[Transfer]:
        """The work, then the flag."""
        super().plan(tx)
        return InStep([self._wallet]).plan(tx)


def _is_blocked(connection: Connection, wallet: AccountId) -> bool:
    name = split(wallet)
    return store.is_blocked(connection, name.partition, name.number)


class Follower:
    """Follows blocks that other processes write. A context manager: while it lasts, a thread looks."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger
        self._seen = -1
        self._closing = threading.Event()
        self._thread = threading.Thread(target=self._run, name="blocks-follower", daemon=True)

    def look(self) -> int:
        """Bring the flags in step where blocks changed since the last look; how many wallets were out of step."""
        with self._ledger.database.transaction() as connection:
            count = watch.counts(connection).get(watch.BLOCKS, 0)
            if count == self._seen:
                return 0
            blocked, ever = (
                {account_id(Code.WALLET, Partition(partition), number) for partition, number in numbers}
                for numbers in (store.blocked_numbers(connection), store.ever_blocked_numbers(connection))
            )
        apart = [one for one in sorted(ever) if self._is_flagged(one) is not (one in blocked)]
        for first in range(0, len(apart), AT_ONCE):
            self._ledger.writer.submit(InStep(apart[first : first + AT_ONCE])).result()
        self._seen = count
        return len(apart)

    def _is_flagged(self, wallet: AccountId) -> bool:
        return RuleFlag.BLOCKED in self._ledger.rules(wallet).flags

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        """Stop looking; the next start looks first."""
        self._closing.set()
        if self._thread.ident is not None:  # a city that was opened and never entered
            self._thread.join()

    def _run(self) -> None:
        while not self._closing.wait(LOOK_SECONDS):
            try:
                self.look()
            except LedgerError as error:
                _log.warning("blocks not followed", reason=str(error))
