"""Snapshots: what a start reads instead of the whole journal, and what it does where one is damaged."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import pytest
from sqlalchemy import event, text

from keys.clock import Day, UnixMs
from ledger import cells, store
from ledger.book import Ledger
from ledger.engine import Engine
from ledger.errors import DatabaseDamaged
from ledger.journal import rows_of
from ledger.snapshots import form
from ledger.snapshots import store as snapshots
from ledger.store import Database
from ledger.transfer import Flag, Freshness, Result
from ledger.verify import verify
from tests.ledger.entries import OPERATOR, OTHER_PURSE, PURSE, SetClock, transfer
from tests.ledger.units import Gate, Plain

if TYPE_CHECKING:
    from collections.abc import Callable

    from ledger.writer import Transaction


def fill(ledger: Ledger) -> int:
    """Fares, a hold that waits and one that is done; the position of the one that waits."""
    ledger.post([transfer(amount=amount, uid=0x0401, tmc=amount) for amount in range(1, 9)])
    waits, done = ledger.post([transfer(flags=Flag.PENDING), transfer(OTHER_PURSE, flags=Flag.PENDING)])
    ledger.post([transfer(OTHER_PURSE, flags=Flag.POST_PENDING, hold=done.position)])
    return waits.position


def change(url: str, *statements: str) -> None:
    database = Database(url)
    with database.transaction() as connection:
        for statement in statements:
            assert connection.execute(text(statement)).rowcount > 0, statement
    database.close()


def stored(url: str) -> list[snapshots.SnapshotRow]:
    database = Database(url)
    with database.transaction() as connection:
        found = snapshots.stored(connection)
    database.close()
    return found


def freshness_of(ledger: Ledger, **names: int) -> Freshness:
    seen: list[Freshness] = []
    ledger.writer.submit(Plain(plan=lambda tx: seen.append(tx.freshness(**names)))).result()
    return seen[0]


def test_law_08_a_start_from_a_snapshot_and_the_tail_knows_what_a_whole_replay_does(
    url: str, clock: SetClock
) -> None:
    with Ledger.open(url, clock) as ledger:
        hold = fill(ledger)
        assert ledger.snapshot() == 11
        ledger.post([transfer(amount=5, uid=0x0402, tmc=1)])
        ledger.writer.close()  # no snapshot at the end: as after a crash
        ledger.writer._backlog.refusing.__cause__ = KeyError("crash")  # type: ignore[union-attr]
        balances = ledger.balances()
    with Ledger.open(url, clock) as again:
        assert (again.started.snapshot, again.started.replayed, again.started.passed_over) == (11, 1, ())
        assert again.balances() == balances
        assert again.rebuild_check() == 12
        assert freshness_of(again, uid=0x0401, tmc=8) is Freshness.SEEN
        assert freshness_of(again, uid=0x0401, tmc=9) is Freshness.FRESH
        assert freshness_of(again, uid=0x0402, tmc=1) is Freshness.SEEN
        given_back = transfer(flags=Flag.VOID_PENDING, hold=hold)
        assert [one.result for one in again.post([given_back, given_back])] == [
            Result.POSTED,
            Result.HOLD_NOT_PENDING,
        ]
    database = Database(url)
    assert verify(database).snapshot == 13
    database.close()


def test_closing_keeps_a_snapshot_and_the_next_start_replays_nothing(url: str, clock: SetClock) -> None:
    with Ledger.open(url, clock) as ledger:
        fill(ledger)
    for _ in range(2):
        with Ledger.open(url, clock) as again:
            assert (again.started.snapshot, again.started.replayed) == (11, 0)
    assert [row.position for row in stored(url)] == [11, 0][: len(stored(url))]


@pytest.mark.parametrize("snapshot", [True, False])
@pytest.mark.parametrize(
    ("damage", "said"),
    [
        (
            "UPDATE transfers SET occurred_at = occurred_at + 1 WHERE position = 12",
            "holds rows that are not what",
        ),
        (
            "UPDATE transfers SET received_at = received_at + 1 WHERE position = 12",
            "holds rows that are not what",
        ),
        (
            "UPDATE blocks SET received_at = received_at + 1 WHERE first_position = 12",
            "holds rows that are not",
        ),
        (
            "UPDATE blocks SET previous = documents WHERE first_position = 12",
            "does not stand behind the block",
        ),
    ],
)
def test_each_block_of_the_tail_is_checked_at_a_start_and_not_the_last_one_alone(
    url: str, clock: SetClock, damage: str, said: str, snapshot: bool
) -> None:
    with Ledger.open(url, clock) as ledger:
        fill(ledger)
        if snapshot:
            ledger.snapshot()
        for amount in (5, 6, 7):
            ledger.post([transfer(amount=amount)])
        ledger.writer.close()  # no snapshot at the end: as after a crash
        ledger.writer._backlog.refusing.__cause__ = KeyError("crash")  # type: ignore[union-attr]
    change(url, damage)
    for _ in range(2):
        with pytest.raises(DatabaseDamaged, match=rf"positions 12 to 12.*{said}.*good up to position 11"):
            Ledger.open(url, clock)


@pytest.mark.parametrize(
    "damage",
    [
        "UPDATE snapshot_chunks SET body = (SELECT body FROM snapshot_chunks WHERE position = 11) WHERE position = 12",
        "UPDATE snapshots SET digest = (SELECT digest FROM blocks WHERE block = 1) WHERE position = 12",
        "DELETE FROM snapshot_chunks WHERE position = 12",
        "UPDATE snapshots SET position = 13 WHERE position = 12",
    ],
)
def test_a_damaged_snapshot_is_passed_over_for_the_one_before_and_it_is_said(
    url: str, clock: SetClock, damage: str
) -> None:
    with Ledger.open(url, clock) as ledger:
        fill(ledger)
        ledger.snapshot()
        ledger.post([transfer(amount=5)])
        balances = ledger.balances()
    assert [row.position for row in stored(url)] == [12, 11]
    change(url, damage)
    with Ledger.open(url, clock) as again:
        assert (again.started.snapshot, again.started.replayed) == (11, 1)
        assert "damaged" in again.started.passed_over[0]
        assert again.balances() == balances


def test_without_any_good_snapshot_the_whole_journal_is_replayed(url: str, clock: SetClock) -> None:
    with Ledger.open(url, clock) as ledger:
        fill(ledger)
        ledger.snapshot()
        balances = ledger.balances()
    change(url, "UPDATE snapshots SET digest = (SELECT digest FROM blocks WHERE block = 1)")
    with Ledger.open(url, clock) as again:
        assert (again.started.snapshot, again.started.replayed) == (None, 11)
        assert len(again.started.passed_over) == 1
        assert again.balances() == balances


def test_a_snapshot_of_another_journal_is_not_used(sqlite_url: str, clock: SetClock) -> None:
    with Ledger.open(sqlite_url, clock) as ledger:
        ledger.post([transfer()])
    database = Database(sqlite_url)
    with database.writing() as connection:
        (row,) = (row for row in snapshots.stored(connection) if row.position == 1)
        found = snapshots.load(connection, row)
        connection.execute(text("DELETE FROM snapshots"))
        other = form.Snapshot(found.kept, found.block, bytes(32))
        octets = form.encoded(other)
        (body,) = form.chunks(octets)
        connection.execute(text("DELETE FROM snapshot_chunks"))
        snapshots.put_chunk(connection, 1, 0, body)
        snapshots.finish(
            connection,
            snapshots.SnapshotRow(1, found.block, row.taken_at, len(octets), 1, form.digest([body])),
        )
    with pytest.raises(DatabaseDamaged, match="is not of block"):
        verify(database)
    database.close()
    with Ledger.open(sqlite_url, clock) as again:
        assert again.started.snapshot is None
        assert "another journal" in again.started.passed_over[0]


@pytest.mark.parametrize(
    ("column", "said"),
    [
        (cells.DEBITS_POSTED, r"partition 3\) has another balance in the snapshot"),
        (cells.RULES, "has other rules or limits than its journal gives"),
        (cells.INCOMING, "has other rules or limits than its journal gives"),
    ],
)
def test_a_changed_snapshot_with_a_good_digest_is_found_by_verify(
    sqlite_url: str, clock: SetClock, column: int, said: str
) -> None:
    with Ledger.open(sqlite_url, clock) as ledger:
        fill(ledger)
    database = Database(sqlite_url)
    with database.writing() as connection:
        row = snapshots.stored(connection)[0]
        found = snapshots.load(connection, row)
        found.kept.accounts[0, column] += 1
        octets = form.encoded(found)
        connection.execute(text("DELETE FROM snapshot_chunks WHERE position = 11"))
        (body,) = form.chunks(octets)
        snapshots.put_chunk(connection, 11, 0, body)
        connection.execute(
            text("UPDATE snapshots SET digest = :digest WHERE position = 11"), {"digest": form.digest([body])}
        )
    with pytest.raises(DatabaseDamaged, match=said):
        verify(database)
    database.close()


def test_a_running_ledger_takes_snapshots_by_itself_and_keeps_two(url: str, clock: SetClock) -> None:
    with Ledger.open(url, clock, snapshot_every=10) as ledger:
        taken, posted = set[int](), 0
        while posted < 300 or (len(taken) <= 2 and posted < 30_000):  # a busy machine takes them late
            ledger.post([transfer()] * 5)
            posted += 5
            taken |= {row.position for row in stored(url)}
            time.sleep(0.005)
        assert len(taken) > 2
        assert ledger.head().position == posted
    assert len(stored(url)) == 2
    with Ledger.open(url, clock) as again:
        assert again.started.snapshot == posted
    verify(Database(url))


def test_what_a_crash_left_of_a_snapshot_is_swept_away(sqlite_url: str, clock: SetClock) -> None:
    with Ledger.open(sqlite_url, clock) as ledger:
        ledger.post([transfer()])

        def leave(tx: Transaction) -> None:
            for ordinal in range(3):
                snapshots.put_chunk(tx.connection, 1, ordinal, b"half")

        ledger.writer.submit(Plain(settle=leave)).result()
        assert ledger.snapshot() == 1
    with Ledger.open(sqlite_url, clock) as again:
        assert (again.started.snapshot, again.started.passed_over) == (1, ())


@pytest.mark.parametrize("byte", range(0, 400, 7))
def test_no_byte_of_a_snapshot_can_change_unseen(byte: int) -> None:
    engine = Engine()
    engine.apply(rows())
    octets = form.encoded(form.Snapshot(engine.keep(), 1, bytes(32)))
    bodies = list(form.chunks(octets))
    assert form.decoded(bodies, form.digest(bodies)).kept.position == 2
    broken = bytearray(octets)
    broken[byte % len(octets)] ^= 1
    with pytest.raises(DatabaseDamaged):
        form.decoded(form.chunks(bytes(broken)), form.digest(bodies))
    stored = bytearray(bodies[0])
    stored[byte % len(stored)] ^= 1 << byte % 8
    with pytest.raises(DatabaseDamaged):
        form.decoded([bytes(stored), *bodies[1:]], form.digest(bodies))


def rows() -> Any:
    return rows_of([transfer(PURSE, OPERATOR, uid=4, tmc=1)] * 2, UnixMs(1), Day(1))


def test_a_start_looks_through_a_small_file_and_verify_through_any(
    sqlite_url: str, clock: SetClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    def looked_through(act: Callable[[Database], object]) -> bool:
        said: list[str] = []
        database = Database(sqlite_url)
        event.listen(database.engine, "before_cursor_execute", lambda *told: said.append(told[2]))
        act(database)
        database.close()
        return any("integrity_check" in statement for statement in said)

    def opened(database: Database) -> None:
        Ledger.open(database, clock).close()

    assert looked_through(opened)
    monkeypatch.setattr(store, "OPENED_BYTES_MAX", 0)
    assert not looked_through(opened)
    assert looked_through(verify)


def test_a_snapshot_that_is_asked_for_among_other_units_is_of_the_end_of_a_block(
    url: str, clock: SetClock
) -> None:
    with Ledger.open(url, clock) as ledger, ThreadPoolExecutor(1) as pool:
        gate = Gate(ledger)
        before = ledger.writer.submit(Ledger.unit([transfer(amount=1)]))
        taken = pool.submit(ledger.snapshot)
        until = time.monotonic() + 60
        while ledger.writer._backlog.coming() < 2 and time.monotonic() < until:
            time.sleep(0.001)
        after = ledger.writer.submit(Ledger.unit([transfer(amount=2)]))
        gate.let_go()
        assert (before.result(60)[0].position, taken.result(60), after.result(60)[0].position) == (1, 1, 2)
        with ledger.database.transaction() as connection:
            (row,) = snapshots.stored(connection)
        assert (row.position, row.block) == (1, 1)
        assert ledger.rebuild_check() == 2
    database = Database(url)
    assert verify(database).snapshot == 2
    database.close()
