"""Whether live balances agree with the journal (law 8): replayed from the first transfer on, or from where an earlier replay ended.

So a night costs what its day moved, and not what all days did.

Where it ended is a snapshot that the replay came out equal to. Each newer snapshot on the way is compared as well: a snapshot comes from
the live engine, and proves nothing by itself.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import structlog

from ledger.balance import NOTHING
from ledger.chart import describe
from ledger.engine import Engine
from ledger.errors import DatabaseDamaged
from ledger.kept import compare_kept
from ledger.rows.store import read_rows
from ledger.snapshots import store as snapshots

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from ledger.balance import Balance
    from ledger.chart import AccountId
    from ledger.kept import Kept
    from ledger.snapshots.store import SnapshotRow
    from ledger.store import Connection
    from ledger.transaction import PostedRows, Transaction
    from ledger.transfer import Transfer

    Balances = Mapping[AccountId, Balance]

_log = structlog.get_logger("ledger")


def compare(connection: Connection, position: int, live: Balances, *, whole: bool) -> SnapshotRow | None:
    """Rebuild up to a position; the newest snapshot on the way, which is what the journal gives, or None where there is none.

    Raises DatabaseDamaged, naming an account, where a snapshot or the live balances are something else.
    """
    stored = [row for row in reversed(snapshots.stored(connection)) if row.position <= position]
    base = None if whole else snapshots.verified(connection, stored)
    begun = _kept(connection, base)
    engine = Engine() if begun is None else Engine.of(begun)
    newest = None if begun is None else base
    for row in stored:
        if row.position < engine.next_position:
            continue
        _replay(connection, engine, row.position)
        kept = _kept(connection, row)
        if kept is not None:
            compare_kept(kept, engine.keep())
            newest = row
    _replay(connection, engine, position)
    _equal(engine, live, position)
    return newest


def _kept(connection: Connection, row: SnapshotRow | None) -> Kept | None:
    """What a snapshot has; None for none, or for one that cannot be read: a start passes that over too."""
    if row is None:
        return None
    try:
        return snapshots.load(connection, row).kept
    except DatabaseDamaged as error:
        _log.warning("snapshot passed over", reason=str(error))
        return None


def _replay(connection: Connection, engine: Engine, last: int) -> None:
    for rows in read_rows(connection, engine.next_position, last):
        engine.replay(rows)


def _equal(rebuilt: Engine, live: Balances, position: int) -> None:
    for account in sorted(live.keys() | rebuilt.balances().keys()):
        if rebuilt.balance(account) != live.get(account, NOTHING):
            raise DatabaseDamaged(
                f"{describe(account)} has another balance than its journal gives at position {position}: "
                "restart the ledger, and verify its database"
            )


@dataclass(slots=True)
class NoteVerified:
    """The unit that notes from where the next rebuild may begin; moves no money."""

    row: SnapshotRow
    document: bytes = field(default=b"", init=False)

    def plan(self, _tx: Transaction) -> Sequence[Transfer]:
        """Nothing is posted."""
        return ()

    def settle(self, _posted: PostedRows, tx: Transaction) -> None:
        """Note it, if it is there still."""
        if self.row in snapshots.stored(tx.connection):
            snapshots.note_verified(tx.connection, self.row)
