"""Two large commits at once on PostgreSQL, the second's rows sent beside the first: in order, and never the second without the first."""

from __future__ import annotations

import threading
import time
from contextlib import closing, contextmanager
from typing import TYPE_CHECKING, Any, Final

import pytest

from keys.clock import SystemClock, UnixMs
from ledger.abreast import ABREAST_ROWS_MIN
from ledger.book import Ledger
from ledger.errors import NotWritten
from ledger.verify import verify
from tests.benchmarks.ledger_load import fares
from tests.ledger.crash.cluster import _name
from tests.ledger.crash.conftest import kills
from tests.ledger.crash.wire import Cut, Plan, Wire
from tests.ledger.entries import SetClock, transfer

if TYPE_CHECKING:
    import random
    from collections.abc import Callable, Iterator

    from ledger.answer import Answer
    from tests.ledger.crash.cluster import Cluster
    from tests.ledger.crash.nursery import Nursery

MANY: Final = ABREAST_ROWS_MIN
DELAY_SECONDS_MAX: Final = 1.0
WRITING: Final = ("active", "Lock")
AHEAD: Final = ("idle in transaction", "Client")
BEGAN: Final = UnixMs(1_750_000_000_000)


@pytest.fixture
def wire(cluster: Cluster) -> Iterator[Wire]:
    with Wire(cluster) as made:
        yield made


@pytest.fixture
def wired(cluster: Cluster, wire: Wire) -> Iterator[Ledger]:
    """A ledger behind a wire that can be cut; its day has begun with one transfer."""
    with Ledger.open(wire.url(cluster.ledger()), SetClock(BEGAN)) as ledger:
        ledger.post([transfer()])
        yield ledger


class Held:
    """Commits that wait in the database, since no block gets in."""

    def __init__(self, cluster: Cluster, ledger: Ledger) -> None:
        self._ledger, self._lock = ledger, cluster.connect(_name(str(ledger.database.url)))
        self._watch = cluster.connect("postgres")
        self._watch.autocommit = True
        with self._lock.cursor() as cursor:
            cursor.execute("LOCK TABLE blocks IN SHARE MODE")

    def submit(self, wanted: list[tuple[str, str]]) -> Answer:
        """Send so many transfers that they are a commit of their own, and wait until the database has these transactions."""
        answer = self._ledger.writer.submit(self._ledger.columns(fares(MANY)))
        deadline = time.monotonic() + 60
        while [(state, waits) for _, state, waits in self.transactions()] != wanted:
            assert time.monotonic() < deadline, self.transactions()
            time.sleep(0.01)
        return answer

    def transactions(self) -> list[tuple[int, str, str]]:
        """What has rows of the journal, and has not committed: process, state, what it waits for."""
        asked = (
            "SELECT pid, state, wait_event_type FROM pg_stat_activity WHERE datname = %s AND backend_xid IS NOT NULL "
            "AND query LIKE 'COPY transfers%%' ORDER BY state"
        )
        with self._watch.cursor() as cursor:
            cursor.execute(asked, (self._ledger.database.url.database,))
            found: list[tuple[int, str, str]] = cursor.fetchall()
        return found

    def end(self, state: str) -> None:
        """Have PostgreSQL end the process that is in a state."""
        [pid] = [pid for pid, its, _ in self.transactions() if its == state]
        with self._watch.cursor() as cursor:
            cursor.execute("SELECT pg_terminate_backend(%s)", (pid,))

    def let_go(self) -> None:
        """Blocks get in again."""
        self._lock.rollback()

    def close(self) -> None:
        """End the connections that held and watched."""
        self._lock.close()
        self._watch.close()


@contextmanager
def held(cluster: Cluster, ledger: Ledger) -> Iterator[Held]:
    with closing(Held(cluster, ledger)) as made:
        yield made


def check_whole(ledger: Ledger, transfers: int) -> None:
    """The journal holds so many, chained and balanced, and live balances are its own; the next is posted behind them."""
    assert verify(ledger.database).transfers == transfers
    assert ledger.rebuild_check() == transfers
    assert ledger.post([transfer()])[0].position == transfers + 1


def positions(answer: Answer) -> tuple[int, int]:
    """The first and the last position of a batch that was posted."""
    posted: Any = answer.result(60)
    assert posted.all_posted
    return int(posted.positions[0]), int(posted.positions[-1])


def test_a_large_commit_is_sent_while_the_one_before_is_written_and_both_are_answered_in_order(
    cluster: Cluster, wired: Ledger
) -> None:
    with held(cluster, wired) as both:
        first, second = both.submit([WRITING]), both.submit([WRITING, AHEAD])
        third = both.submit([WRITING, AHEAD])
        assert [answer.done() for answer in (first, second, third)] == [False] * 3
        assert wired.head().position == 1
        both.let_go()
        spans = [positions(answer) for answer in (first, second, third)]
    assert spans == [(2 + at * MANY, 1 + (at + 1) * MANY) for at in range(3)]
    check_whole(wired, 1 + 3 * MANY)


def test_the_first_commit_of_a_day_makes_its_table_and_the_second_waits_for_that(cluster: Cluster) -> None:
    with Ledger.open(cluster.ledger(), SetClock(BEGAN)) as ledger:
        with held(cluster, ledger) as both:
            first, second = both.submit([WRITING]), both.submit([WRITING])
            both.let_go()
            assert [positions(first), positions(second)] == [(1, MANY), (1 + MANY, 2 * MANY)]
        check_whole(ledger, 2 * MANY)


@pytest.mark.parametrize("ended", [WRITING, AHEAD])
def test_a_commit_that_fails_takes_the_one_beside_it_back_and_nothing_else(
    cluster: Cluster, wired: Ledger, ended: tuple[str, str]
) -> None:
    with held(cluster, wired) as both:
        first, second = both.submit([WRITING]), both.submit([WRITING, AHEAD])
        both.end(ended[0])
        both.let_go()
        if ended is WRITING:
            with pytest.raises(NotWritten, match="send it again"):
                first.result(60)
        else:
            assert positions(first) == (2, 1 + MANY)
        with pytest.raises(NotWritten, match="send it again"):
            second.result(60)
    check_whole(wired, 1 if ended is WRITING else 1 + MANY)


@pytest.mark.parametrize("cut", list(Cut))
def test_a_commit_whose_end_nobody_saw_is_looked_up_and_the_one_beside_it_is_sent_again(
    cluster: Cluster, wire: Wire, wired: Ledger, cut: Cut
) -> None:
    with held(cluster, wired) as both:
        first, second = both.submit([WRITING]), both.submit([WRITING, AHEAD])
        wire.plan = Plan(cut, wanted=lambda message: message.commits)
        both.let_go()
        if cut is Cut.UNANSWERED:
            assert positions(first) == (2, 1 + MANY)
        else:
            with pytest.raises(NotWritten, match="send it again"):
                first.result(60)
        with pytest.raises(NotWritten, match="send it again"):
            second.result(60)
        assert wire.plan.done.is_set()
    again = wired.writer.submit(wired.columns(fares(MANY)))
    last = 1 + (2 if cut is Cut.UNANSWERED else 1) * MANY
    assert positions(again)[1] == last
    check_whole(wired, last)


def test_a_ledger_that_shuts_down_ends_both_commits_first(cluster: Cluster, wired: Ledger) -> None:
    with held(cluster, wired) as both:
        first, second = both.submit([WRITING]), both.submit([WRITING, AHEAD])
        closing_ = threading.Thread(target=wired.writer.close)
        closing_.start()
        both.let_go()
        closing_.join()
        assert first.done()
        assert second.done()
    assert [positions(first), positions(second)] == [(2, 1 + MANY), (2 + MANY, 1 + 2 * MANY)]
    assert verify(wired.database).transfers == 1 + 2 * MANY


@pytest.mark.slow
def test_law_04_large_commits_killed_at_any_moment_leave_whole_ones_and_all_that_were_answered(
    nursery: Nursery, cluster: Cluster, dice: random.Random, killed: Callable[[int], None]
) -> None:
    count = kills(0.1)
    for number in range(count):
        url = cluster.ledger()  # a new one each time: there is as much to look at after each
        victim = nursery.start("pour", url=url, rows=MANY, batches=1 << 20)
        said = [victim.line(), victim.line()]
        time.sleep(dice.uniform(0, DELAY_SECONDS_MAX))
        if number % 2:
            cluster.kill_backend(dice.choice(cluster.backends()))
        said += victim.kill()
        spans = [tuple(map(int, line.split())) for line in said[1:]]
        assert all(last - first == MANY - 1 for first, last in spans), spans
        with Ledger.open(url, SystemClock()) as ledger:
            found = verify(ledger.database).transfers
            assert found >= max((last for _, last in spans), default=0)
            assert found % MANY == 0
            assert ledger.rebuild_check() == found
    killed(count)
