"""After a commit that failed: looking whether it is in the journal, and going on from what is.

Nobody guesses. The lease is renewed first, which waits until the transaction whose end nobody saw has ended in the database; then its
block is there or it is not. Where it is not, the balances are rebuilt from the journal, as a start does it.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import structlog

from ledger.broken import is_final
from ledger.chain import store
from ledger.errors import LeaseLost, StorageError
from ledger.opening import start
from ledger.tail import check_last
from ledger.windows import CutOff, Windows

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from ledger.broken import Broken
    from ledger.engine import Engine
    from ledger.group import Group
    from ledger.journal import Block
    from ledger.lease import Lease
    from ledger.opening import Start
    from ledger.store import Database

_PAUSE_SECONDS_MIN: Final = 0.02
_PAUSE_SECONDS_MAX: Final = 1.0

_log = structlog.get_logger("ledger")


@dataclass(frozen=True, slots=True)
class State:
    """Where a journal stands: its balances, its closed windows, its last block."""

    engine: Engine
    windows: Windows
    last: Block | None
    started: Start


def state_of(database: Database, cut_off: CutOff) -> State:
    """Where the journal of a database stands; raises DatabaseDamaged, StorageError."""
    with database.transaction() as connection:
        last = store.last_block(connection)
        windows = Windows(store.read_windows(connection), cut_off)
        check_last(connection, last)
        engine, started = start(connection, last)
    return State(engine, windows, last, started)


@dataclass(frozen=True, slots=True)
class Found:
    """The group that is in the journal after all, and where the journal stands where balances are ahead of it."""

    written: Group | None
    state: State | None


class Recovery:
    """Finds out, with patience, what became of a group that was sent, and where the journal stands."""

    def __init__(self, database: Database, lease: Lease, cut_off: CutOff) -> None:
        self._database = database
        self._lease = lease
        self._cut_off = cut_off

    def look(self, broken: Sequence[Broken], away: Callable[[StorageError], None]) -> Found:
        """What became of groups that did not end well, waiting for the database as long as it takes.

        `away` is told each time that it is still away, and raises where nobody waits any longer. Raises LeaseLost, DiskFailed,
        DatabaseDamaged.
        """
        pause = _PAUSE_SECONDS_MIN
        while True:
            try:
                return self._found(broken)
            except StorageError as error:
                if is_final(error):
                    raise
                away(error)
            time.sleep(pause)
            pause = min(2 * pause, _PAUSE_SECONDS_MAX)

    def _found(self, broken: Sequence[Broken]) -> Found:
        self._lease.renew()
        written = next((one.group for one in broken if one.group.sent and self._finds(one.group)), None)
        applied = [one.group for one in broken if one.group.taken and one.group is not written]
        return Found(written, state_of(self._database, self._cut_off) if applied else None)

    def _finds(self, sent: Group) -> bool:
        if sent.block is None:
            return False
        with self._database.transaction() as connection:
            found = store.read_block(connection, sent.block.block)
        if found is not None and found.digest != sent.block.digest:
            raise LeaseLost(f"block {found.block} was written by another server: this one has stopped")
        _log.warning("commit looked for", block=sent.block.block, written=found is not None)
        return found is not None
