"""A terminal that lost a batch, or a ledger that was put back, blocks nobody for ever: what comes is taken after a while, and shown."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from card.layout import TapKind
from keys.clock import UnixMs
from ledger.errors import BatchConflict, BatchOutOfOrder
from ledger.intake.batch_unit import PATIENCE_MS
from ledger.intake.quarantine import store as quarantine
from ledger.intake.reasons import ExceptionKind

if TYPE_CHECKING:
    from tests.ledger.desk import Desk, Scene


def behind_a_gap(desk: Desk) -> None:
    desk.first = desk.sequence = 5


def on_another_chain(desk: Desk) -> None:
    desk.previous = bytes([1]) * 32


@pytest.mark.parametrize("broken", [behind_a_gap, on_another_chain], ids=["a gap", "another chain"])
def test_law_06_a_batch_out_of_order_waits_a_while_and_is_taken_and_shown(
    scene: Scene, broken: object
) -> None:
    assert callable(broken)
    card, desk = scene.card(loaded=50_000), scene.desk()
    broken(desk)
    desk.tap(card, TapKind.FARE, 3_500)
    first, body, begun = desk.first, desk.body(), scene.clock.now()
    for minutes in (0, 14):
        scene.clock.move_to(UnixMs(begun + minutes * 60_000))
        with pytest.raises(BatchOutOfOrder, match="in 15 minutes, it is taken"):
            scene.city.intake.receive(body)
    scene.clock.move_to(UnixMs(begun + PATIENCE_MS))
    answer = scene.city.intake.receive(body)
    assert [result["result"] for result in answer.results] == ["posted"]
    assert scene.city.intake.receive(body) == answer
    desk.next_batch(body)
    desk.tap(card, TapKind.FARE, 3_500)
    assert desk.send().results[0]["result"] == "posted"
    with scene.city.ledger.database.transaction() as connection:
        shown = [
            row for row in quarantine.read_exceptions(connection) if row.kind is ExceptionKind.CHAIN_BROKEN
        ]
    assert [(row.terminal, row.sequence) for row in shown] == [(desk.number, first)]


def test_numbers_that_were_taken_are_never_given_to_other_records_however_long_they_wait(
    scene: Scene,
) -> None:
    card, desk = scene.card(loaded=50_000), scene.desk()
    desk.tap(card, TapKind.FARE, 3_500)
    desk.send()
    desk.first = desk.sequence = 1
    desk.tap(card, TapKind.FARE, 3_500)
    body = desk.body()
    for _ in range(2):
        with pytest.raises(BatchConflict):
            scene.city.intake.receive(body)
        scene.clock.move_to(UnixMs(scene.clock.now() + 2 * PATIENCE_MS))
