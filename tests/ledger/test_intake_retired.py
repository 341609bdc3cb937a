"""A Transaction MAC key that was retired while a card still had it: the tap is kept with its reason, and stops nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING

from card.layout import TapKind
from hebat.folder import Folder
from keys.vault import Role
from ledger.intake.reasons import Reason
from tests.ledger.desk import open_scene

if TYPE_CHECKING:
    from pathlib import Path


def test_law_06_a_tap_under_a_retired_key_is_kept_and_its_batch_goes_on(tmp_path: Path) -> None:
    scene = open_scene(Folder(tmp_path / "city"), fresh=True)
    with scene.city as city:
        card = scene.card(loaded=50_000)
        bus = scene.desk(1001)
        bus.tap(card, TapKind.FARE, 3_500)
        city.vault.add_master(Role.TRANSACTION_MAC, 2, bytes(range(16)))
        city.vault.retire(Role.TRANSACTION_MAC, 1)
        (result,) = bus.send().results
        assert (result["result"], result["reason"]) == ("quarantined", Reason.TMV_WRONG)
        newer = scene.card()
        bus.tap(newer, TapKind.FARE, 0)
        assert bus.send().results[0]["result"] == "posted"
