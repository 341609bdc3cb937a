"""Writes accounts' pages behind the journal, in spans, in a thread of its own and in short transactions.

Nothing waits for it and nothing depends on it: lines that are in no page yet are read from the journal's end.
"""

from __future__ import annotations

import threading
from functools import partial
from typing import TYPE_CHECKING, Final, Self

import numpy as np
import structlog

from ledger.chain import store as journal
from ledger.errors import LedgerError
from ledger.history import store
from ledger.history.lines import store as in_journal
from ledger.history.pages import pages
from ledger.history.store import Marks
from ledger.history.turns import write_in_turn
from ledger.transfer import ROW

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import TracebackType

    from ledger.store import Database

SPAN: Final = 131_072
"""Positions that are indexed at once: the more, the fewer pages; until then a partition's share of them is read instead."""
PAUSE_SECONDS: Final = 1

_log = structlog.get_logger("history")


def index(
    database: Database, until: int | None = None, span: int = SPAN, pause: Callable[[], bool] | None = None
) -> int:
    """Write pages up to a position (None: the newest); how many positions were indexed.

    `pause` is asked between two transactions, and ends the run where it says True.
    """
    with database.transaction() as connection:
        newest = journal.last_block(connection)
    end = newest.last_position if newest is not None else 0
    end = end if until is None else min(until, end)
    done = 0
    while (marks := _begin(database, end, span)).reaching > marks.position:
        if not _write(database, marks, pause):
            return done
        done += marks.reaching - marks.position
    return done


def _begin(database: Database, end: int, span: int) -> Marks:
    """The next span to index, noted down before its first page; what a broken-off run left is dropped."""
    with database.transaction() as connection:
        before = store.read_marks(connection)
    marks = Marks(before.position, min(before.position + span, max(end, before.position)))
    if before.reaching > before.position:
        write_in_turn(database, lambda connection: store.drop_pages(connection, before.position))
    if before != marks:
        write_in_turn(database, partial(store.write_marks, marks=marks))
    return marks


def _write(database: Database, marks: Marks, pause: Callable[[], bool] | None) -> bool:
    """Write a span's pages; False where it was ended before its end."""
    with database.transaction() as connection:
        rows = np.concatenate(
            [*journal.read_rows(connection, marks.position + 1, marks.reaching), np.zeros(0, ROW)]
        )
        made = pages(rows, in_journal.held_amounts(connection, rows))
    for chunk in store.page_chunks(made):
        if pause is not None and pause():
            return False
        write_in_turn(database, partial(store.add_pages, chunk=chunk))
    write_in_turn(database, partial(store.write_marks, marks=Marks(marks.reaching, marks.reaching)))
    return True


class Indexer:
    """The thread that keeps pages not far behind the journal, while the context lasts."""

    def __init__(self, database: Database, newest: Callable[[], int], span: int = SPAN) -> None:
        self._database = database
        self._newest = newest
        self._span = span
        self._stopping = threading.Event()
        self._one_at_a_time = threading.Lock()
        self._thread = threading.Thread(target=self._run, name="history-indexer", daemon=True)

    def __enter__(self) -> Self:
        """Start."""
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop after the transaction that is under way."""
        self._stopping.set()
        if self._thread.ident is not None:
            self._thread.join()

    def catch_up(self) -> None:
        """Index all that is committed, in the caller's thread: after a closing, when there is time."""
        with self._one_at_a_time:
            index(self._database, span=self._span, pause=self._stopping.is_set)

    def _run(self) -> None:
        indexed = 0
        while not self._stopping.wait(PAUSE_SECONDS):
            whole = self._newest() // self._span * self._span
            if whole <= indexed:
                continue
            try:
                with self._one_at_a_time:
                    index(self._database, whole, self._span, self._stopping.is_set)
                indexed = whole
            except LedgerError as error:
                # A database that is away comes back; until then lines are read from the journal.
                _log.warning("pages are late", why=str(error))
