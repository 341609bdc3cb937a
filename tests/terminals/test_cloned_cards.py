"""A copy of a card at the terminal that waits for the original: what the original may have paid is not given up for it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from card.batch import RecordStatus
from terminals.tap import Colour
from tests.terminals.depot import PLACE, Clock, Ledger, card

if TYPE_CHECKING:
    from keys.filevault import FileVault
    from terminals.terminal import Terminal


def test_a_copy_with_an_older_counter_does_not_void_what_the_card_has_paid(
    bus: Terminal, vault: FileVault, clock: Clock, ledger: Ledger
) -> None:
    chip, copy = card(vault), card(vault)
    assert bus.fare(chip, PLACE).colour is Colour.GREEN
    clock.wait(86_400)
    chip.tear(12, acts=True)
    assert bus.fare(chip, PLACE).colour is Colour.AMBER
    assert bus.fare(copy, PLACE).colour is Colour.GREEN
    assert bus.upload().sent == 3
    told = [(one.status, one.tmc, one.amount) for one in ledger.records()]
    assert told[1] == (RecordStatus.UNCONFIRMED, 2, -3_500)
    assert [one[0] for one in told] == [
        RecordStatus.CONFIRMED,
        RecordStatus.UNCONFIRMED,
        RecordStatus.CONFIRMED,
    ]
