"""The journal's last block, looked at byte by byte before a server builds on it: what a crash or a bad disk would have spoilt.

All of the journal is `ledger.verify`'s business.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from ledger import journal
from ledger.chain import store
from ledger.errors import DatabaseDamaged
from ledger.transfer import ROW

if TYPE_CHECKING:
    from ledger.journal import Block
    from ledger.store import Connection

_WRONG: Final = {
    "block": "does not stand behind the block before",
    "first_position": "does not begin where the block before ended",
    "previous": "is not chained to the block before",
    "rows": "lacks rows, or has too many",
    "documents": "holds a document that is not what was written",
    "digest": "holds a row that is not what was written",
}


def check_last(connection: Connection, last: Block | None) -> None:
    """Raise DatabaseDamaged, naming the block and its positions, where the last block is not what was written."""
    if last is None:
        return
    if not 0 <= last.rows <= store.BLOCK_ROWS_MAX:
        raise DatabaseDamaged(f"{_named(last)} has an impossible size: restore from backup")
    before = store.read_block(connection, last.block - 1)
    found = list(store.read_rows(connection, last.first_position, last.last_position))
    rows = np.concatenate([*found, np.zeros(0, ROW)])
    bodies = store.read_documents(connection, last.block)
    expected = journal.make_block(before, rows, bodies, last.received_at, last.business_date)
    for what, wrong in _WRONG.items():
        if getattr(expected, what) != getattr(last, what):
            raise DatabaseDamaged(f"{_named(last)} {wrong}: restore the database from backup")


def _named(block: Block) -> str:
    return f"the last block, {block.block} (positions {block.first_position} to {block.last_position}),"
