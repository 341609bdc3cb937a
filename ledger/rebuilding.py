"""Make anew what follows from the journal: balances, the snapshot, accounts' pages. What is stored of them is compared, then replaced.

For an operator who trusts the journal (`ledger.verify` checks it) and not what lies beside it. Takes the lease: no server may run.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from ledger import journal
from ledger.chain import store
from ledger.engine import Engine
from ledger.errors import DatabaseDamaged
from ledger.history import store as history
from ledger.history.indexing import index
from ledger.history.store import Marks
from ledger.kept import compare_kept
from ledger.lease import take
from ledger.snapshots import store as snapshots
from ledger.snapshots.form import Snapshot
from ledger.snapshots.taking import write_now

if TYPE_CHECKING:
    from collections.abc import Callable

    from keys.clock import Clock
    from ledger.snapshots.store import SnapshotRow
    from ledger.store import Connection, Database

    Progress = Callable[[int, int], None]


@dataclass(frozen=True, slots=True)
class Rebuilt:
    """What was made anew, as of which position; how many stored snapshots were right, and what was wrong with the others."""

    position: int
    accounts: int
    right: int
    wrong: tuple[str, ...]


def rebuild(database: Database, clock: Clock, progress: Progress | None = None) -> Rebuilt:
    """Replay the whole journal, compare and replace; `progress` is told (done, all) in positions.

    Raises DatabaseBusy where a server runs, DatabaseDamaged where the journal itself does not replay.
    """
    database.check()
    lease = take(database)
    try:
        with database.transaction() as connection:
            last = store.last_block(connection)
            engine, right, wrong = _replayed(connection, last.last_position if last else 0, progress)
        block, head = (last.block, last.digest) if last else (0, journal.GENESIS)
        with database.writing() as connection:
            snapshots.forget_all(connection)
            write_now(connection, Snapshot(engine.keep(), block, head), clock.now())
            history.drop_pages(connection, 0)
            history.write_marks(connection, Marks(0, 0))
        index(database)
        return Rebuilt(engine.next_position - 1, len(engine.balances()), right, tuple(wrong))
    finally:
        lease.release()


def _replayed(connection: Connection, last: int, progress: Progress | None) -> tuple[Engine, int, list[str]]:
    """An engine that has replayed everything; each stored snapshot is compared where it was taken."""
    engine, right, wrong, done = Engine(), 0, list[str](), 0
    stored = {row.position: row for row in snapshots.stored(connection)}
    for stop in sorted({position for position in stored if 0 <= position < last} | {last}):
        for rows in store.read_rows(connection, done + 1, stop):
            engine.replay(rows)
            if progress is not None:
                progress(engine.next_position - 1, last)
        done = stop
        if stop in stored:
            said = _difference(connection, stored[stop], engine)
            right, wrong = (right + 1, wrong) if said is None else (right, [*wrong, said])
    beyond = [
        f"a snapshot is as of position {at}, where the journal does not go" for at in stored if at > last
    ]
    return engine, right, wrong + beyond


def _difference(connection: Connection, row: SnapshotRow, engine: Engine) -> str | None:
    """How a stored snapshot differs from what was replayed; None where it does not."""
    try:
        compare_kept(snapshots.load(connection, row).kept, engine.keep())
    except DatabaseDamaged as error:
        return str(error)
    return None
