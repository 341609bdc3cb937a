"""Batches whose commit failed: nothing that was remembered of them stands in the way when they come again."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import pytest

from card.layout import TapKind
from keys.clock import UnixMs, service_day
from ledger.chart import purse
from ledger.enrolment.store import moved_in
from ledger.errors import NotWritten, UnitFailed
from ledger.intake.columnar.counters import Counters
from tests.ledger.units import Gate, Plain

if TYPE_CHECKING:
    from ledger.transaction import Transaction
    from tests.ledger.desk import Scene


def fail(_tx: Transaction) -> None:
    raise KeyError("a fault of ours")


def received_in_vain(scene: Scene, body: bytes) -> None:
    """A batch that is planned and settled in a commit that fails."""
    ledger = scene.city.ledger
    with ThreadPoolExecutor(1) as pool:
        gate = Gate(ledger)
        answer = pool.submit(scene.city.intake.receive, body)
        until = time.monotonic() + 60
        while not ledger.writer._backlog.coming() and time.monotonic() < until:
            time.sleep(0.001)
        failed = ledger.writer.submit(Plain(settle=fail))
        gate.let_go()
        assert isinstance(answer.exception(60), NotWritten)
        assert isinstance(failed.exception(60), UnitFailed)


@pytest.mark.parametrize("before", [0, 2])
def test_law_03_a_batch_whose_commit_failed_is_posted_once_when_it_comes_again(
    scene: Scene, before: int
) -> None:
    card, bus, city = scene.card(loaded=50_000), scene.desk(), scene.city
    for _ in range(before):
        bus.tap(card, TapKind.FARE, 3_500)
        bus.send()
    bus.tap(card, TapKind.FARE, 3_500)
    bus.tap(card, TapKind.FARE, 3_500)
    waits = bus.tap(card, TapKind.FARE, 3_500, confirmed=False)
    body = bus.body()
    head = city.ledger.head()
    received_in_vain(scene, body)
    assert city.ledger.head() == head
    assert city.intake.intents.of(int.from_bytes(card.chip.uid, "big")) == []
    answer = city.intake.receive(body)
    assert [one["result"] for one in answer.results] == ["posted", "posted", "quarantined"]
    assert city.intake.receive(body) == answer
    account, day = purse(card.identity.card_number), service_day(waits.occurred_at)
    assert city.ledger.balance(account).debits_posted == 350_000 * (before + 2)
    with city.ledger.database.transaction() as connection:
        assert city.intake.memory.sum_of(1001, day) == moved_in(connection, 1001, day)
    bus.next_batch(body)
    bus.tap(card, TapKind.FARE, 3_500)
    assert [one["result"] for one in bus.send().results] == ["posted"]
    assert city.ledger.balance(account).debits_posted == 350_000 * (before + 4)  # the one that waited too


def test_law_03_a_tap_that_was_decided_by_itself_is_known_where_taps_are_posted_by_columns(
    scene: Scene,
) -> None:
    card, one, two = scene.card(loaded=50_000), scene.desk(1001), scene.desk(1002)
    one.tap(card, TapKind.FARE, 3_500)
    one.send()
    clone = replace(card, chip=card.chip.clone())
    one.tap(card, TapKind.FARE, 3_500, at=UnixMs(scene.clock.now() - 10 * 60_000))  # its clock went back
    two.tap(clone, TapKind.FARE, 3_500)
    assert [told["result"] for told in one.send().results] == ["posted"]
    assert [told.get("reason") for told in two.send().results] == ["conflict"]
    assert scene.city.ledger.balance(purse(card.identity.card_number)).debits_posted == 2 * 350_000


def test_law_03_a_counter_taken_while_its_cards_are_being_looked_up_is_never_called_free() -> None:
    counters, cards = Counters(), np.array([0, 1], np.int64)
    assert counters.unread(cards).tolist() == [0, 1]
    counters.mark(0, 7)  # a look-up that began before shows 5 yet
    counters.read(cards, np.array([5, 5], np.int64))
    wanted = np.ones(2, np.bool_)
    for tmc, fresh in ((5, [False, False]), (7, [False, True]), (8, [True, True]), (8, [False, False])):
        assert counters.take(cards, np.array([tmc, tmc], np.int64), wanted).tolist() == fresh
