"""Live balances against the journal: a rebuild goes on where the last one ended, trusts no snapshot that none came by, and may be whole."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from keys.clock import UnixMs
from ledger import agreement
from ledger.book import Ledger
from ledger.engine import Engine
from ledger.errors import DatabaseDamaged
from ledger.rows.store import read_rows
from ledger.snapshots import store as snapshots
from ledger.snapshots.form import Snapshot
from ledger.snapshots.taking import write_now
from tests.ledger.entries import OPERATOR, PURSE, SetClock, transfer
from tests.ledger.unguarded import unguard

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ledger.opening import Rows
    from ledger.store import Connection


@pytest.fixture
def ledger(sqlite_url: str, clock: SetClock) -> Iterator[Ledger]:
    with Ledger.open(sqlite_url, clock) as opened:
        yield opened


def post(ledger: Ledger, *amounts: int) -> int:
    return ledger.post([transfer(amount=amount) for amount in amounts])[-1].position


def change(ledger: Ledger, position: int) -> None:
    with ledger.database.writing() as connection:
        unguard(connection)
        connection.exec_driver_sql(f"UPDATE transfers SET amount = amount + 1 WHERE position = {position}")


@pytest.fixture
def read(monkeypatch: pytest.MonkeyPatch) -> list[tuple[int, int]]:
    """Which spans of the journal were read."""
    seen: list[tuple[int, int]] = []

    def noted(connection: Connection, first: int, last: int) -> Iterator[Rows]:
        if first <= last:
            seen.append((first, last))
        return read_rows(connection, first, last)

    monkeypatch.setattr(agreement, "read_rows", noted)
    return seen


def test_a_rebuild_reads_what_was_posted_since_the_last_one_and_a_whole_one_reads_everything(
    ledger: Ledger, read: list[tuple[int, int]]
) -> None:
    first = post(ledger, *range(1, 9))
    assert ledger.snapshot() == first
    assert ledger.rebuild_check(whole=False) == first
    assert read == [(1, first)], "no snapshot is trusted before a rebuild came by"
    read.clear()
    last = post(ledger, 5, 6)
    assert ledger.rebuild_check(whole=False) == last
    assert read == [(first + 1, last)]
    read.clear()
    assert ledger.rebuild_check() == last
    assert read == [(1, first), (first + 1, last)]


def test_what_a_rebuild_goes_on_from_is_kept_however_many_snapshots_come_after_it(
    ledger: Ledger, read: list[tuple[int, int]]
) -> None:
    base = post(ledger, 1, 2)
    ledger.snapshot()
    ledger.rebuild_check(whole=False)
    positions = []
    for amount in range(3, 7):
        positions.append(post(ledger, amount))
        ledger.snapshot()
    read.clear()
    ledger.rebuild_check(whole=False)
    assert read[0][0] == base + 1
    with ledger.database.transaction() as connection:
        assert [row.position for row in snapshots.stored(connection)] == [*reversed(positions[-2:]), base]
    read.clear()
    ledger.rebuild_check(whole=False)
    assert read == [], "it ended at the newest"


def test_a_row_that_was_changed_since_is_found_and_an_older_one_by_a_whole_rebuild(ledger: Ledger) -> None:
    first = post(ledger, 1, 2, 3)
    ledger.snapshot()
    ledger.rebuild_check(whole=False)
    last = post(ledger, 4)
    change(ledger, first)
    assert ledger.rebuild_check(whole=False) == last
    with pytest.raises(DatabaseDamaged, match="has another balance"):
        ledger.rebuild_check()
    change(ledger, last)
    with pytest.raises(DatabaseDamaged, match="has another balance"):
        ledger.rebuild_check(whole=False)


def test_a_snapshot_of_a_wrong_engine_is_found_out_though_the_live_balances_are_right(ledger: Ledger) -> None:
    post(ledger, 1, 2, 3)
    wrong = Engine()
    with ledger.database.transaction() as connection:
        for rows in read_rows(connection):
            rows["amount"][0] += 1
            wrong.replay(rows)
    head = ledger.head()
    with ledger.database.writing() as connection:
        write_now(connection, Snapshot(wrong.keep(), head.block, head.digest), UnixMs(1))
    post(ledger, 4)
    with pytest.raises(DatabaseDamaged, match="in the snapshot than its journal gives"):
        ledger.rebuild_check(whole=False)


def test_another_snapshot_of_the_same_position_does_not_pass_for_the_one_that_was_verified(
    ledger: Ledger, read: list[tuple[int, int]]
) -> None:
    last = post(ledger, 1, 2)
    ledger.snapshot()
    ledger.rebuild_check(whole=False)
    with ledger.database.writing() as connection:
        connection.exec_driver_sql("UPDATE snapshots SET digest = zeroblob(32)")
    read.clear()
    assert ledger.rebuild_check(whole=False) == last
    assert read[0][0] == 1


def test_rebuilt_from_anywhere_the_live_balances_are_the_same(ledger: Ledger) -> None:
    """The oracle: a whole rebuild, after each of many steps with snapshots among them."""
    for step in range(1, 13):
        post(ledger, *range(step, step + 3))
        if step % 3 == 0:
            ledger.snapshot()
        assert ledger.rebuild_check(whole=False) == ledger.rebuild_check() == ledger.head().position
    assert ledger.balance(OPERATOR).credits_posted == ledger.balance(PURSE).debits_posted > 0
