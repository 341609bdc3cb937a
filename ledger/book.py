"""The ledger as its users hold it: open it, post, look at balances, close windows, read the journal."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

import numpy as np

from keys.clock import Day, date_of
from keys.money import Sen
from ledger import journal, store
from ledger.chart import Code, describe, split
from ledger.engine import Engine
from ledger.errors import DatabaseDamaged, WindowClosed
from ledger.lease import FileLease
from ledger.transfer import ROW, Transfer
from ledger.writer import CUT_OFF, Posted, Transaction, Windows, Writer

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from datetime import timedelta
    from types import TracebackType

    import numpy.typing as npt

    from keys.clock import Clock
    from ledger.chart import AccountId
    from ledger.engine import Balance
    from ledger.store import Database, Window

    Rows = npt.NDArray[np.void]


@dataclass(frozen=True, slots=True)
class ChainHead:
    """The newest block: its number, the last position that it covers, its digest."""

    block: int
    position: int
    digest: bytes


@dataclass(frozen=True, slots=True)
class TrialLine:
    """All accounts of one kind: sums of posted debits and credits, in sen, and of what is held."""

    code: Code
    accounts: int
    debits: Sen
    credits: Sen
    pending: Sen


@dataclass(frozen=True, slots=True)
class TrialBalance:
    """Every kind of account; debits and credits must be equal (DESIGN law 7)."""

    lines: tuple[TrialLine, ...]

    @property
    def debits(self) -> Sen:
        """Sum of all posted debits."""
        return Sen(sum(line.debits for line in self.lines))

    @property
    def credits(self) -> Sen:
        """Sum of all posted credits."""
        return Sen(sum(line.credits for line in self.lines))


@dataclass(frozen=True, slots=True)
class _Transfers:
    """A unit of bare transfers."""

    transfers: Sequence[Transfer]
    document: bytes = b""

    def plan(self, _tx: Transaction) -> Sequence[Transfer]:
        return self.transfers

    def settle(self, posted: Sequence[Posted], _tx: Transaction) -> list[Posted]:
        return list(posted)


class _Close:
    """A unit that closes a business date."""

    def __init__(self, day: Day, ledger: Ledger) -> None:
        self._day = day
        self._ledger = ledger
        self.document = json.dumps({"close": date_of(day).isoformat()}).encode()

    def plan(self, tx: Transaction) -> Sequence[Transfer]:
        done = [window for window in store.read_windows(tx.connection) if window.business_date >= self._day]
        if done:
            raise WindowClosed(f"business date {date_of(self._day)} is closed already")
        return ()

    def settle(self, _posted: Sequence[Posted], tx: Transaction) -> Window:
        return tx.close_window(self._day, self._ledger.head().digest)


class Ledger:
    """A double-entry ledger on one database, with one writer."""

    def __init__(
        self, database: Database, engine: Engine, writer: Writer, windows: Windows, lease: FileLease | None
    ) -> None:
        self.database = database
        self.writer = writer
        self._engine = engine
        self._windows = windows
        self._lease = lease

    @classmethod
    def open(cls, database: Database, clock: Clock, cut_off: timedelta = CUT_OFF) -> Self:
        """Open a ledger and rebuild its balances from the journal.

        Raises DatabaseMissing, DatabaseDamaged, DatabaseBusy, StorageError.
        """
        database.check()
        lease = FileLease(database.path) if database.is_sqlite else None
        try:
            with database.transaction() as connection:
                before = store.last_block(connection)
                windows = Windows(store.read_windows(connection), cut_off)
                engine = Engine()
                for rows in store.read_rows(connection):
                    engine.replay(rows)
            return cls(database, engine, Writer(database, engine, clock, windows, before), windows, lease)
        except BaseException:
            if lease is not None:
                lease.release()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Finish what was accepted, keep a snapshot of the balances, and give the database back."""
        self.writer.close()
        try:
            self.snapshot()
        finally:
            self.database.close()
            if self._lease is not None:
                self._lease.release()
                self._lease = None

    def snapshot(self) -> None:
        """Write all balances beside the journal, so that a later check has live figures to compare with."""
        rows = [
            (split(account).partition, account, balance.debits_posted, balance.credits_posted,
             balance.debits_pending, balance.credits_pending)
            for account, balance in self._engine.balances().items()
        ]  # fmt: skip
        with self.database.transaction() as connection:
            store.write_balances(connection, self._engine.next_position - 1, rows)

    def post(self, transfers: Sequence[Transfer], document: bytes = b"") -> list[Posted]:
        """Post transfers; durable when this returns. What could not be posted says why in its result."""
        posted: list[Posted] = self.writer.submit(_Transfers(transfers, document)).result()
        return posted

    def balance(self, account: AccountId) -> Balance:
        """An account's four sums."""
        return self._engine.balance(account)

    def balances(self) -> dict[AccountId, Balance]:
        """All accounts that a transfer has named."""
        return self._engine.balances()

    def trial_balance(self) -> TrialBalance:
        """Sums by kind of account."""
        sums: dict[Code, list[int]] = {}
        for account, balance in self._engine.balances().items():
            line = sums.setdefault(split(account).code, [0, 0, 0, 0])
            line[0] += 1
            line[1] += balance.debits_posted
            line[2] += balance.credits_posted
            line[3] += balance.debits_pending
        lines = (
            TrialLine(code, count, Sen(d), Sen(c), Sen(p)) for code, (count, d, c, p) in sorted(sums.items())
        )
        return TrialBalance(tuple(lines))

    def head(self) -> ChainHead:
        """The newest block; the genesis where the journal is empty."""
        last = self.writer.last_block
        if last is None:
            return ChainHead(0, 0, journal.GENESIS)
        return ChainHead(last.block, last.first_position + last.rows - 1, last.digest)

    def block(self, number: int) -> ChainHead:
        """A committed block as the chain's head was right after it."""
        with self.database.transaction() as connection:
            found = store.read_block(connection, number)
        if found is None:
            raise DatabaseDamaged(f"block {number} is gone from the journal: restore it from backup")
        return ChainHead(found.block, found.first_position + found.rows - 1, found.digest)

    def rows(self, business_date: Day | None = None) -> Rows:
        """Journal rows (ROW) in order: all, or those of a business date."""
        chunks = list(self.row_chunks(business_date))
        return np.concatenate(chunks) if chunks else np.zeros(0, ROW)

    def row_chunks(self, business_date: Day | None = None) -> Iterator[Rows]:
        """The same in chunks, for journals larger than memory."""
        with self.database.transaction() as connection:
            yield from store.read_rows(connection, business_date=business_date)

    def open_window(self, at: Clock) -> Day:
        """The business date that a transfer received now would get."""
        return self._windows.open_at(at.now())

    def close_window(self, day: Day) -> Window:
        """Close a business date and all before it; closing it again gives the same window.

        Raises WindowClosed where a later one is closed but this one never was.
        """
        try:
            window: Window = self.writer.submit(_Close(day, self)).result()
        except WindowClosed:
            done = {window.business_date: window for window in self.windows()}
            if day not in done:
                raise
            return done[day]
        return window

    def windows(self) -> list[Window]:
        """Closed business dates, oldest first."""
        with self.database.transaction() as connection:
            return store.read_windows(connection)

    def describe(self, account: AccountId) -> str:
        """An account as people name it."""
        return describe(account)
