"""What a unit of the writer is, what it sees while it is written, and what it is told about its transfers.

A unit gives its transfers as columns (an array of ROW) or one by one, is told what became of them as columns, and hands its other
rows over as columns too: `Transaction.add`. A unit that asks the transaction neither for `reading` nor for `connection` lets the
writer prepare it while the commit before still runs.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, Protocol, overload

from ledger import journal
from ledger.balance import NOTHING, Balance
from ledger.bulk.gathered import Gathered
from ledger.transfer import Freshness, Result

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    import numpy as np
    import numpy.typing as npt

    from keys.clock import Day, UnixMs
    from ledger.bulk.store import Columns, Table
    from ledger.chart import AccountId
    from ledger.engine import Applied, Engine
    from ledger.expiry import Hold
    from ledger.journal import Block
    from ledger.rules import AccountRules
    from ledger.store import Connection
    from ledger.transfer import Transfer

    Integers = npt.NDArray[np.int64]
    Rows = npt.NDArray[np.void]

_RESULTS: Final = {int(result): result for result in Result}


@dataclass(frozen=True, slots=True)
class Posted:
    """What became of a transfer, and its position in the journal (0 where it was not posted)."""

    result: Result
    position: int
    overruled: Result = field(default=Result.POSTED, compare=False)
    """The rule that what has happened already broke: somebody must look."""
    debited: Balance = field(default=NOTHING, compare=False)
    """The debited account right after it, or after what refused it."""
    credited: Balance = field(default=NOTHING, compare=False)


class PostedRows(Sequence[Posted]):
    """What became of a unit's transfers, as columns; as a sequence, a `Posted` each.

    `applied` is all that the engine says of them, `rows` the transfers as they stand in the journal, with partition, position (0
    where not posted), and the times that the writer gave them.
    """

    def __init__(
        self, rows: Rows, applied: Applied, part: slice | None = None, whole: PostedRows | None = None
    ) -> None:
        self.rows = rows
        self._applied = applied
        self._part = part
        self._whole = whole
        self._all_posted: bool | None = None

    @property
    def applied(self) -> Applied:
        """All columns; of a part of a commit they are cut when somebody asks: few do, and the writer must not wait for it."""
        if self._part is not None:
            self._applied = type(self._applied)(*(column[self._part] for column in self._applied))
            self._part = None
        return self._applied

    @property
    def results(self) -> Integers:
        """A `Result` each."""
        return self.applied.results

    @property
    def positions(self) -> Integers:
        """Positions in the journal; 0 where not posted."""
        return self.applied.positions

    @property
    def all_posted(self) -> bool:
        """True where nothing was refused; of a part, quickly so where nothing of the whole was."""
        if self._all_posted is None:
            whole = self._whole is not None and self._whole.all_posted
            self._all_posted = whole or not self.results.any()
        return self._all_posted

    def __len__(self) -> int:
        return len(self.rows)

    @overload
    def __getitem__(self, at: int) -> Posted: ...
    @overload
    def __getitem__(self, at: slice) -> PostedRows: ...
    def __getitem__(self, at: int | slice) -> Posted | PostedRows:
        if isinstance(at, slice):
            return PostedRows(self.rows[at], self.applied, at, self)
        return next(iter(self[at : at + 1 or None]))

    def __iter__(self) -> Iterator[Posted]:
        told = (self.results, self.positions, self.applied.overruled, self.applied.balances)
        for result, position, overruled, sums in zip(*(column.tolist() for column in told), strict=True):
            balances = (Balance(*sums[:4]), Balance(*sums[4:]))
            yield Posted(_RESULTS[result], position, _RESULTS[overruled], *balances)


class Transaction:
    """What a unit sees while it is written: the open database transaction, the time, live balances.

    `block` and `ordinal` are where the unit's document will stand, if it has one; `head` is the digest of the block before.
    """

    def __init__(
        self,
        opened: Callable[[], Connection],
        engine: Engine,
        received_at: UnixMs,
        business_date: Day,
        before: Block | None,
    ) -> None:
        self.received_at = received_at
        self.business_date = business_date
        self.block = before.block + 1 if before else 1
        self.ordinal = 0
        self.head = before.digest if before else journal.GENESIS
        self.gathered = Gathered()
        self.failed: Exception | None = None
        """What writing the rows of units before this one ended in: no fault of the plan that asked for it."""
        self._engine = engine
        self._opened = opened
        self._savepoint: Any = None
        self._planning = False

    @property
    def reading(self) -> Connection:
        """The open database transaction, to read from: it shows all that was written before, by this commit's units too.

        Asking for it makes the writer wait for the commit before, so that nothing is missing.
        """
        connection = self._opened()
        try:
            self.gathered.write(connection)
        except Exception as error:
            self.failed = error
            raise
        return connection

    @property
    def connection(self) -> Connection:
        """The same, to write with as well: what a plan writes is taken back should it fail."""
        connection = self.reading
        if self._planning and self._savepoint is None:
            self._savepoint = connection.begin_nested()
        return connection

    def add(self, table: Table, columns: Columns) -> None:
        """Have rows of a side table written with this commit, together with those of its other units: for `Unit.settle`.

        `columns` names every column of the table: an int64 array or a sequence of int, bytes or str, or one value for all rows.
        Raises ValueError where they are not the table's columns or differ in length, RuntimeError in a plan.
        """
        if self._planning:
            raise RuntimeError("rows are added when a unit is settled: a plan may fail yet")
        self.gathered.add(table, columns)

    @property
    def next_position(self) -> int:
        """The position that the next posted transfer gets."""
        return self._engine.next_position

    def balance(self, account: AccountId) -> Balance:
        """An account's balance, earlier units of the same commit included."""
        return self._engine.balance(account)

    def rules(self, account: AccountId) -> AccountRules:
        """An account's flags and limits, as earlier units of the same commit left them."""
        return self._engine.rules(account)

    def due(self, count: int) -> list[Hold]:
        """At most so many pending holds whose time is over."""
        return self._engine.due(self.received_at, count)

    def pending(self, hold: int) -> bool:
        """True where the hold at a position is neither posted nor voided."""
        return self._engine.pending(hold)

    def hold(self, position: int) -> tuple[Hold, bool] | None:
        """A hold, and whether it is pending still; None for none, and for one that was resolved long ago."""
        return self._engine.hold(position)

    def freshness(self, *, uid: int = 0, tmc: int = 0, terminal: int = 0, sequence: int = 0) -> Freshness:
        """FRESH where surely no transfer has this card's counter, or this terminal's sequence; else ask the tables."""
        return self._engine.freshness(uid=uid, tmc=tmc, terminal=terminal, sequence=sequence)

    def freshness_of(
        self, uids: Integers, tmcs: Integers, terminals: Integers, sequences: Integers
    ) -> Integers:
        """The same for columns, a `Freshness` each: only what is not FRESH can be in the tables already."""
        return self._engine.freshness_of(uids, tmcs, terminals, sequences)

    def planned(self, unit: Unit) -> Rows:
        """The rows of a unit's plan; what it wrote is taken back where it raises."""
        self._planning, self._savepoint = True, None
        try:
            rows = journal.rows_of(unit.plan(self), self.received_at, self.business_date)
        except BaseException:
            if self._savepoint is not None:
                self._savepoint.rollback()
            raise
        finally:
            self._planning = False
        if self._savepoint is not None:
            self._savepoint.commit()
        return rows


class Unit(Protocol):
    """Something that is written whole or not at all.

    One with an attribute `alone` that is true gets a commit of its own. One with an attribute `blind` that is true gives an array, and
    looks at the transaction neither in its plan nor when it is settled: such units are applied together.
    """

    @property
    def document(self) -> bytes:
        """Bytes that the block's digest covers besides the rows, such as a signed batch; b"" for none. Asked last."""

    def plan(self, tx: Transaction) -> Sequence[Transfer] | Rows:
        """The transfers to apply, one by one or as an array of ROW.

        Of an array, partition, position, received_at and business_date are the writer's to fill; the array itself stays as it is.
        Whatever is raised here fails this unit alone, and takes back what it wrote.
        """

    def settle(self, posted: PostedRows, tx: Transaction) -> Any:
        """Hand over the unit's own rows (`tx.add`), or write them in the same database transaction; what it gives is the answer.

        The balances have moved: what is raised here is a fault of this software. It fails this unit, and has the others sent again.
        """
