"""Readers see one commit's state, whatever the writer does meanwhile, and never keep it waiting."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

import numpy as np
import pytest

from keys.clock import UnixMs
from ledger import cells
from ledger.chart import Code, Partition, account_id
from ledger.engine import Engine
from ledger.journal import rows_of
from ledger.transfer import ROW, Flag
from ledger.windows import CloseWindow
from tests.ledger.entries import CASH, DAY, OPERATOR, PURSE, transfer

if TYPE_CHECKING:
    from collections.abc import Callable

    import numpy.typing as npt

    from ledger.book import Ledger
    from tests.ledger.entries import SetClock

    Rows = npt.NDArray[np.void]

READERS = 3
RESOLVING = (Flag.POST_PENDING, Flag.VOID_PENDING)


class Hammer:
    """Threads that look again and again until they are told to stop; what they saw wrong is raised then."""

    def __init__(self, *looks: Callable[[], None]) -> None:
        self._done, self._wrong, self.count = threading.Event(), list[BaseException](), 0
        self._threads = [threading.Thread(target=self._run, args=(look,)) for look in looks]
        for thread in self._threads:
            thread.start()

    def _run(self, look: Callable[[], None]) -> None:
        try:
            while not self._done.is_set():
                look()
                self.count += 1
        except BaseException as error:  # noqa: BLE001  shown by `stop`
            self._wrong.append(error)

    def stop(self) -> None:
        self._done.set()
        for thread in self._threads:
            thread.join()
        for error in self._wrong:
            raise error
        assert self.count > len(self._threads)


def units(count: int, first: int) -> Rows:
    """Transfers and holds of 1 sen each from new purses, so that the position is the sum of all that moved."""
    rows = np.zeros(count, ROW)
    rows["debit"] = int(account_id(Code.PURSE, Partition(3), 0)) + 1 + first + np.arange(count)
    rows["credit"], rows["amount"] = OPERATOR, 1
    rows["flags"] = np.where(np.arange(count) % 5 == 0, int(Flag.PENDING), 0)
    rows["business_date"], rows["received_at"] = DAY, 1000
    return rows


def test_all_balances_at_once_are_those_of_one_commit(  # while another thread publishes, and tables grow
) -> None:
    engine, batch = Engine(), 4000
    last = [0] * READERS

    def look(reader: int) -> Callable[[], None]:
        def at_once() -> None:
            position, _, sums = engine.committed.columns()
            assert sums[:, (0, 2)].sum() == sums[:, (1, 3)].sum() == position
            assert position >= last[reader]
            last[reader] = position

        return at_once

    readers = Hammer(*(look(reader) for reader in range(READERS)))
    sealed = []
    for number in range(60):
        assert not engine.apply(units(batch, number * batch)).results.any()
        sealed.append(engine.seal())
        if len(sealed) == 2:  # the next batch is applied before the one before is shown
            publisher = threading.Thread(target=engine.publish, args=(sealed.pop(0),))
            publisher.start()
            publisher.join()
    readers.stop()
    assert engine.committed.position == 59 * batch
    engine.publish(sealed.pop())
    position, numbers, sums = engine.committed.columns()
    assert (position, len(numbers), int(sums.sum())) == (60 * batch, 60 * batch + 1, 120 * batch)


def test_a_balance_is_that_of_one_commit_and_never_goes_back() -> None:
    """Each commit moves 1 sen on all four sums of one account: whoever sees unequal ones has seen half of a commit."""
    engine = Engine()
    last = [0]

    def look() -> None:
        found = engine.committed.balance(PURSE)
        four = {found.debits_posted, found.credits_posted, found.debits_pending, found.credits_pending}
        assert len(four) == 1
        assert found.debits_posted >= last[0]
        last[0] = found.debits_posted

    reader = Hammer(look)
    each = rows_of(
        [
            transfer(*sides, 1, flags=flags)
            for sides in ((PURSE, CASH), (CASH, PURSE))
            for flags in (Flag.NONE, Flag.PENDING)
        ],
        UnixMs(1000),
        DAY,
    )
    for _ in range(3000):
        engine.apply(each)
        engine.publish()
    reader.stop()
    assert engine.committed.balance(PURSE).debits_posted == 3000


def test_readers_of_a_ledger_see_whole_commits_while_it_posts(ledger: Ledger) -> None:
    def all_at_once() -> None:
        sums = ledger.balances().values()
        assert sum(one.debits_posted + one.debits_pending for one in sums) == sum(
            one.credits_posted + one.credits_pending for one in sums
        )

    def trial() -> None:
        found = ledger.trial_balance()
        assert found.debits == found.credits

    def history() -> None:
        positions = ledger.rows()["position"]
        assert (positions == np.arange(1, len(positions) + 1)).all()

    readers = Hammer(all_at_once, trial, history)
    for number in range(40):
        unit = ledger.columns(units(50, 50 * number))
        assert ledger.writer.submit(unit).result().all_posted
    readers.stop()
    assert len(ledger.rows()) == 2000


@pytest.mark.parametrize("reading", ["begun", "over"])
def test_a_long_reader_keeps_no_commit_waiting(ledger: Ledger, reading: str) -> None:
    ledger.post([transfer(amount=1)])
    chunks = ledger.row_chunks()
    seen = [len(next(chunks))]
    for _ in range(5):
        ledger.post([transfer(amount=1)])
    if reading == "over":
        seen += [len(chunk) for chunk in chunks]
        assert seen[0] == 1
    chunks.close()  # type: ignore[attr-defined]
    assert len(ledger.rows()) == 6


def test_a_long_reader_keeps_neither_a_new_date_nor_a_closing_waiting(
    ledger: Ledger, clock: SetClock
) -> None:
    """On PostgreSQL a date begins with a table of its own, and its closing seals that: neither needs a lock that a reader holds."""
    ledger.post([transfer(amount=1)])
    first = ledger.open_window()
    chunks = ledger.row_chunks()
    assert len(next(chunks)) == 1
    clock.at = UnixMs(clock.at + 24 * 3_600_000)
    assert ledger.writer.submit(ledger.unit([transfer(amount=1)])).result(30)[0].position == 2
    assert ledger.writer.submit(CloseWindow(first)).result(30).business_date == first
    assert not list(chunks)
    assert ledger.rows()["business_date"].tolist() == [first, first + 1]


def test_a_hold_waits_for_readers_until_what_resolved_it_is_committed() -> None:
    engine = Engine()
    engine.apply(rows_of([transfer(CASH, PURSE, flags=Flag.PENDING)] * 2, UnixMs(1000), DAY))
    assert (engine.committed_hold(1), engine.hold(1) is None) == (None, False)
    engine.publish()
    engine.apply(
        rows_of(
            [transfer(CASH, PURSE, flags=flags, hold=hold) for hold, flags in enumerate(RESOLVING, start=1)],
            UnixMs(1000),
            DAY,
        )
    )
    for hold in (1, 2):
        told, seen = engine.hold(hold), engine.committed_hold(hold)
        assert told is not None
        assert seen is not None
        assert (told[0], told[1], seen[1]) == (seen[0], False, True)
    engine.publish()
    assert [engine.committed_hold(hold) == engine.hold(hold) for hold in (1, 2)] == [True, True]


def test_a_hold_of_a_group_that_failed_is_seen_by_nobody_and_waits_where_the_group_resolved_it() -> None:
    engine = Engine()
    engine.apply(rows_of([transfer(CASH, PURSE, flags=Flag.PENDING)], UnixMs(1000), DAY))
    engine.publish()
    linked = [
        transfer(CASH, PURSE, flags=Flag.POST_PENDING | Flag.LINKED, hold=1),
        transfer(CASH, PURSE, flags=Flag.PENDING | Flag.LINKED),
        transfer(amount=-1),
        transfer(CASH, PURSE),
    ]
    engine.apply(rows_of(linked, UnixMs(1000), DAY))
    engine.publish()
    assert engine.committed_hold(3) is engine.hold(3) is None
    found = engine.committed_hold(1)
    assert found is not None
    assert found[1]
    assert not engine.keep().holds[:, cells.RESOLVED_AT].any()
