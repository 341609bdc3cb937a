"""The wire to PostgreSQL cut at every message of a commit: what became of it is looked up, and the ledger goes on without a restart."""

from __future__ import annotations

import threading
import time
from contextlib import suppress
from itertools import count
from typing import TYPE_CHECKING, Any, Final

import pytest

from hebat.demo import town
from hebat.progress import Quiet
from hebat.story_clock import StoryClock
from hebat.verifying import verify_folder
from hebat.wiring import City
from keys.clock import SystemClock
from ledger.book import Ledger
from ledger.errors import NotWritten, StorageError
from tests.ledger.crash.traffic import make_traffic, place
from tests.ledger.crash.wire import Cut, Message, Plan, Wire
from tests.ledger.desk import NOON
from tests.ledger.entries import CASH, OPERATOR, PURSE, transfer

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.ledger.crash.cluster import Cluster

CLIENTS: Final = 4


@pytest.fixture
def wire(cluster: Cluster, monkeypatch: pytest.MonkeyPatch) -> Iterator[Wire]:
    """A wire whose ends find each other again in time, on a machine that is busy with something else too."""
    monkeypatch.setattr("ledger.mending.ANSWER_SECONDS_MAX", 60)
    with Wire(cluster) as made:
        yield made


@pytest.fixture
def wired(cluster: Cluster, wire: Wire) -> Iterator[Ledger]:
    """A ledger behind a wire that can be cut, with one transfer in it."""
    with Ledger.open(wire.url(cluster.ledger()), SystemClock()) as ledger:
        ledger.post([transfer(CASH, PURSE, 1_000_000, uid=1, tmc=1)], document=b"first")
        yield ledger


def counters(ledger: Ledger) -> list[int]:
    found: list[int] = ledger.rows()["tmc"].tolist()
    return found


def check_going_on(ledger: Ledger, tmcs: list[int]) -> None:
    """The books are these and whole, the live balances are theirs, and the next transfer is posted behind them."""
    assert counters(ledger) == tmcs
    assert ledger.rebuild_check() == len(tmcs)
    assert ledger.post([transfer(uid=1, tmc=99)])[0].position == len(tmcs) + 1
    assert ledger.rebuild_check() == len(tmcs) + 1


def test_a_commit_whose_answer_is_lost_is_found_and_answered(wire: Wire, wired: Ledger) -> None:
    wire.plan = Plan(Cut.UNANSWERED, wanted=lambda message: message.commits)
    posted = wired.post([transfer(uid=1, tmc=2)], document=b"second")
    assert wire.plan.done.is_set()
    assert [one.position for one in posted] == [2]
    check_going_on(wired, [1, 2])


def test_a_commit_that_never_arrived_is_said_to_be_not_written(wire: Wire, wired: Ledger) -> None:
    wire.plan = Plan(Cut.BEFORE, wanted=lambda message: message.commits)
    with pytest.raises(NotWritten, match="send it again"):
        wired.post([transfer(uid=1, tmc=2)], document=b"second")
    assert wire.plan.done.is_set()
    assert wired.balance(PURSE).debits_posted == 0
    check_going_on(wired, [1])


@pytest.mark.slow
@pytest.mark.parametrize("cut", list(Cut))
def test_the_wire_may_be_cut_at_every_message_of_a_commit(wire: Wire, wired: Ledger, cut: Cut) -> None:
    wire.plan = plan = Plan(cut, at=1 << 30)
    wired.post([transfer(uid=1, tmc=2)], document=b"second")
    messages, books = len(plan.seen), [1, 2]
    assert any(message.commits for message in plan.seen)
    for at in range(1, messages + 1):
        wire.plan = Plan(cut, at)
        tmc = at + 2
        try:
            posted = wired.post([transfer(uid=1, tmc=tmc)], document=b"%d" % tmc)
        except StorageError as error:
            assert isinstance(error, NotWritten)
        else:
            books.append(tmc)
            assert posted[0].position == len(books)
        wire.plan = None
        assert counters(wired) == books, at
    check_going_on(wired, books)


def test_a_database_that_is_away_is_said_to_be_and_the_ledger_goes_on_once_it_is_back(
    cluster: Cluster, wire: Wire, wired: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ledger.mending.ANSWER_SECONDS_MAX", 0.3)
    wire.closed = True
    wire.cut_all()
    with pytest.raises(StorageError) as first:  # while it is away: an answer that comes at all comes in time
        wired.post([transfer(uid=1, tmc=2)])
    with pytest.raises(StorageError, match="goes on by itself"):
        wired.post([transfer(uid=1, tmc=3)])
    assert "Traceback" not in str(first.value)
    assert wired.balance(PURSE).credits_posted == 1_000_000  # readers go on
    wire.closed = False
    posted = patiently(wired, transfer(uid=1, tmc=4))
    assert posted[0].position == 2
    check_going_on(wired, [1, 4])


def patiently(ledger: Ledger, one: Any) -> Any:
    """Post, and again while the database is away."""
    deadline = time.monotonic() + 60
    while True:
        try:
            return ledger.post([one])
        except StorageError:
            assert time.monotonic() < deadline
            time.sleep(0.02)


def test_an_unknown_outcome_is_said_to_be_unknown_while_the_database_is_away(
    wire: Wire, wired: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ledger.mending.ANSWER_SECONDS_MAX", 0.3)

    def close_at_commit(message: Message) -> bool:
        wire.closed = wire.closed or message.commits
        return message.commits

    wire.plan = Plan(Cut.UNANSWERED, wanted=close_at_commit)
    with pytest.raises(StorageError, match="known once it is back"):
        wired.post([transfer(uid=1, tmc=2)])
    wire.closed = False
    assert patiently(wired, transfer(uid=1, tmc=3))[0].position == 3
    check_going_on(wired, [1, 2, 3])


def test_whoever_waits_while_the_wire_is_cut_gets_an_answer_that_the_books_bear_out(
    cluster: Cluster, wire: Wire, wired: Ledger
) -> None:
    answered: dict[int, int] = {}
    refused: set[int] = set()
    stop = threading.Event()

    def client(number: int) -> None:
        for tmc in count(
            1000 + number, CLIENTS
        ):  # without end: on a quick machine a thousand are soon posted
            if stop.is_set():
                return
            try:
                answered[tmc] = wired.post([transfer(CASH, OPERATOR, 5, uid=1, tmc=tmc)])[0].position
            except NotWritten:
                refused.add(tmc)

    clients = [threading.Thread(target=client, args=(number,)) for number in range(CLIENTS)]
    for one in clients:
        one.start()
    for at in range(1, 9):
        wire.plan = Plan(Cut.BEFORE if at % 2 else Cut.UNANSWERED, at)
        assert wire.plan.done.wait(60)
        time.sleep(0.05)
    wire.plan = None
    stop.set()
    for one in clients:
        one.join(60)
        assert not one.is_alive()
    rows = wired.rows()
    found = dict(zip(rows["tmc"].tolist(), rows["position"].tolist(), strict=True))
    assert len(found) == len(rows)
    assert answered.items() <= found.items()
    assert not refused & found.keys()
    assert found.keys() == answered.keys() | {1}
    assert wired.rebuild_check() == len(rows)


@pytest.mark.slow
@pytest.mark.parametrize("cut", list(Cut))
def test_law_03_a_batch_cut_off_at_any_message_and_sent_again_is_posted_once(
    cluster: Cluster, wire: Wire, tmp_path: Path, cut: Cut
) -> None:
    template = cluster.database()
    traffic = make_traffic(tmp_path, 6, template)
    folder = place(traffic.copy(tmp_path / "served"), wire.url(template))
    bodies = [body for together in zip(*traffic.bodies, strict=True) for body in together]
    answers = {}
    with City(folder, town.CONFIGURATION, StoryClock(NOON)) as city:
        city.intake.receive(bodies[0])
        for at, body in enumerate(bodies, 1):
            wire.plan = Plan(cut, at)
            with suppress(StorageError):
                answers[body] = city.intake.receive(body)
            wire.plan = None
            answers.setdefault(body, city.intake.receive(body))
            assert {result["result"] for result in answers[body].results} == {"posted"}
        assert all(city.intake.receive(body) == answer for body, answer in answers.items())
    evidence = verify_folder(folder, Quiet()).evidence
    assert evidence is not None
    assert evidence.taps == traffic.taps
