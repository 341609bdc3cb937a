"""Taking out of the tables what is in the archive, beside a server and its readers: in short transactions, each in its turn.

From the moment that a date is noted as archived everybody reads its files, and nobody its rows. Who began before that may read its rows
yet: SQLite shows each reader what it began with; on PostgreSQL, where a date's table goes whole, those transactions are waited for.
What cannot go today stays, unread, and goes with the next archiving.
"""

from __future__ import annotations

import time
from functools import partial
from typing import TYPE_CHECKING, Final

from ledger.archive.stored import store
from ledger.errors import DatabaseBusy
from ledger.history.turns import write_in_turn

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ledger.archive.store import Archived
    from ledger.store import Database

WAIT_SECONDS_MAX: Final = 60
"""How long those are waited for who began before a date was noted."""
ROWS_AT_ONCE: Final = 10_000
BLOCKS_AT_ONCE: Final = 100
PAUSE_SECONDS: Final = 0.02
"""Between two transactions: SQLite's lock is had by whoever asks first, and the server is to have its turn."""


def empty(database: Database) -> list[Archived]:
    """Take out what the tables still hold of archived dates; the dates of which something had to stay."""
    with database.transaction() as connection:
        left = store.left(connection)
    if not left:
        return []
    if not _all_ended(database):
        return left
    try:
        for one in left:
            _take_out(database, one)
    except DatabaseBusy:
        pass
    with database.transaction() as connection:
        return store.left(connection)


def _all_ended(database: Database) -> bool:
    """Whether every transaction that is open now has ended within a while."""
    with database.transaction() as connection:
        begun = store.under_way(connection)
    until = time.monotonic() + WAIT_SECONDS_MAX
    while begun:
        if time.monotonic() > until:
            return False
        time.sleep(PAUSE_SECONDS)
        with database.transaction() as connection:
            begun &= store.under_way(connection)
    return True


def _take_out(database: Database, one: Archived) -> None:
    span = one.span
    if database.is_sqlite:
        for first, last in _slices(span.first_position, span.last_position, ROWS_AT_ONCE):
            write_in_turn(database, partial(store.take_rows_out, first=first, last=last))
            time.sleep(PAUSE_SECONDS)
    else:
        write_in_turn(database, partial(store.drop_day, span=span))
    for first, last in _slices(span.first_block, span.last_block, BLOCKS_AT_ONCE):
        write_in_turn(database, partial(store.take_documents_out, first=first, last=last))
        time.sleep(PAUSE_SECONDS)


def _slices(first: int, last: int, size: int) -> Iterator[tuple[int, int]]:
    for start in range(first, last + 1, size):
        yield start, min(start + size - 1, last)
