"""Statements and past balances, for random histories, against a book kept by hand; and while others post."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from hebat.schema import TABLES
from keys.clock import Day, UnixMs
from ledger.balance import NOTHING, Balance
from ledger.book import Ledger
from ledger.chart import AccountId, Code, Partition, account_id
from ledger.errors import AccountUnknown, CursorInvalid
from ledger.history import pages, store
from ledger.history.book import LINES_MAX, History
from ledger.history.indexing import Indexer, index
from ledger.history.store import Marks
from ledger.transfer import Flag
from tests.empty import new_ledger
from tests.ledger.batches import ACCOUNTS, batches
from tests.ledger.entries import CASH, OPERATOR, PURSE, SetClock, transfer
from tests.ledger.test_proofs_checkpoints import add_tables

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    from ledger.history.statement import Line

    Rows = npt.NDArray[np.void]

START = UnixMs(1_748_829_600_000)
DAY_MS = 86_400_000
QUICK = (Phase.explicit, Phase.reuse, Phase.generate)
"""An example is a database: shrinking one costs minutes."""


class ByHand:
    """Every account's lines with the four sums after each, from the journal's rows one by one."""

    def __init__(self, rows: Rows) -> None:
        self.lines: dict[int, list[tuple[int, bool, tuple[int, ...]]]] = {account: [] for account in ACCOUNTS}
        sums: dict[int, list[int]] = {}
        amounts = {}
        for row in rows:
            position, flags, amount = int(row["position"]), Flag(int(row["flags"])), int(row["amount"])
            amounts[position] = amount
            for account, side in ((int(row["debit"]), 0), (int(row["credit"]), 1)):
                mine = sums.setdefault(account, [0, 0, 0, 0])
                if flags & Flag.PENDING:
                    mine[2 + side] += amount
                elif not flags & Flag.UNPOSTED:
                    mine[side] += amount
                if flags & (Flag.POST_PENDING | Flag.VOID_PENDING):
                    mine[2 + side] -= amounts[int(row["hold"])]
                self.lines.setdefault(account, []).append((position, side == 0, tuple(mine)))

    def balance(self, account: int, position: int) -> tuple[int, ...]:
        before = [sums for at, _, sums in self.lines[account] if at <= position]
        return before[-1] if before else (0, 0, 0, 0)


def four(balance: Balance) -> tuple[int, ...]:
    return (balance.debits_posted, balance.credits_posted, balance.debits_pending, balance.credits_pending)


def told(line: Line) -> tuple[int, bool, tuple[int, ...]]:
    return line.position, line.is_debit, four(line.balance)


def whole(
    history: History, account: AccountId, after: int, until: int | None, limit: int, *, newest_first: bool
) -> list[Line]:
    """All pages of a statement, one after another."""
    page = history.statement(account, after, until, limit=limit, newest_first=newest_first)
    lines = list(page.lines)
    while page.cursor:
        assert len(page.lines) == limit
        page = history.statement(account, cursor=page.cursor, limit=limit)
        lines += page.lines
    return lines


def post(ledger: Ledger, rows: Rows) -> None:
    ledger.writer.submit(Ledger.columns(rows.copy())).result()


def check_by_hand(ledger: Ledger, data: st.DataObject) -> None:
    """Every account's balance at every position, and its statement over a random period in both directions."""
    history, rows = History(ledger.database), ledger.rows()
    hand, last = ByHand(rows), len(rows)
    assert history.newest() == last
    for account in ACCOUNTS:
        assert four(ledger.balance(account)) == hand.balance(account, last) == four(history.balance(account))
        for position in data.draw(st.sets(st.integers(0, last + 1), max_size=6)):
            assert four(history.balance(account, position)) == hand.balance(account, position)
        after, until = sorted(data.draw(st.tuples(st.integers(-1, last + 2), st.integers(0, last + 2))))
        limit = data.draw(st.integers(1, 5))
        expected = [line for line in hand.lines[account] if after < line[0] <= until]
        ahead = whole(history, account, after, until, limit, newest_first=False)
        back = whole(history, account, after, until, limit, newest_first=True)
        assert [told(line) for line in ahead] == expected
        assert [told(line) for line in reversed(back)] == expected
        page = history.statement(account, after, until)
        assert four(page.opening) == hand.balance(account, after)
        assert four(page.closing) == hand.balance(account, until)


@settings(
    max_examples=15,
    phases=QUICK,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(batches(), st.data())
def test_statements_of_all_accounts_are_those_kept_by_hand(
    tmp_path_factory: pytest.TempPathFactory, made: list[Rows], data: st.DataObject
) -> None:
    path = tmp_path_factory.mktemp("history") / "ledger.db"
    with (
        pytest.MonkeyPatch.context() as patch,
        Ledger.open(new_ledger(f"sqlite:///{path}", *TABLES), SetClock(START)) as ledger,
    ):
        patch.setattr(pages, "LINES_A_PAGE", data.draw(st.integers(1, 4)))
        patch.setattr(store, "PAGES_A_WRITE", 3)
        for batch in made:
            post(ledger, batch)
            if data.draw(st.booleans()):
                index(ledger.database, data.draw(st.integers(0, 60)), data.draw(st.integers(1, 12)))
        check_by_hand(ledger, data)


@settings(
    max_examples=3,
    phases=QUICK,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(st.data())
def test_statements_are_those_kept_by_hand_on_postgresql(postgres_url: str, data: st.DataObject) -> None:
    add_tables(postgres_url)
    with Ledger.open(postgres_url, SetClock(START)) as ledger:
        for batch in data.draw(batches()):
            post(ledger, batch)
        index(ledger.database, data.draw(st.integers(0, 60)), 7)
        check_by_hand(ledger, data)


@pytest.fixture
def kept(whole_url: str, clock: SetClock) -> str:
    """A ledger with three business dates of fares, a load that was held and posted, and one that was not."""
    with Ledger.open(whole_url, clock) as ledger:
        for _ in range(3):
            ledger.post([transfer(amount=amount) for amount in (100, 200)])
            ledger.post([transfer(CASH, PURSE, 1_000, flags=Flag.PENDING)])
            ledger.close_window(ledger.open_window())
            clock.at = UnixMs(clock.at + DAY_MS)
            first = ledger.open_window()
        ledger.post([transfer(CASH, PURSE, 1_000, flags=Flag.POST_PENDING, hold=3)])
        assert first > 0
    return whole_url


def test_a_balance_is_found_by_moment_and_by_business_date(kept: str, clock: SetClock) -> None:
    with Ledger.open(kept, clock) as ledger:
        history, days = History(ledger.database), [one.business_date for one in ledger.windows()]
        started = UnixMs(clock.at - 3 * DAY_MS)
        for place, day in enumerate(days, start=1):
            assert history.position_of_day(day) == 3 * place
            assert history.position_at(UnixMs(started + (place - 1) * DAY_MS)) == 3 * place
            balance = history.balance(PURSE, history.position_of_day(day))
            assert four(balance) == (300 * place, 0, 0, 1_000 * place)
        assert history.position_at(UnixMs(started - 1)) == 0
        assert history.position_of_day(Day(days[0] - 1)) == 0
        assert history.position_of_day(Day(days[-1] + 9)) == 10
        assert four(history.balance(PURSE)) == (900, 1_000, 0, 2_000)
        assert history.balance(account_id(Code.PURSE, Partition(9), 5)) == NOTHING
        with pytest.raises(AccountUnknown):
            history.balance(AccountId(5))


def test_a_statement_of_a_business_date_opens_where_the_one_before_closed(kept: str, clock: SetClock) -> None:
    with Ledger.open(kept, clock) as ledger:
        index(ledger.database, span=4)
        history, closing = History(ledger.database), NOTHING
        for window in ledger.windows():
            day = window.business_date
            page = history.statement(
                PURSE, history.position_of_day(Day(day - 1)), history.position_of_day(day)
            )
            assert page.opening == closing
            assert [line.business_date for line in page.lines] == [day] * 3
            assert [line.counterparty for line in page.lines] == [OPERATOR, OPERATOR, CASH]
            assert page.lines[-1].balance == page.closing
            closing = page.closing


def test_pages_of_a_statement_stay_as_of_its_first_while_others_post(kept: str, clock: SetClock) -> None:
    with Ledger.open(kept, clock) as ledger:
        history = History(ledger.database)
        first = history.statement(PURSE, limit=4, newest_first=True)
        ledger.post([transfer(amount=7)])
        index(ledger.database)
        second = history.statement(PURSE, cursor=first.cursor, limit=50)
        assert (first.until, second.until, second.closing) == (10, 10, first.closing)
        assert [line.position for line in (*first.lines, *second.lines)] == list(range(10, 0, -1))
        assert history.statement(PURSE, limit=LINES_MAX + 5).lines[-1].amount == 7


@pytest.mark.parametrize(
    "cursor",
    [
        "x",
        "a",
        "a-1-2",
        "a-1-2-3-4",
        "d-2-1-2",
        "a-0-99-1",
        "a-0-5-9",
        "a-0--5-1",
        "a-\u0660-5-1",
        "a-" + "1" * 80,
    ],
)
def test_a_cursor_that_no_page_gave_is_refused(kept: str, clock: SetClock, cursor: str) -> None:
    with Ledger.open(kept, clock) as ledger, pytest.raises(CursorInvalid):
        History(ledger.database).statement(PURSE, cursor=cursor)


def test_indexing_that_was_broken_off_is_taken_up_again(kept: str, clock: SetClock) -> None:
    with Ledger.open(kept, clock) as ledger, pytest.MonkeyPatch.context() as patch:
        patch.setattr(store, "PAGES_A_WRITE", 1)
        asked = iter([False, False, True])
        assert index(ledger.database, span=8, pause=lambda: next(asked)) == 0
        with ledger.database.transaction() as connection:
            assert store.read_marks(connection) == Marks(0, 8)
            assert store.paged_positions(connection, 3, PURSE, (1, 8), 9, newest_first=False) != []
        history = History(ledger.database)
        before = history.statement(PURSE)
        ledger.post([transfer(amount=7)])
        assert index(ledger.database, span=100) == 11
        after = history.statement(PURSE, 0, before.until)
        assert (after.lines, after.closing) == (before.lines, before.closing)


def test_what_the_pages_say_adds_up_at_every_commit_while_a_thread_posts(kept: str, clock: SetClock) -> None:
    """Readers see one commit: each statement's lines lead from its opening to its closing, and the indexer changes nothing."""
    with (
        Ledger.open(kept, clock) as ledger,
        Indexer(ledger.database, lambda: ledger.head().position, 16) as indexer,
    ):
        stop = threading.Event()

        def go_on_posting() -> None:
            for _ in range(400):  # a span of 16 is far slower to index than to post
                if stop.is_set():
                    return
                ledger.post([transfer(amount=3), transfer(CASH, PURSE, 5)])

        posting = threading.Thread(target=go_on_posting)
        posting.start()
        try:
            history, seen = History(ledger.database), 0
            for round_ in range(24):
                page = history.statement(PURSE, limit=20, newest_first=bool(round_ % 2))
                ends = page.lines[0 if round_ % 2 else -1]
                assert page.until >= seen
                if round_ % 2 or not page.cursor:
                    assert ends.balance == page.closing
                assert page.closing == history.balance(PURSE, page.until)
                assert (page.closing.debits_posted - 900) % 3 == 0
                pairs = (page.closing.debits_posted - 900) // 3
                assert page.closing.credits_posted == 1_000 + 5 * pairs
                seen = page.until
                if round_ % 8 == 0:
                    indexer.catch_up()
        finally:
            stop.set()
            posting.join()
        with ledger.database.transaction() as connection:
            assert store.read_marks(connection).position > 0
