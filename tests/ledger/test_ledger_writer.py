"""The writer: group commit, what fails alone, what stops it, and what it says to whom."""

from __future__ import annotations

import gc
import threading
from typing import TYPE_CHECKING, Any

import pytest
from sqlalchemy import text

from ledger import backlog, group
from ledger.book import Ledger
from ledger.chain.store import last_block, read_documents
from ledger.errors import (
    AccountUnknown,
    LedgerStopped,
    NotWritten,
    Overloaded,
    StorageError,
    TransferInvalid,
    UnitFailed,
)
from ledger.gathering import Gathering
from ledger.store import Database
from ledger.tables import WHOLE, meta
from ledger.transfer import Flag, Freshness, Result
from ledger.verify import verify
from tests.ledger.entries import OPERATOR, PURSE, WALLET, SetClock, transfer
from tests.ledger.units import Gate, Plain

if TYPE_CHECKING:
    from collections.abc import Callable

    from ledger.transfer import Transfer
    from ledger.writer import Transaction


def refuse(error: Exception) -> Callable[[Transaction], Any]:
    def plan(_tx: Transaction) -> None:
        raise error

    return plan


def blocks_of(ledger: Ledger) -> int:
    return ledger.head().block


def test_posted_transfers_have_positions_and_refused_ones_have_none(ledger: Ledger) -> None:
    posted = ledger.post([transfer(), transfer(WALLET, OPERATOR, 5), transfer()])
    assert [(one.result, one.position) for one in posted] == [
        (Result.POSTED, 1),
        (Result.EXCEEDS_CREDITS, 0),
        (Result.POSTED, 2),
    ]
    assert ledger.rows()["position"].tolist() == [1, 2]
    assert ledger.trial_balance().debits == ledger.trial_balance().credits == 700_000


def test_law_04_an_answer_means_durable(ledger: Ledger) -> None:
    ledger.post([transfer()], document=b"signed")
    # Another connection sees only what is committed.
    other = Database(ledger.database.url.render_as_string(hide_password=False))
    with other.transaction() as connection:
        block = last_block(connection)
        assert block is not None
        assert (block.rows, block.last_position) == (1, 1)
        assert read_documents(connection, block.block) == [b"signed"]
    other.close()


def test_law_04_a_reader_does_not_see_what_is_not_committed(file_ledger: Ledger) -> None:
    seen: list[int] = []

    def look(tx: Transaction) -> None:
        seen.append(tx.balance(PURSE).debits_posted)
        seen.append(file_ledger.balance(PURSE).debits_posted)

    file_ledger.writer.submit(Plain([transfer(amount=9)], settle=look)).result()
    assert seen == [9, 0]
    assert file_ledger.balance(PURSE).debits_posted == 9


def test_units_that_wait_together_are_committed_together(file_ledger: Ledger) -> None:
    gate = Gate(file_ledger)
    answers = [file_ledger.writer.submit(Plain([transfer()], document=b"%d" % at)) for at in range(5)]
    gate.let_go()
    positions = [answer.result(60)[0].position for answer in answers]
    assert positions == [1, 2, 3, 4, 5]
    assert blocks_of(file_ledger) == 1
    with file_ledger.database.transaction() as connection:
        assert read_documents(connection, 1) == [b"0", b"1", b"2", b"3", b"4"]


def test_a_unit_sees_what_units_before_it_did(file_ledger: Ledger) -> None:
    looks: list[tuple[int, Freshness, int, int]] = []

    def look(tx: Transaction) -> None:
        fresh = tx.freshness(uid=0x0401, tmc=7)
        looks.append((tx.balance(PURSE).debits_posted, fresh, tx.next_position, tx.ordinal))

    gate = Gate(file_ledger)
    first = file_ledger.writer.submit(
        Plain([transfer(amount=4, uid=0x0401, tmc=7)], plan=look, document=b"a")
    )
    second = file_ledger.writer.submit(Plain(plan=look))
    gate.let_go()
    first.result(60), second.result(10)
    assert looks == [(0, Freshness.FRESH, 1, 0), (4, Freshness.SEEN, 2, 1)]


def test_a_plan_that_fails_fails_alone_and_takes_back_what_it_wrote(ledger: Ledger) -> None:
    def write_and_fail(tx: Transaction) -> None:
        tx.connection.execute(text("DELETE FROM meta"))
        raise KeyError("plan")

    gate = Gate(ledger)
    good = ledger.writer.submit(Plain([transfer()]))
    bad = ledger.writer.submit(Plain([transfer()], plan=write_and_fail))
    after = ledger.writer.submit(Plain([transfer()]))
    gate.let_go()
    with pytest.raises(KeyError):
        bad.result(60)
    assert [good.result(60)[0].position, after.result(10)[0].position] == [1, 2]
    ledger.database.check()
    assert blocks_of(ledger) == 1


@pytest.mark.parametrize(
    ("broken", "error"),
    [
        (transfer(debit=0), AccountUnknown),  # type: ignore[arg-type]
        (transfer(credit=(99 << 56)), AccountUnknown),  # type: ignore[arg-type]
        (transfer(amount=2**63), TransferInvalid),
        (transfer(uid=-1), TransferInvalid),
        (transfer(hold=-1, flags=Flag.POST_PENDING), TransferInvalid),
    ],
)
def test_a_transfer_that_no_row_can_hold_fails_its_unit_alone(
    file_ledger: Ledger, broken: Transfer, error: type[Exception]
) -> None:
    with pytest.raises(error):
        file_ledger.post([transfer(), broken])
    assert file_ledger.post([transfer()])[0].position == 1


def test_a_refusal_too_waits_for_the_commit_it_may_rest_on(file_ledger: Ledger) -> None:
    gate = Gate(file_ledger)
    bad = file_ledger.writer.submit(Plain(plan=refuse(KeyError("known already"))))
    poison = file_ledger.writer.submit(Plain(settle=refuse(OSError("disk"))))
    gate.let_go()
    with pytest.raises(UnitFailed):
        poison.result(60)
    with pytest.raises(NotWritten):
        bad.result(60)


def test_a_fault_in_one_unit_fails_it_alone_and_the_ledger_goes_on(url: str, clock: SetClock) -> None:
    poison = Plain([transfer(amount=5)], settle=refuse(KeyError("a fault")), document=b"poison")
    with Ledger.open(url, clock) as ledger:
        ledger.post([transfer(amount=3)])
        gate = Gate(ledger)
        before = ledger.writer.submit(Plain([transfer(amount=7)]))
        failed = ledger.writer.submit(poison)
        waiting = [ledger.writer.submit(Plain([transfer(amount=11)])) for _ in range(3)]
        gate.let_go()
        with pytest.raises(UnitFailed, match="a fault"):
            failed.result(60)
        with pytest.raises(NotWritten, match="send it again"):
            before.result(60)
        assert [answer.result(60)[0].position for answer in waiting] == [2, 3, 4]
        assert ledger.balance(PURSE).debits_posted == 36
        # The same bytes again cost nothing; what was told to send again may.
        head = ledger.head()
        with pytest.raises(UnitFailed, match="a fault"):
            ledger.writer.submit(poison).result(60)
        assert ledger.head() == head
        assert ledger.post([transfer(amount=7)])[0].position == 5
        assert ledger.rebuild_check() == 5
    verify(Database(url))


def test_a_row_that_the_database_refuses_costs_others_one_more_try_at_most(url: str, clock: SetClock) -> None:
    with Ledger.open(url, clock) as ledger:
        ledger.writer.submit(Plain([transfer()], settle=_row_of(WHOLE))).result(60)
    assert_costs_one_more_try(url, clock, Plain([transfer()], settle=_row_of(WHOLE), document=b"twice"))


def test_a_value_too_large_for_its_column_costs_others_one_more_try_at_most(
    postgres_url: str, clock: SetClock
) -> None:
    # Rows for PostgreSQL are laid out before the connection is at hand, by the thread that prepares.
    assert_costs_one_more_try(
        postgres_url, clock, Plain([transfer()], settle=_row_of(1 << 40), document=b"large")
    )


def _row_of(partition: int) -> Callable[[Transaction], None]:
    return lambda tx: tx.add(meta, {"partition": partition, "name": ["twice"], "value": [1]})


def assert_costs_one_more_try(url: str, clock: SetClock, poison: Plain) -> None:
    """The second time nobody beside it is told to come again."""
    with Ledger.open(url, clock) as ledger:
        for _ in range(2):
            gate = Gate(ledger)
            failed = ledger.writer.submit(poison)
            others = [ledger.writer.submit(Plain([transfer()])) for _ in range(3)]
            gate.let_go()
            results = [other.exception(10) for other in others]
        assert results == [None, None, None]
        assert isinstance(failed.exception(10), UnitFailed)
        assert ledger.rebuild_check() == len(ledger.rows())
    verify(Database(url))


def test_units_that_remember_are_told_to_forget_what_was_not_written(file_ledger: Ledger) -> None:
    forgotten: list[int] = []
    file_ledger.writer.standing.undone.append(lambda: forgotten.append(file_ledger.head().position))
    file_ledger.post([transfer()])
    assert forgotten == []
    with pytest.raises(UnitFailed):
        file_ledger.writer.submit(Plain([transfer()], settle=refuse(KeyError("a fault")))).result(60)
    assert forgotten == [1]


def test_a_full_queue_is_said_early(
    sqlite_url: str, clock: SetClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(backlog, "QUEUE_MAX", 2)
    with Ledger.open(sqlite_url, clock) as ledger:
        gate = Gate(ledger)
        accepted = [ledger.writer.submit(Plain([transfer()])) for _ in range(2)]
        with pytest.raises(Overloaded, match="2 units are waiting"):
            ledger.writer.submit(Plain([transfer()]))
        gate.let_go()
        assert [answer.result(60)[0].position for answer in accepted] == [1, 2]


def test_a_caller_that_gives_up_waiting_harms_nobody(file_ledger: Ledger) -> None:
    gate = Gate(file_ledger)
    given_up = file_ledger.writer.submit(Plain([transfer()]))
    after = file_ledger.writer.submit(Plain([transfer()]))
    assert given_up.cancel()
    gate.let_go()
    assert after.result(60)[0].position == 1
    assert file_ledger.post([transfer()])[0].position == 2


def test_closing_finishes_what_was_accepted(sqlite_url: str, clock: SetClock) -> None:
    ledger = Ledger.open(sqlite_url, clock)
    gate = Gate(ledger)
    answers = [ledger.writer.submit(Plain([transfer()])) for _ in range(300)]
    gate.let_go()
    ledger.close()
    assert [answer.result(0)[0].position for answer in answers] == list(range(1, 301))
    with pytest.raises(LedgerStopped, match="shutting down"):
        ledger.post([transfer()])
    ledger.close()


def test_a_commit_takes_no_more_than_its_limit(
    sqlite_url: str, clock: SetClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(group, "GROUP_ROWS_MAX", 10)
    with Ledger.open(sqlite_url, clock) as ledger:
        gate = Gate(ledger)
        answers = [ledger.writer.submit(Plain([transfer()] * 4)) for _ in range(6)]
        gate.let_go()
        assert [answer.result(60)[-1].position for answer in answers] == [4, 8, 12, 16, 20, 24]
        assert [len(ledger.rows()), blocks_of(ledger)] == [24, 2]


def test_a_locked_database_costs_the_units_and_not_the_ledger(sqlite_url: str, clock: SetClock) -> None:
    database = Database(sqlite_url)
    with Ledger.open(sqlite_url, clock) as ledger:
        with ledger.database.writing() as connection:
            connection.exec_driver_sql(
                "PRAGMA busy_timeout=50"
            )  # this connection goes back to the writer's pool
        with database.writing(), pytest.raises(StorageError, match="locked") as caught:
            ledger.post([transfer()])
        assert not isinstance(caught.value, LedgerStopped)
        assert ledger.post([transfer()])[0].position == 1
    database.close()


def test_others_may_write_between_a_units_reads_and_its_commit(file_ledger: Ledger) -> None:
    """A registration in another thread must not make the writer's snapshot stale, and so stop it."""
    started, failures = threading.Event(), []

    def register() -> None:
        started.wait(60)
        try:
            with file_ledger.database.transaction() as connection:
                connection.execute(text("INSERT INTO meta VALUES (0, 'other', 1)"))
        except StorageError as error:
            failures.append(error)

    def read(tx: Transaction) -> None:
        tx.connection.execute(text("SELECT count(*) FROM meta")).scalar()
        started.set()
        thread.join(0.2)

    thread = threading.Thread(target=register)
    thread.start()
    answer = file_ledger.writer.submit(Plain([transfer()], plan=read))
    assert answer.result(60)[0].position == 1
    thread.join(60)
    assert failures == []


def test_blocks_never_run_behind_time(sqlite_url: str, clock: SetClock) -> None:
    with Ledger.open(sqlite_url, clock) as ledger:
        ledger.post([transfer()])
        clock.at = type(clock.at)(clock.at - 60_000)
        ledger.post([transfer()])
        received = ledger.rows()["received_at"].tolist()
    assert received[0] == received[1]


def test_a_refused_transfer_names_no_account(file_ledger: Ledger) -> None:
    file_ledger.post([transfer(WALLET, OPERATOR, 5)])
    assert file_ledger.balances() == {}


def test_what_a_commit_held_goes_with_it_and_not_when_the_garbage_collector_comes(ledger: Ledger) -> None:
    gc.collect()
    gc.disable()
    try:
        for _ in range(20):
            ledger.post([transfer()])
        left = sum(isinstance(one, group.Group) for one in gc.get_objects())
    finally:
        gc.enable()
    assert left <= 2  # the last one, and the one that is prepared


def test_a_writer_that_fails_outside_of_any_commit_leaves_nobody_waiting(
    ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its thread would end, and whoever asks wait for ever."""
    ledger.post([transfer()])

    def fault(_gathering: Gathering, *_given: object) -> float:
        raise RuntimeError("a fault of this software")

    monkeypatch.setattr(Gathering, "wait", fault)
    answer = ledger.writer.submit(Plain([transfer()]))
    with pytest.raises(LedgerStopped, match="the writer itself failed"):
        answer.result(60)
    assert ledger.writer.stopped
    with pytest.raises(LedgerStopped, match="restart the ledger"):
        ledger.post([transfer()])
    assert len(ledger.rows()) == 1
