"""Balances as they were at any moment, and statements of accounts. Reads only; the writer never waits for it.

Everything is as of one commit: the journal is only ever appended to, so that what is bounded by a position stays as it is however much is
posted meanwhile. A statement's later pages keep the bound of its first.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from keys.clock import Day, UnixMs
from keys.money import Sen
from ledger.balance import Balance
from ledger.chart import AccountId, split
from ledger.errors import CursorInvalid
from ledger.history import store
from ledger.history.blocks import last_of_day, last_received
from ledger.history.lines import store as in_journal
from ledger.history.pages import moved
from ledger.orders.store import payments_of
from ledger.transfer import Flag, Kind

if TYPE_CHECKING:
    from collections.abc import Callable

    import numpy.typing as npt

    from ledger.journal import Block
    from ledger.store import Connection, Database

    Rows = npt.NDArray[np.void]

LINES_MAX: Final = 1000
"""Lines of one page of a statement."""
_CURSOR_MAX: Final = 64
_POSITION_MAX: Final = (1 << 63) - 1


@dataclass(frozen=True, slots=True)
class Line:
    """One transfer as an account sees it: the other account, and the account's four sums right after it. Amounts in sen."""

    position: int
    counterparty: AccountId
    is_debit: bool
    amount: Sen
    kind: int
    flags: int
    hold: int
    occurred_at: UnixMs
    received_at: UnixMs
    service_day: Day
    business_date: Day
    uid: int
    tmc: int
    terminal: int
    sequence: int
    balance: Balance
    refund_of: int = 0
    """The position of the payment that it gives back; 0 for what names none."""


@dataclass(frozen=True, slots=True)
class Statement:
    """A page of a statement, as of position `until`; `opening` and `closing` are those of the whole period.

    `cursor` gives the next page in the same direction; "" at the end.
    """

    account: AccountId
    after: int
    until: int
    opening: Balance
    closing: Balance
    lines: tuple[Line, ...]
    cursor: str


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
            view = _View(connection, account, store.newest_position(connection))
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
            view = _View(connection, account, store.newest_position(connection))
            if cursor:
                asked = _Asked.read(cursor, view.newest)
            else:
                end = view.newest if until is None else min(until, view.newest)
                begin = min(max(after, 0), end)
                asked = _Asked(begin, end, end + 1 if newest_first else begin, newest_first)
            return view.page(asked, min(max(limit, 1), LINES_MAX))


def state_of(flags: int) -> str:
    """What a line is, in words: held, given back (a hold's), or posted."""
    if flags & Flag.PENDING:
        return "held"
    return "given back" if flags & Flag.VOID_PENDING else "posted"


def _position(block: Block | None) -> int:
    return 0 if block is None else block.last_position


@dataclass(frozen=True, slots=True)
class _Asked:
    """A period, which line the page goes on behind, and in which direction."""

    after: int
    until: int
    behind: int
    newest_first: bool

    def cursor(self, behind: int) -> str:
        """The cursor of the page that goes on behind a line."""
        return f"{'d' if self.newest_first else 'a'}-{self.after}-{self.until}-{behind}"

    @classmethod
    def read(cls, cursor: str, newest: int) -> _Asked:
        """From a cursor; raises CursorInvalid for one that no page gave."""
        way, *numbers = cursor[:_CURSOR_MAX].split("-")
        if (
            len(cursor) > _CURSOR_MAX
            or way not in {"a", "d"}
            or not all(one.isascii() and one.isdigit() for one in numbers)
        ):
            raise CursorInvalid("this is no cursor of a statement: begin again without one")
        values = [int(one) for one in numbers]
        if len(values) != 3 or not values[0] <= values[2] <= values[1] <= newest:  # noqa: PLR2004  after, until, behind
            raise CursorInvalid("this cursor is not of this ledger's statements: begin again without one")
        return cls(values[0], values[1], values[2], way == "d")

    @property
    def span(self) -> tuple[int, int]:
        """The positions that are still to come, both included."""
        return (self.after + 1, self.behind - 1) if self.newest_first else (self.behind + 1, self.until)


class _View:
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

    def page(self, asked: _Asked, limit: int) -> Statement:
        """The lines that come next, with the balance after each."""
        rows = self._rows(asked, limit + 1)
        more, rows = len(rows) > limit, rows[:limit]
        opening, closing = self.balance(asked.after), self.balance(asked.until)
        lines = self._lines(rows, asked)
        cursor = asked.cursor(lines[-1].position) if more else ""
        return Statement(self._account, asked.after, asked.until, opening, closing, lines, cursor)

    def _rows(self, asked: _Asked, limit: int) -> Rows:
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

    def _from_pages(self, span: tuple[int, int], limit: int, asked: _Asked) -> Rows:
        positions: list[int] = []
        if span[0] <= span[1]:
            positions = store.paged_positions(*self._key(), span, limit, newest_first=asked.newest_first)
        return in_journal.rows_at(self._connection, self._partition, positions)

    def _from_journal(self, span: tuple[int, int], limit: int, asked: _Asked) -> Rows:
        return in_journal.rows_of(*self._key(), span, limit, newest_first=asked.newest_first)

    def _lines(self, rows: Rows, asked: _Asked) -> tuple[Line, ...]:
        if not len(rows):
            return ()
        ordered = rows[::-1] if asked.newest_first else rows
        running = self.balance(int(ordered["position"][0]) - 1)
        refunds = self._refunds(ordered)
        found, by = [], moved(ordered, in_journal.held_amounts(self._connection, ordered))
        for row, posted, pending in zip(ordered, by.posted.tolist(), by.pending.tolist(), strict=True):
            is_debit = int(row["debit"]) == self._account
            running = _after(running, posted, pending, is_debit=is_debit)
            found.append(_line(row, running, refunds, is_debit=is_debit))
        return tuple(reversed(found) if asked.newest_first else found)

    def _refunds(self, rows: Rows) -> dict[int, int]:
        """By position, the payments that refunds to wallets give back; a card's own refunds name their sales in its evidence."""
        mine = rows["position"][(rows["kind"] == Kind.REFUND) & (rows["uid"] == 0)].tolist()
        return payments_of(self._connection, mine) if mine else {}


def _after(balance: Balance, posted: int, pending: int, *, is_debit: bool) -> Balance:
    one, other = (posted, 0) if is_debit else (0, posted)
    held, other_held = (pending, 0) if is_debit else (0, pending)
    return Balance(
        Sen(balance.debits_posted + one), Sen(balance.credits_posted + other), Sen(balance.debits_pending + held),
        Sen(balance.credits_pending + other_held),
    )  # fmt: skip


def _line(row: np.void, balance: Balance, refunds: dict[int, int], *, is_debit: bool) -> Line:
    values = {name: int(row[name]) for name in row.dtype.names or ()}
    other = values["credit" if is_debit else "debit"]
    return Line(
        values["position"], AccountId(other), is_debit, Sen(values["amount"]), values["kind"], values["flags"],
        values["hold"], UnixMs(values["occurred_at"]), UnixMs(values["received_at"]), Day(values["service_day"]),
        Day(values["business_date"]), values["uid"], values["tmc"], values["terminal"], values["sequence"], balance,
        refunds.get(values["position"], 0),
    )  # fmt: skip
