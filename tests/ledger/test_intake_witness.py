"""A witness tells of a torn tap whenever it comes in: after the unconfirmed record, or long before it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from card.batch import Context, RecordStatus, TapRecord
from card.layout import TapKind
from hebat.folder import Folder
from keys.money import Rupiah
from ledger.chart import purse
from ledger.intake.quarantine import store as quarantine
from tests.ledger.desk import Scene, open_scene

if TYPE_CHECKING:
    from pathlib import Path


def witness(torn: TapRecord, sequence: int, tmv: bytes) -> TapRecord:
    """What another terminal sends that merely saw the card afterwards."""
    return TapRecord(
        sequence, RecordStatus.WITNESS, None, torn.uid, 0, b"", b"", Rupiah(0), torn.occurred_at, torn.tmc, tmv, Context()
    )  # fmt: skip


def in_books(scene: Scene, number: int) -> int:
    account = purse(number)
    return scene.city.ledger.balance(account).net(account) // 100


@pytest.mark.parametrize("witness_first", [True, False], ids=["before", "after"])
@pytest.mark.parametrize("honest", [True, False], ids=["a true value", "an invented value"])
def test_a_witness_settles_a_torn_tap_before_or_after_it_came_in(
    scene: Scene, *, witness_first: bool, honest: bool
) -> None:
    card = scene.card(loaded=50_000)
    bus, gate = scene.desk(1001), scene.desk(1002)
    torn = bus.tap(card, TapKind.FARE, 3_500, confirmed=False)
    known = scene.city.registry.card(card.uid)
    assert known is not None
    tmv = scene.city.intake.assessor.tmv_of(known, torn.tmc, torn.tmi)
    gate.add(witness(torn, 1, tmv if honest else bytes(8)))
    for desk in (gate, bus) if witness_first else (bus, gate):
        desk.send()
    assert in_books(scene, card.identity.card_number) == (46_500 if honest else 50_000)
    with scene.city.ledger.database.transaction() as connection:
        (row,) = quarantine.read_quarantine(connection)
        assert row.resolution == ("witnessed" if honest else "")


def test_a_witness_that_came_first_is_remembered_over_a_restart(tmp_path: Path) -> None:
    folder = Folder(tmp_path / "city")
    first = open_scene(folder, fresh=True)
    with first.city:
        card = first.card(loaded=50_000)
        bus, gate = first.desk(1001), first.desk(1002)
        torn = bus.tap(card, TapKind.FARE, 3_500, confirmed=False)
        known = first.city.registry.card(card.uid)
        assert known is not None
        gate.add(witness(torn, 1, first.city.intake.assessor.tmv_of(known, torn.tmc, torn.tmi)))
        gate.send()
        body = bus.body()
    again = open_scene(folder, fresh=False)
    with again.city:
        again.city.intake.receive(body)
        assert in_books(again, card.identity.card_number) == 46_500
