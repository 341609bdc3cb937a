"""The ledger as its users hold it: open it, post, look at balances, close windows, read the journal."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

import numpy as np
import structlog

from keys.money import Sen
from ledger import journal
from ledger.agreement import NoteVerified, compare
from ledger.bare import BareColumns, BareTransfers
from ledger.chain import store
from ledger.chart import Code, describe
from ledger.errors import DatabaseDamaged
from ledger.expiry import Sweeper
from ledger.group import GROUP_MAX
from ledger.lease import take
from ledger.recovery import Recovery, state_of
from ledger.rows.store import each_moves
from ledger.rules import change
from ledger.snapshots.form import Snapshot
from ledger.snapshots.taking import EVERY_TRANSFERS, Snapshotter, write_now
from ledger.store import Database
from ledger.transfer import ROW, Transfer
from ledger.trial import TrialBalance, TrialLine
from ledger.windows import CUT_OFF, CloseWindow, CutOff
from ledger.writer import Posted, Unit, Writer

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from types import TracebackType

    import numpy.typing as npt

    from keys.clock import Clock, Day
    from ledger.balance import Balance
    from ledger.chain.store import Window
    from ledger.chart import AccountId
    from ledger.engine import Engine
    from ledger.expiry import Hold
    from ledger.journal import Block
    from ledger.lease import Lease
    from ledger.opening import Start
    from ledger.rows.moves import Moves
    from ledger.rules import AccountRules
    from ledger.store import TableSet

    Rows = npt.NDArray[np.void]

_log = structlog.get_logger("ledger")


@dataclass(frozen=True, slots=True)
class ChainHead:
    """The newest block: its number, the last position that it covers, its digest."""

    block: int
    position: int
    digest: bytes


class Ledger:
    """A double-entry ledger on one database, with one writer."""

    def __init__(
        self,
        database: Database,
        writer: Writer,
        clock: Clock,
        lease: Lease,
        snapshotter: Snapshotter,
        started: Start,
    ) -> None:
        self.database = database
        self.writer = writer
        self._clock = clock
        self.after_closing: list[Callable[[Window], object]] = []
        """Told of each window that is closed, in the caller's thread, once that is durable; again where it is closed again."""
        self._lease: Lease | None = lease
        self._sweeper = Sweeper(writer, clock, lambda: self._engine.next_expiry)
        self._snapshots = snapshotter
        self.started = started

    @classmethod
    def create(cls, url: str, *others: TableSet) -> Database:
        """Make an empty ledger, and the tables of other packages beside it; open it next.

        Raises StorageError where there is one already.
        """
        database = Database(url)
        database.create(*others)
        return database

    @classmethod
    def open(
        cls,
        where: Database | str,
        clock: Clock,
        cut_off: CutOff = CUT_OFF,
        snapshot_every: int = EVERY_TRANSFERS,
    ) -> Self:
        """Open the ledger at a URL: its balances from the newest good snapshot and the journal's tail (`started` tells which).

        Raises DatabaseMissing, DatabaseDamaged, DatabaseBusy, StorageError.
        """
        database = Database(where) if isinstance(where, str) else where
        try:
            return cls._opened(database, clock, cut_off, snapshot_every)
        except BaseException:
            if database is not where:
                database.close()
            raise

    @classmethod
    def _opened(cls, database: Database, clock: Clock, cut_off: CutOff, snapshot_every: int) -> Self:
        database.check()
        lease = take(database)
        try:
            state = state_of(database, cut_off)
        except BaseException:
            lease.release()
            raise
        writer = Writer(database, state, clock, Recovery(database, lease, cut_off))
        snapshotter = Snapshotter(writer, state.started.snapshot or 0, snapshot_every)
        ledger = cls(database, writer, clock, lease, snapshotter, state.started)
        head = ledger.head()
        _log.info("ledger opened", block=head.block, position=head.position, digest=head.digest.hex())
        return ledger

    @property
    def _engine(self) -> Engine:
        # The writer's: it has another one after a commit that failed.
        return self.writer.standing.engine

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Finish what was accepted, keep a snapshot of the balances, and give the database back."""
        self._sweeper.close()
        self.writer.close()
        self._snapshots.join()
        if self._lease is None:
            return
        try:
            # After a failed commit nobody knows whether the database has it: only a restart may look.
            if not self.writer.stopped:
                self._keep_last_snapshot()
        finally:
            self.database.close()
            self._lease.release()
            self._lease = None

    def snapshot(self) -> int:
        """Keep all that the engine knows beside the journal, for the next start and for checks; the position as of which it is."""
        return self._snapshots.take()

    def _keep_last_snapshot(self) -> None:
        """The same for a ledger that nothing is posted to any more."""
        head, at = self.head(), self._clock.now()
        snapshot = Snapshot(self._engine.keep(), head.block, head.digest)
        with self.database.writing() as connection:
            write_now(connection, snapshot, at)

    def rebuild_check(self, *, whole: bool = True) -> int:
        """Rebuild all balances from the journal and compare them with the live ones (law 8); see `ledger.agreement`.

        Not `whole`: from where the last rebuild left off. The position as of which they are equal; raises DatabaseDamaged, naming an
        account, where they are not.
        """
        position, balances = self._engine.committed.balances()
        with self.database.transaction() as connection:
            newest = compare(connection, position, balances, whole=whole)
        if newest is not None:
            self.writer.submit(NoteVerified(newest)).result()
        return position

    def post(self, transfers: Sequence[Transfer], document: bytes = b"") -> list[Posted]:
        """Post transfers; durable when this returns. What could not be posted says why in its result."""
        posted: list[Posted] = self.writer.submit(self.unit(transfers, document)).result()
        return posted

    @staticmethod
    def unit(transfers: Sequence[Transfer], document: bytes = b"") -> Unit:
        """Bare transfers as a unit, for who submits many and waits later; the answer is a `Posted` each."""
        return BareTransfers(transfers, document)

    @staticmethod
    def columns(rows: Rows, document: bytes = b"") -> Unit:
        """Bare transfers as a unit of columns (ROW; see `Unit.plan`), the quickest way in; the answer is `PostedRows`."""
        return BareColumns(rows, document)

    def balance(self, account: AccountId) -> Balance:
        """An account's four sums, as of the last commit."""
        return self._engine.committed.balance(account)

    def is_pending(self, hold: int) -> bool:
        """True where the hold at a position is neither posted nor voided, as of the last commit."""
        found = self._engine.committed_hold(hold)
        return found is not None and found[1]

    def hold(self, position: int) -> tuple[Hold, bool] | None:
        """A hold, and whether it is pending still, as of the last commit; None for none, and for one that was resolved long ago."""
        return self._engine.committed_hold(position)

    def rules(self, account: AccountId) -> AccountRules:
        """An account's flags and limits, as of the last commit."""
        return self._engine.committed.rules(account)

    def change_rules(self, account: AccountId, rules: AccountRules) -> Posted:
        """Give an account these flags and limits from here on; in the journal when this returns."""
        return self.post([change(account, rules, self._clock.now())])[0]

    def balances(self) -> dict[AccountId, Balance]:
        """All accounts that a transfer has moved, as of one commit."""
        return self._engine.committed.balances()[1]

    def balances_at(self) -> tuple[int, dict[AccountId, Balance]]:
        """The same, and the last position of that commit."""
        return self._engine.committed.balances()

    def trial_balance(self) -> TrialBalance:
        """Sums by kind of account, as of one commit."""
        lines = (
            TrialLine(Code(code), count, Sen(debits), Sen(credits_), Sen(pending))
            for code, count, (debits, credits_, pending, _) in self._engine.committed.totals()
        )
        return TrialBalance(tuple(lines))

    def head(self) -> ChainHead:
        """The newest block; the genesis where the journal is empty."""
        last = self.writer.standing.last_block
        return ChainHead(0, 0, journal.GENESIS) if last is None else _head_at(last)

    def block(self, number: int) -> ChainHead:
        """A committed block as the chain's head was right after it."""
        found = self.writer.standing.recent.get(number % GROUP_MAX)
        if found is None or found.block != number:
            with self.database.transaction() as connection:
                found = store.read_block(connection, number)
        if found is None:
            raise DatabaseDamaged(f"block {number} is gone from the journal: restore it from backup")
        return _head_at(found)

    def rows(self, business_date: Day | None = None) -> Rows:
        """Journal rows (ROW) in order: all, or those of a business date."""
        chunks = list(self.row_chunks(business_date))
        return np.concatenate(chunks) if chunks else np.zeros(0, ROW)

    def row_chunks(self, business_date: Day | None = None) -> Iterator[Rows]:
        """The same in chunks, for journals larger than memory."""
        with self.database.transaction() as connection:
            if business_date is None:
                yield from store.read_rows(connection)
            else:
                yield from store.read_rows(connection, *store.span_of(connection, business_date))

    def each_moves(self, business_date: Day, take: Callable[[Moves], None]) -> None:
        """Hand on what settling a business date asks of its rows, as columns: chunk by chunk, in any order, of one moment."""
        with self.database.transaction() as connection:
            each_moves(connection, business_date, *store.span_of(connection, business_date), take)

    def open_window(self) -> Day:
        """The business date that a transfer received now would get."""
        return self.writer.standing.open_at(self._clock.now())

    def close_window(self, day: Day) -> Window:
        """Close a business date and all before it; closing it again gives the same window.

        Raises WindowClosed where a later one is closed but this one never was, WindowNotBegun where it lies ahead.
        """
        window: Window = self.writer.submit(CloseWindow(day)).result()
        for told in self.after_closing:
            told(window)
        return window

    def windows(self) -> list[Window]:
        """Closed business dates, oldest first."""
        with self.database.transaction() as connection:
            return store.read_windows(connection)

    def describe(self, account: AccountId) -> str:
        """An account as people name it."""
        return describe(account)


def _head_at(block: Block) -> ChainHead:
    return ChainHead(block.block, block.last_position, block.digest)
