"""The balance engine: columns of NumPy, one kernel, one writer. Readers look at what is committed, without waiting for it.

State is a function of the journal (law 8): feeding the journal's rows to a fresh engine gives the same balances, bit for bit.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, NamedTuple

import numpy as np

from keys.clock import UnixMs
from keys.money import Sen
from ledger import cells, kernel, places, streams
from ledger.balance import NOTHING, Balance, by_account
from ledger.chart import AccountId
from ledger.columns import Columns
from ledger.committed import Committed, Sealed
from ledger.errors import DatabaseDamaged
from ledger.expiry import Expiries, Hold
from ledger.kept import Kept
from ledger.rules import AccountRules, default_rules
from ledger.transfer import ROW, Flag, Freshness, Result

if TYPE_CHECKING:
    from collections.abc import Callable

    import numpy.typing as npt

    Integers = npt.NDArray[np.int64]
    Rows = npt.NDArray[np.void]


_LIVE: Final = slice(cells.DEBITS_POSTED, cells.DEBITS_POSTED + cells.SUMS)
HOLDS_REMEMBERED: Final = 1 << 16
"""How many resolved holds are at least remembered: an older one is HOLD_UNKNOWN instead of HOLD_NOT_PENDING."""


class Applied(NamedTuple):
    """What became of a batch, a row each.

    `results` is `Result`; `positions` 0 where not posted; `freshness` `Freshness` before its group; `overruled` the `Result` of the
    rule that what has happened already broke (POSTED: none); `balances` (n, 8) the four sums of the debited account, then those of
    the credited one, right after the row's linked group.
    """

    results: Integers
    positions: Integers
    freshness: Integers
    overruled: Integers
    balances: Integers


class Engine:
    """Balances of all accounts, the holds on them, and the newest counters of cards and terminals.

    One thread applies and seals; any thread may publish, in order, or ask for what is committed.
    """

    def __init__(self, apply: Callable[..., Any] = kernel.apply) -> None:
        self._apply = apply
        self._accounts = Columns(cells.ACCOUNT_WIDTH)
        self._holds = Columns(cells.HOLD_WIDTH)
        self._streams = Columns(streams.STREAM_WIDTH)
        self.committed = Committed(self._accounts)
        self._expiries = Expiries()
        self._touched: list[Integers] = []
        self.next_position = 1

    def apply(self, rows: Rows) -> Applied:
        """Apply a batch (ROW) in order. Live balances move at once, committed ones at `publish`."""
        count = len(rows)
        self._reserve(rows)
        table = np.ascontiguousarray(rows).view(np.int64).reshape(count, cells.ROW_WIDTH)
        results, positions, freshness, overruled = np.zeros((4, count), np.int64)
        balances = np.empty((count, 2 * cells.SUMS), np.int64)
        applied = Applied(results, positions, freshness, overruled, balances)
        located = np.empty((count, cells.LOCATED_WIDTH), np.int64)
        saved = np.empty((count, cells.SAVED_WIDTH), np.int64)
        self.next_position = int(
            self._apply(
                table, *applied, located, saved, *self._accounts.view, *self._holds.view, *self._streams.view,
                self.next_position,
            )
        )  # fmt: skip
        # Those of refused rows too: publishing sums that did not move changes nothing.
        self._touched += [located[:, cells.AT_DEBIT], located[:, cells.AT_CREDIT]]
        self._expiries.add(rows, applied.positions)
        return applied

    def _reserve(self, rows: Rows) -> None:
        """Room for whatever a batch may open."""
        self._accounts.reserve(2 * len(rows))
        self._streams.reserve(2 * len(rows))
        held = int(np.count_nonzero(rows["flags"] & Flag.PENDING))
        if held:
            self._forget_holds()
            self._holds.reserve(held)
        self.committed.reserve()

    def _forget_holds(self) -> None:
        """Drop resolved holds once they are most of the table: memory stays flat, and the last ones are remembered."""
        if len(self._holds) < HOLDS_REMEMBERED:
            return
        holds = self._holds.used
        # For readers a hold waits until what resolved it is committed.
        resolved = holds[:, cells.RESOLVED_AT] <= self.committed.position
        pending = holds[(holds[:, cells.STATE] == cells.HOLD_PENDING) | ~resolved]
        if 2 * len(pending) + HOLDS_REMEMBERED <= len(holds):
            self._holds.replace(pending)
            self._expiries.restore(pending)

    def seal(self) -> Sealed:
        """What was applied since the last time, for readers to see once it is durable; more may be applied meanwhile."""
        touched = np.concatenate([*self._touched, np.zeros(0, np.int64)])
        self._touched = []
        shown = np.empty((len(touched), cells.COMMITTED_WIDTH), np.int64)
        kernel.gather(self._accounts.view.rows, touched, shown)
        return Sealed(touched, shown, self.next_position - 1)

    def publish(self, sealed: Sealed | None = None) -> None:
        """Show readers what was sealed (all that was applied, where nothing is named): called once it is durable, by any thread."""
        self.committed.publish(self.seal() if sealed is None else sealed)

    def replay(self, rows: Rows) -> None:
        """Apply rows that the journal holds; raises DatabaseDamaged where one of them does not post as it did."""
        alone = rows.copy()
        # What is in the journal was posted: a group that a chunk of rows cuts in two needs no holding together.
        alone["flags"] &= ~int(Flag.LINKED)
        applied = self.apply(alone)
        wrong = np.flatnonzero((applied.results != Result.POSTED) | (applied.positions != rows["position"]))
        if len(wrong):
            row, result = rows[wrong[0]], Result(int(applied.results[wrong[0]]))
            raise DatabaseDamaged(
                f"position {row['position']} (partition {row['partition']}) does not replay ({result.name}): "
                "restore the database from backup"
            )

    def keep(self) -> Kept:
        """All that is known now, as a copy; for the thread that applies, between two commits."""
        rows = (self._accounts.used, self._holds.used, self._streams.used)
        return Kept.of(self.next_position - 1, *rows)

    @classmethod
    def of(cls, kept: Kept) -> Engine:
        """An engine that knows what another one kept, and shows it to readers."""
        engine = cls()
        for table, rows in zip((engine._accounts, engine._holds, engine._streams), kept[1:], strict=True):
            table.replace(rows)
        engine.next_position = kept.position + 1
        engine._show_all()
        return engine

    def _show_all(self) -> None:
        """Everything is committed, and what of it runs out is known."""
        self._reserve(np.zeros(0, ROW))
        self.committed.show_all(self.next_position - 1)
        self._expiries.restore(self._holds.used)

    def balance(self, account: AccountId) -> Balance:
        """The live sums of an account: the writer's view; nothing for one that no transfer has moved."""
        row = self._accounts.view.at(account)
        return NOTHING if row is None else Balance(*map(Sen, row[_LIVE].tolist()))

    def balances(self) -> dict[AccountId, Balance]:
        """The live sums of all accounts that something has moved, by number."""
        used = self._accounts.used
        return by_account(used[:, places.KEY], used[:, _LIVE])

    def rules(self, account: AccountId) -> AccountRules:
        """The live rules of an account: the writer's view."""
        row = self._accounts.view.at(account)
        return default_rules(account) if row is None else AccountRules.unpacked(int(row[cells.RULES]))

    def pending(self, position: int) -> bool:
        """True where the hold at a position is neither posted nor voided."""
        row = self._holds.view.at(position)
        return row is not None and int(row[cells.STATE]) == cells.HOLD_PENDING

    def hold(self, position: int) -> tuple[Hold, bool] | None:
        """A hold, and whether it is pending still; None for none, and for one that was resolved long ago: the writer's view."""
        return self._hold(position, self.next_position - 1)

    def committed_hold(self, position: int) -> tuple[Hold, bool] | None:
        """The same as of the last commit, for any thread."""
        return self._hold(position, self.committed.position)

    def _hold(self, position: int, until: int) -> tuple[Hold, bool] | None:
        """A hold as the rows up to a position left it."""
        row = self._holds.view.at(position) if position <= until else None
        if row is None or not row[cells.STATE]:
            return None
        state, *told, _, resolved_at = row[cells.STATE :].tolist()
        debit, credit, amount, expires_at = told
        hold = Hold(position, AccountId(debit), AccountId(credit), Sen(amount), UnixMs(expires_at))
        return hold, state == cells.HOLD_PENDING or resolved_at > until

    def due(self, now: UnixMs, count: int) -> list[Hold]:
        """At most so many pending holds whose time is over, the oldest first."""
        return self._expiries.due(now, count, self._holds.view.at)

    @property
    def next_expiry(self) -> UnixMs | None:
        """When the next hold's time is over, if it is still pending then; for any thread."""
        return self._expiries.next_at

    def freshness(self, *, uid: int = 0, tmc: int = 0, terminal: int = 0, sequence: int = 0) -> Freshness:
        """Whether a transfer with a card's counter, or a terminal's sequence, may be in the journal already."""
        found = self.freshness_of(*(np.array([value]) for value in (uid, tmc, terminal, sequence)))
        return Freshness(int(found[0]))

    def freshness_of(
        self, uids: Integers, tmcs: Integers, terminals: Integers, sequences: Integers
    ) -> Integers:
        """The same for columns, a `Freshness` each: only what is not FRESH can be in the tables already."""
        found = np.zeros(len(uids), np.int64)
        for names, counters in ((uids, tmcs), (-terminals, sequences)):
            streams.freshness_of_all(*self._streams.view, names, counters, found)
        return found


def warm() -> None:
    """Compile the kernel, or load it from numba's cache: done once after installation."""
    engine = Engine()
    engine.apply(np.zeros(2, ROW))
    engine.publish()
    engine.freshness()
    engine.balance(AccountId(1))
    kept = Engine.of(engine.keep())
    places.grow(kept._accounts.view.where, Columns(1).view.where)  # noqa: SLF001  to compile it now
