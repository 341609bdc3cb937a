"""Balances as they were at any moment, and statements of accounts. Reads only; the writer never waits for it.

Everything is as of one commit: the journal is only ever appended to, so that what is bounded by a position stays as it is however much is
posted meanwhile. A statement's later pages keep the bound of its first.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from ledger.chart import split
from ledger.history import store
from ledger.history.asked import Asked
from ledger.history.blocks import last_of_day, last_received
from ledger.history.view import View

if TYPE_CHECKING:
    from keys.clock import Day, UnixMs
    from ledger.balance import Balance
    from ledger.chart import AccountId
    from ledger.history.statement import Statement
    from ledger.journal import Block
    from ledger.store import Database

LINES_MAX: Final = 1000
"""Lines of one page of a statement."""


class History:
    """What was, by account."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def newest(self) -> int:
        """The last position that is committed."""
        with self._database.transaction() as connection:
            return store.newest_position(connection)

    def position_at(self, at: UnixMs) -> int:
        """The last position that was received no later than a moment; 0 where there was none."""
        with self._database.transaction() as connection:
            return _position(last_received(connection, at))

    def position_of_day(self, day: Day) -> int:
        """The last position of a business date, or of those before it; 0 where there was none."""
        with self._database.transaction() as connection:
            return _position(last_of_day(connection, day))

    def balance(self, account: AccountId, position: int | None = None) -> Balance:
        """An account's four sums right after a position (None: the newest); raises AccountUnknown."""
        split(account)
        with self._database.transaction() as connection:
            view = View(connection, account, store.newest_position(connection))
            return view.balance(view.newest if position is None else min(position, view.newest))

    def statement(
        self, account: AccountId, after: int = 0, until: int | None = None, *, cursor: str = "", limit: int = 100,
        newest_first: bool = False,
    ) -> Statement:  # fmt: skip
        """A page of an account's lines behind position `after` and up to `until` (None: the newest), at most `limit` of them.

        With a cursor the period and the direction are those of the page that gave it. Raises AccountUnknown, CursorInvalid.
        """
        split(account)
        with self._database.transaction() as connection:
            view = View(connection, account, store.newest_position(connection))
            if cursor:
                asked = Asked.read(cursor, view.newest)
            else:
                end = view.newest if until is None else min(until, view.newest)
                begin = min(max(after, 0), end)
                asked = Asked(begin, end, end + 1 if newest_first else begin, newest_first)
            return view.page(asked, min(max(limit, 1), LINES_MAX))


def _position(block: Block | None) -> int:
    return 0 if block is None else block.last_position
