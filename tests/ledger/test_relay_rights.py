"""Who may ask the ledger to load a card: a kiosk, and no other terminal, whatever it signs."""

from __future__ import annotations

from typing import TYPE_CHECKING

import cbor2
import pytest

from card.batch import LOAD_CONTENT_TYPE
from keys.rights import TerminalRole
from ledger.errors import LoadRefused
from tests.ledger.test_relay import books

if TYPE_CHECKING:
    from tests.ledger.desk import Scene


@pytest.mark.parametrize("role", [role for role in TerminalRole if role is not TerminalRole.KIOSK])
def test_a_terminal_that_is_no_kiosk_loads_nothing(scene: Scene, role: TerminalRole) -> None:
    card, desk = scene.card(), scene.desk(1501, role, 502)
    asked = cbor2.dumps([card.chip.uid, 20_000, 1, scene.clock.now()], canonical=True)
    with pytest.raises(LoadRefused, match="only a kiosk may load"):
        scene.city.desk.begin(desk.seal(asked, LOAD_CONTENT_TYPE))
    assert (card.chip_balance, books(scene, card)) == (0, (0, 0))
