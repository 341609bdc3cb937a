"""Preparing a commit: units are applied in their order, the block is chained, its rows are laid out for the database."""

from __future__ import annotations

from typing import TYPE_CHECKING

from keys.clock import UnixMs
from ledger import journal
from ledger.chain import store
from ledger.errors import DatabaseBusy, StorageError
from ledger.rows.store import JournalRows
from ledger.together import apply_alone, apply_together, blind_run
from ledger.transaction import Transaction

if TYPE_CHECKING:
    from collections import deque
    from collections.abc import Callable

    from keys.clock import Clock
    from ledger.abreast import UnderWay
    from ledger.group import Group, Waiting
    from ledger.standing import Standing
    from ledger.store import Connection, Database


class Preparing:
    """Fills groups, one after the other; for one thread.

    `begin` opens a group's database transaction once everything before it is committed, and raises Behind where that broke.
    """

    def __init__(
        self,
        database: Database,
        clock: Clock,
        standing: Standing,
        under_way: UnderWay,
        begin: Callable[[Group], Connection],
    ) -> None:
        self._database = database
        self._clock = clock
        self._standing = standing
        self._under_way = under_way
        self._begin = begin
        before = standing.last_block
        self._received_at = before.received_at if before else UnixMs(0)
        self.alone = 0
        """So many units are committed one by one, to find the one that cannot be."""

    def prepare(self, group: Group, backlog: deque[Waiting]) -> None:
        """Everything of a group but its commit; takes its units from the backlog's head."""
        standing = self._standing
        self._received_at = UnixMs(max(self._received_at, self._clock.now()))
        try:
            day = standing.open_at(self._received_at)
            if self._under_way.is_idle:
                self._begin(group)
        except Exception as error:
            if isinstance(error, StorageError) and not isinstance(error, DatabaseBusy):
                raise
            # Nothing was applied yet: a database that is locked for a moment, or a cut-off that is none, costs these units only.
            group.taken.append(backlog.popleft())
            group.answers.append(error)
            return
        group.tx = Transaction(
            lambda: self._opened(group), standing.engine, self._received_at, day, standing.prepared
        )
        self._fill(group, group.tx, backlog)
        rows = journal.concatenated(group.rows)
        if len(rows) or group.bodies:
            group.block = journal.make_block(standing.prepared, rows, group.bodies, self._received_at, day)
            standing.prepared = group.block
            store.add_block(group.tx.gathered, group.block, group.bodies)
        if len(rows):
            group.ready = JournalRows(rows, copied=not self._database.is_sqlite)
        if not self._database.is_sqlite:
            group.tx.gathered.lay_out()
        group.sealed = standing.engine.seal()

    def _opened(self, group: Group) -> Connection:
        """The group's database transaction, begun after the commit before: what a plan reads must all be there."""
        return group.connection or self._begin(group)

    def _fill(self, group: Group, tx: Transaction, backlog: deque[Waiting]) -> None:
        """Apply waiting units until the group is full; a unit that wants to stand alone does."""
        engine = self._standing.engine
        while backlog and not group.is_full:
            alone = self.alone > 0 or getattr(backlog[0].unit, "alone", False)
            if alone and group.taken:
                return
            run, parts = ([], []) if alone else blind_run(backlog, group, tx)
            if len(run) > 1 and apply_together(run, parts, engine, group, tx):
                continue
            backlog.extendleft(reversed(run))
            for _ in run or range(1):
                waiting = backlog.popleft()
                group.taken.append(waiting)
                self.alone = max(0, self.alone - 1)
                group.answers.append(apply_alone(waiting, self._database, engine, group, tx))
            if alone:
                return
