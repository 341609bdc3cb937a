"""One group at a time, without the writer's threads: prepared, written, and only then seen."""

from __future__ import annotations

from collections import deque
from concurrent.futures import Future
from typing import TYPE_CHECKING

import pytest

from ledger.abreast import UnderWay
from ledger.broken import Behind
from ledger.chain.store import last_block
from ledger.committing import write
from ledger.errors import StorageError
from ledger.group import Ahead, Group, Waiting
from ledger.preparing import Preparing
from ledger.recovery import state_of
from ledger.standing import Standing
from ledger.store import Database
from ledger.windows import CUT_OFF, CloseWindow
from tests.ledger.entries import OPERATOR, PURSE, SetClock, transfer
from tests.ledger.units import Plain

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ledger.transaction import Unit


class Bench:
    """Groups of one database, each step when it is asked for."""

    def __init__(self, url: str, clock: SetClock) -> None:
        self.database = Database(url)
        self.standing = Standing(state_of(self.database, CUT_OFF))
        self.under_way = UnderWay(alone=True)
        self.groups: list[Group] = []
        self.preparing = Preparing(
            self.database, clock, self.standing, self.under_way, lambda group: group.begin(self.database)
        )

    def prepared(self, *units: Unit) -> Group:
        """A group of the units that it takes."""
        group = Group()
        self.groups.append(group)
        self.preparing.prepare(group, deque(Waiting(unit) for unit in units))
        return group

    def stored(self) -> int:
        """The newest block in the database; 0 for none."""
        with self.database.transaction() as connection:
            found = last_block(connection)
        return 0 if found is None else found.block

    def drop(self) -> None:
        """Give up what was prepared and not written."""
        for group in self.groups:
            group.abandon(StorageError("given up"))

    def close(self) -> None:
        self.drop()
        self.under_way.close()
        self.database.close()


@pytest.fixture
def bench(url: str, clock: SetClock) -> Iterator[Bench]:
    made = Bench(url, clock)
    yield made
    made.close()


def test_law_04_what_is_prepared_is_seen_by_nobody_until_it_is_written_and_shown(bench: Bench) -> None:
    group = bench.prepared(Plain([transfer(amount=5)]), Plain([transfer(amount=6)]))
    assert [answer[0].position for answer in group.answers] == [1, 2]
    engine = bench.standing.engine
    assert (engine.balance(PURSE).debits_posted, engine.committed.balance(PURSE).debits_posted) == (11, 0)
    write(group, bench.database)
    assert (bench.stored(), engine.committed.balance(PURSE).debits_posted, bench.standing.last_block) == (
        1,
        0,
        None,
    )
    bench.standing.show(group)
    assert engine.committed.balance(OPERATOR).credits_posted == 11
    assert bench.standing.last_block is group.block
    assert group.durable


def test_a_group_is_chained_to_the_one_before_it_whether_or_not_that_is_written(bench: Bench) -> None:
    first = bench.prepared(Plain([transfer()]))
    write(first, bench.database)
    second = bench.prepared(Plain(document=b"signed"))
    assert first.block is not None
    assert second.block is not None
    assert (second.block.block, second.block.previous) == (2, first.block.digest)


def test_a_group_with_nothing_to_write_has_no_block(bench: Bench) -> None:
    group = bench.prepared(Plain())
    assert (group.block, bench.standing.prepared) == (None, None)
    write(group, bench.database)
    bench.standing.show(group)
    assert (bench.stored(), bench.standing.last_block) == (0, None)


def test_units_are_taken_one_by_one_while_one_of_them_is_at_fault(bench: Bench) -> None:
    bench.preparing.alone = 1
    assert len(bench.prepared(Plain(), Plain()).taken) == 1
    bench.drop()
    assert len(bench.prepared(Plain(), Plain()).taken) == 2


def test_closing_a_window_closes_it_for_readers_once_it_is_written(bench: Bench, clock: SetClock) -> None:
    day = bench.standing.windows.open_at(clock.now())
    group = bench.prepared(CloseWindow(day))
    write(group, bench.database)
    assert bench.standing.windows.last_closed is None
    bench.standing.show(group)
    assert bench.standing.windows.last_closed == day


@pytest.mark.parametrize("durable", [True, False])
def test_a_group_is_written_only_where_what_is_ahead_of_it_was(bench: Bench, *, durable: bool) -> None:
    group, ended = bench.prepared(Plain([transfer()])), Future[None]()
    ended.set_result(None)
    group.before = Ahead(Group(durable=durable), ended)
    if durable:
        write(group, bench.database)
    else:
        with pytest.raises(Behind):
            write(group, bench.database)
    assert (bench.stored(), group.sent) == (int(durable), durable)
