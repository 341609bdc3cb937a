"""The one writer: whatever arrived while the last commit ran is the next block (group commit).

Two threads work at once. One prepares a group: it asks units for their plans, moves the balances, chains the block and lays its
rows out for the database. The other writes and commits the group before. A unit's answer is given only after the commit that
makes it durable (law 4), a refusal too: it may rest on what another unit did. Readers see balances of committed groups only.

On PostgreSQL, where one connection is one processor core, two large groups are written at once, each over a connection of its own.
The second sends the rows of its journal only, whose keys are its own, commits once the first has, and is rolled back where that fails.

A commit that fails undoes what was prepared behind it. What became of it is looked up in the database (`ledger.mending`): it is in
the journal and its answers are given, or it is not and its units may be sent again. Then the writer goes on, with balances as the journal
has them. A failed sync, a lost lease and a damaged journal stop it for good.
"""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Final

from ledger import committing
from ledger.abreast import UnderWay
from ledger.backlog import Backlog
from ledger.broken import Faults
from ledger.gathering import Gathering
from ledger.group import GROUP_MAX, Group
from ledger.mending import Mending
from ledger.preparing import Preparing
from ledger.standing import Standing
from ledger.transaction import Posted, PostedRows, Transaction, Unit
from ledger.windows import CUT_OFF, CloseWindow, Windows

if TYPE_CHECKING:
    from keys.clock import Clock
    from ledger.answer import Answer
    from ledger.recovery import Recovery, State
    from ledger.store import Connection, Database

__all__ = ["CUT_OFF", "Posted", "PostedRows", "Transaction", "Unit", "Windows", "Writer"]

HANDED_OVER_ROWS_MIN: Final = 2_000
"""Rows from which a commit is worth another thread: to prepare fewer takes no longer than to wake one."""


class Writer:
    """The threads that apply units and commit them in groups."""

    def __init__(self, database: Database, state: State, clock: Clock, recovery: Recovery) -> None:
        self._database = database
        self.standing = Standing(state)
        self._backlog = Backlog()
        self._gathering = Gathering()
        self._faults = Faults()
        self._under_way = UnderWay(alone=database.is_sqlite)
        self._mending = Mending(recovery, self.standing, self._backlog, self._under_way, self._faults)
        self._preparing = Preparing(database, clock, self.standing, self._under_way, self._begin)
        self._thread = threading.Thread(target=self._run, name="ledger-writer", daemon=True)
        self._thread.start()

    @property
    def stopped(self) -> bool:
        """True where this process writes nothing more: its balances may be ahead of the journal."""
        return self._backlog.is_stopped

    def submit(self, unit: Unit) -> Answer:
        """Queue a unit; its answer comes after the commit.

        Raises Overloaded where the queue is full, DatabaseAway where the database takes no writes, LedgerStopped where the writer
        stopped, UnitFailed for a document that is known to fail.
        """
        self._faults.check(unit)
        return self._backlog.put(unit)

    def close(self) -> None:
        """Finish what was accepted, then stop."""
        self._backlog.close()
        self._thread.join()
        self._under_way.close()

    def _run(self) -> None:
        try:
            self._go_on()
        except BaseException as error:  # noqa: BLE001  whatever it is, nobody may wait for an answer that never comes
            self._mending.give_up(error)
        if self._backlog.refusing is not None and self.stopped:
            self._backlog.refuse(self._backlog.refusing)

    def _go_on(self) -> None:
        while not self._backlog.is_over:
            self._collect()
            self._mend()
            if self.stopped:
                break
            if self._backlog.collected:
                self._take_on(Group())
        self._under_way.wait()
        self._mend()

    def _collect(self) -> None:
        """Take what is waiting, and wait where nothing is, until somebody calls."""
        if self._backlog.collect() and self._under_way.is_idle:
            self._gathering.wait(len(self._backlog.collected), self._backlog.coming)
            self._backlog.collect()

    def _mend(self) -> None:
        """Go on after groups that did not end well, one unit a commit where one of them is at fault."""
        if self._mending.is_due and self._mending.mend():
            self._preparing.alone = GROUP_MAX

    def _take_on(self, group: Group) -> None:
        try:
            self._preparing.prepare(group, self._backlog.collected)
            self._pass_on(group)
        except BaseException as error:  # noqa: BLE001  whatever it is, what follows must wait for the truth
            self._mending.note(group, error)

    def _begin(self, group: Group) -> Connection:
        """A group's database transaction, begun after the commit before."""
        self._under_way.wait()
        self._mending.check()
        return group.begin(self._database)

    def _pass_on(self, group: Group) -> None:
        """Have a group committed: by another thread where that is worth it, in order in any case."""
        closing = isinstance(group.taken[-1].unit, CloseWindow)
        if closing:
            self._under_way.wait()
        self._under_way.make_room(group)
        self._mending.check()
        if closing or group.row_count < HANDED_OVER_ROWS_MIN:
            self._commit(group)
        else:
            self._under_way.begin(group, self._commit)

    def _commit(self, group: Group) -> None:
        """Write and commit a group, then show readers its balances and give its answers; has the writer look where that fails."""
        began = self._gathering.ticks()
        try:
            if group.writes:
                committing.write(group, self._database)
            self.standing.show(group)
        except BaseException as error:  # noqa: BLE001  whatever it is, what follows must wait for the truth
            self._mending.note(group, error)
        else:
            around = len(group.taken) + self._backlog.coming()
            self._gathering.ended(around, self._gathering.ticks() - began)
            group.resolve()
