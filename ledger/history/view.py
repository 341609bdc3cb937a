"""One account as of one commit: its balance after any position, and its lines page by page."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from keys.money import Sen
from ledger.balance import Balance
from ledger.chart import split
from ledger.history import store
from ledger.history.lines import store as in_journal
from ledger.history.pages import moved
from ledger.history.statement import Statement, lines_of
from ledger.orders.store import payments_of
from ledger.transfer import Kind

if TYPE_CHECKING:
    from collections.abc import Callable

    import numpy.typing as npt

    from ledger.chart import AccountId
    from ledger.history.asked import Asked
    from ledger.history.statement import Line
    from ledger.store import Connection

    Rows = npt.NDArray[np.void]


class View:
    """One account's lines as of one commit: in pages up to a mark, in the journal behind it."""

    def __init__(self, connection: Connection, account: AccountId, newest: int) -> None:
        self.newest = newest
        self._connection = connection
        self._account = account
        self._partition = split(account).partition
        self._paged = min(store.read_marks(connection).position, newest)

    def balance(self, position: int) -> Balance:
        """The sums right after a position: pages, then what of the next one comes before it, then the journal's end."""
        paged = min(position, self._paged)
        sums = store.paged_sums(*self._key(), paged)
        begun = store.page_over(*self._key(), paged) if position < self._paged else None
        if begun is not None and begun <= position:
            sums = self._added(sums, begun, position)
        if position > self._paged:
            sums = self._added(sums, self._paged + 1, position)
        return Balance(*map(Sen, sums))

    def _key(self) -> tuple[Connection, int, int]:
        return self._connection, self._partition, self._account

    def _added(self, sums: list[int], first: int, last: int) -> list[int]:
        more = in_journal.summed(*self._key(), first, last)
        return [one + other for one, other in zip(sums, more, strict=True)]

    def page(self, asked: Asked, limit: int) -> Statement:
        """The lines that come next, with the balance after each."""
        rows = self._rows(asked, limit + 1)
        more, rows = len(rows) > limit, rows[:limit]
        opening, closing = self.balance(asked.after), self.balance(asked.until)
        lines = self._lines(rows, asked)
        cursor = asked.cursor(lines[-1].position) if more else ""
        return Statement(self._account, asked.after, asked.until, opening, closing, lines, cursor)

    def _rows(self, asked: Asked, limit: int) -> Rows:
        """Journal rows in the direction that was asked for."""
        first, last = asked.span
        old, new = (first, min(last, self._paged)), (max(first, self._paged + 1), last)
        parts: list[Rows] = []
        readers: list[Callable[[int], Rows]] = [
            lambda left: self._from_pages(old, left, asked), lambda left: self._from_journal(new, left, asked),
        ]  # fmt: skip
        for read in reversed(readers) if asked.newest_first else readers:
            left = limit - sum(map(len, parts))
            parts += [read(left)] if left else []
        return np.concatenate(parts)

    def _from_pages(self, span: tuple[int, int], limit: int, asked: Asked) -> Rows:
        positions: list[int] = []
        if span[0] <= span[1]:
            positions = store.paged_positions(*self._key(), span, limit, newest_first=asked.newest_first)
        return in_journal.rows_at(self._connection, self._partition, positions)

    def _from_journal(self, span: tuple[int, int], limit: int, asked: Asked) -> Rows:
        return in_journal.rows_of(*self._key(), span, limit, newest_first=asked.newest_first)

    def _lines(self, rows: Rows, asked: Asked) -> tuple[Line, ...]:
        if not len(rows):
            return ()
        ordered = rows[::-1] if asked.newest_first else rows
        by = moved(ordered, in_journal.held_amounts(self._connection, ordered))
        before = self.balance(int(ordered["position"][0]) - 1)
        lines = lines_of(self._account, ordered, by, before, self._refunds(ordered))
        return tuple(reversed(lines) if asked.newest_first else lines)

    def _refunds(self, rows: Rows) -> dict[int, int]:
        """By position, the payments that refunds to wallets give back; a card's own refunds name their sales in its evidence."""
        mine = rows["position"][(rows["kind"] == Kind.REFUND) & (rows["uid"] == 0)].tolist()
        return payments_of(self._connection, mine) if mine else {}
