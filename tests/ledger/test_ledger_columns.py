"""Transfers and side rows as columns: what a unit hands over at once, the writer writes at once."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import sqlalchemy as sa

from keys.clock import Day, UnixMs
from ledger import journal, tables
from ledger.bulk import binary
from ledger.bulk.gathered import Gathered
from ledger.chain import store
from ledger.chain.store import read_documents
from ledger.errors import AccountUnknown, NotWritten, TransferInvalid, UnitFailed
from ledger.group import GROUP_ROWS_MAX
from ledger.tables import WHOLE
from ledger.transfer import ROW, Flag, Result
from tests.ledger.entries import OPERATOR, WALLET, transfer
from tests.ledger.units import Gate, Plain

if TYPE_CHECKING:
    from collections.abc import Callable

    import numpy.typing as npt

    from ledger.book import Ledger
    from ledger.writer import Transaction


def rows_of(*transfers: Any) -> npt.NDArray[np.void]:
    return journal.rows_of(transfers, UnixMs(1), Day(1))


def body(block: int, bodies: list[bytes]) -> dict[str, Any]:
    """Columns of rows in the table of documents, under a block that the ledger does not use."""
    return {"partition": WHOLE, "block": block, "ordinal": np.arange(len(bodies)), "body": bodies}


def adding(block: int, bodies: list[bytes]) -> Callable[[Transaction], None]:
    return lambda tx: tx.add(tables.documents, body(block, bodies))


def bodies_of(tx: Transaction | None, ledger: Ledger, block: int) -> list[bytes]:
    query = sa.select(tables.documents.c.body).where(tables.documents.c.block == block)
    if tx is not None:
        return [bytes(found) for found in tx.reading.execute(query).scalars()]
    with ledger.database.transaction() as connection:
        return [bytes(found) for found in connection.execute(query).scalars()]


def test_columns_are_posted_as_transfers_one_by_one_are(ledger: Ledger) -> None:
    mixed = [transfer(uid=5, tmc=1), transfer(WALLET, OPERATOR, 5), transfer(amount=7)]
    columns = rows_of(*mixed)
    before = columns.copy()
    posted = ledger.writer.submit(ledger.columns(columns, b"signed")).result()
    assert posted.results.tolist() == [Result.POSTED, Result.EXCEEDS_CREDITS, Result.POSTED]
    assert posted.positions.tolist() == [1, 0, 2]
    assert list(posted) == [*posted[:2], posted[2]]
    assert (columns == before).all()
    one_by_one = ledger.post(mixed)
    assert [one.result for one in one_by_one] == [one.result for one in posted]
    found = ledger.rows()
    times = ["position", "received_at", "business_date"]
    for row in found:
        for name in times:
            row[name] = 0
    assert (found[:2] == found[2:]).all()


@pytest.mark.parametrize(
    ("name", "value", "error"),
    [
        ("debit", 0, AccountUnknown),
        ("credit", 99 << 56, AccountUnknown),
        ("credit", -5, AccountUnknown),
        ("uid", -1, TransferInvalid),
        ("hold", -1, TransferInvalid),
    ],
)
def test_a_bad_value_in_a_column_fails_its_unit_alone(
    file_ledger: Ledger, name: str, value: int, error: type[Exception]
) -> None:
    columns = rows_of(transfer(), transfer())
    columns[name][1] = value
    with pytest.raises(error):
        file_ledger.writer.submit(file_ledger.columns(columns)).result()
    with pytest.raises(TransferInvalid, match="columns of ROW"):
        file_ledger.writer.submit(file_ledger.columns(np.zeros(3, np.int64))).result()
    assert file_ledger.post([transfer()])[0].position == 1


def test_a_link_never_reaches_into_the_next_unit(file_ledger: Ledger) -> None:
    gate = Gate(file_ledger)
    open_ended = file_ledger.writer.submit(file_ledger.columns(rows_of(transfer(flags=Flag.LINKED))))
    after = file_ledger.writer.submit(file_ledger.columns(rows_of(transfer())))
    gate.let_go()
    assert open_ended.result(60)[0].result is Result.LINKED_OPEN
    assert after.result(60)[0].position == 1


def test_units_that_are_applied_together_get_answers_of_their_own(ledger: Ledger) -> None:
    short = rows_of(transfer(WALLET, OPERATOR, 5))
    broken = rows_of(transfer())
    for parts in ([1, 3, 2], [1, 0, 2]):
        gate = Gate(ledger)
        answers = [
            ledger.writer.submit(ledger.columns(rows_of(*[transfer()] * count), b"%d" % count))
            for count in parts
        ]
        refused = ledger.writer.submit(ledger.columns(short))
        if parts[1] == 0:
            broken["debit"] = -1
        last = ledger.writer.submit(ledger.columns(broken))
        gate.let_go()
        found = [answer.result(60).positions.tolist() for answer in answers]
        assert [len(one) for one in found] == parts
        together = [position for one in found for position in one]
        assert together == list(range(together[0], together[0] + sum(parts)))
        assert refused.result(60)[0].result is Result.EXCEEDS_CREDITS
        if parts[1] == 0:
            with pytest.raises(AccountUnknown):
                last.result(60)
        else:
            assert last.result(60).all_posted
        block = ledger.head().block
        with ledger.database.transaction() as connection:
            assert read_documents(connection, block) == [b"%d" % count for count in parts]
    assert ledger.rebuild_check() == 10


def statements_of(ledger: Ledger) -> list[str]:
    """What is said to the database from now on, but for the driver's own bulk statements."""
    said: list[str] = []
    for pool in (ledger.database.engine, ledger.database._writing):
        sa.event.listen(pool, "before_cursor_execute", lambda *told: said.append(told[2]))
        sa.event.listen(pool, "savepoint", lambda *_told: said.append("SAVEPOINT"))
    return said


def test_side_rows_of_all_units_of_a_commit_are_there_and_in_order(ledger: Ledger) -> None:
    gate = Gate(ledger)
    said = statements_of(ledger)
    answers = [
        ledger.writer.submit(Plain([transfer()], settle=adding(900 + at, [b"", b"\0" * at, b"x"])))
        for at in range(5)
    ]
    gate.let_go()
    for answer in answers:
        answer.result(60)
    assert [bodies_of(None, ledger, 900 + at) for at in range(5)] == [
        [b"", b"\0" * at, b"x"] for at in range(5)
    ]
    assert "SAVEPOINT" not in said


def test_a_day_that_begins_with_a_commit_that_fails_begins_with_the_next(ledger: Ledger) -> None:
    twice = body(900, [b"one", b"other"]) | {"ordinal": np.zeros(2, np.int64)}
    with pytest.raises(UnitFailed):
        ledger.writer.submit(Plain([transfer()], settle=lambda tx: tx.add(tables.documents, twice))).result(
            10
        )
    assert ledger.post([transfer()])[0].position == 1


def test_a_unit_that_reads_sees_what_units_before_it_added(ledger: Ledger) -> None:
    seen: list[list[bytes]] = []
    gate = Gate(ledger)
    first = ledger.writer.submit(Plain([transfer()], settle=adding(900, [b"first"])))
    second = ledger.writer.submit(Plain(plan=lambda tx: seen.append(bodies_of(tx, ledger, 900))))
    gate.let_go()
    first.result(60), second.result(10)
    assert seen == [[b"first"]]


def test_a_plan_that_fails_does_not_take_back_what_units_before_it_added(ledger: Ledger) -> None:
    def write_and_fail(tx: Transaction) -> None:
        tx.connection.execute(sa.delete(tables.documents))
        raise KeyError("plan")

    gate = Gate(ledger)
    first = ledger.writer.submit(Plain([transfer()], settle=adding(900, [b"kept"])))
    second = ledger.writer.submit(Plain(plan=write_and_fail))
    gate.let_go()
    first.result(60)
    with pytest.raises(KeyError):
        second.result(60)
    assert bodies_of(None, ledger, 900) == [b"kept"]


def test_rows_are_not_added_by_a_plan(file_ledger: Ledger) -> None:
    with pytest.raises(RuntimeError, match="when a unit is settled"):
        file_ledger.writer.submit(Plain(plan=adding(900, [b"early"]))).result()
    assert bodies_of(None, file_ledger, 900) == []


@pytest.mark.parametrize(
    "columns",
    [
        {"partition": WHOLE, "name": "a"},
        {"partition": WHOLE, "name": ["a", "b"], "value": [1]},
        {"partition": WHOLE, "name": "a", "value": 1, "other": 1},
    ],
)
def test_columns_that_are_not_the_tables_are_refused(columns: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="meta"):
        Gathered().add(tables.meta, columns)


def test_an_integer_too_large_for_its_column_is_refused() -> None:
    with pytest.raises(OverflowError, match="4 bytes"):
        binary.integers(np.array([1 << 31]), 4)
    assert len(np.zeros(0, ROW)) == 0


def test_what_is_no_array_fails_alone_between_units_that_are_applied_together(file_ledger: Ledger) -> None:
    gate, good = Gate(file_ledger), rows_of(transfer())
    given: list[Any] = [good, good, np.zeros((), ROW), good, None, good]
    answers = [file_ledger.writer.submit(file_ledger.columns(one)) for one in given]
    gate.let_go()
    errors = [type(answer.exception(60)) for answer in answers]
    assert errors == [type(None)] * 2 + [TransferInvalid, type(None), TransferInvalid, type(None)]
    assert [answers[at].result()[0].position for at in (0, 1, 3, 5)] == [1, 2, 3, 4]


class Faulty:
    """A unit like those that are applied together, whose answer cannot be made."""

    blind, document = True, b""

    def plan(self, _tx: Transaction) -> Any:
        return rows_of(transfer())

    def settle(self, _posted: Any, _tx: Transaction) -> Any:
        raise KeyError("a fault of ours")


def test_units_that_were_applied_together_with_one_at_fault_hear_of_it_and_nothing_is_left_of_them(
    file_ledger: Ledger,
) -> None:
    gate, good = Gate(file_ledger), file_ledger.columns(rows_of(transfer(amount=5)))
    answers = [file_ledger.writer.submit(unit) for unit in (good, Faulty(), good)]
    gate.let_go()
    assert [type(answer.exception(60)) for answer in answers] == [NotWritten] * 3
    again = [file_ledger.writer.submit(unit) for unit in (good, Faulty(), good)]
    assert [type(answer.exception(60)) for answer in again] == [type(None), UnitFailed, type(None)]
    assert file_ledger.balance(OPERATOR).credits_posted == 10
    assert len(file_ledger.rows()) == 2


def test_no_unit_makes_a_block_that_the_next_start_would_take_for_damage(
    file_ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert store.BLOCK_ROWS_MAX == GROUP_ROWS_MAX + journal.UNIT_ROWS_MAX
    monkeypatch.setattr(journal, "UNIT_ROWS_MAX", 1000)
    most, gate = np.repeat(rows_of(transfer()), 1000), Gate(file_ledger)
    answers = [
        file_ledger.writer.submit(file_ledger.columns(rows))
        for rows in (most, np.append(most, most[:1]), most)
    ]
    gate.let_go()
    assert [type(answer.exception(60)) for answer in answers] == [type(None), TransferInvalid, type(None)]
    assert file_ledger.head().position == 2000
    with pytest.raises(TransferInvalid, match="in parts"):
        file_ledger.post([transfer()] * 1001)
