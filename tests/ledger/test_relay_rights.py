"""Who may ask the ledger to load a card: a kiosk, and no other terminal, whatever it signs."""

from __future__ import annotations

from typing import TYPE_CHECKING

import cbor2
import pytest

from card.batch import LOAD_CONTENT_TYPE
from keys import envelope
from keys.rights import TerminalRole
from ledger.errors import BatchMalformed, LoadRefused, TerminalUnknown
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


@pytest.mark.parametrize("octets", [0, 4, 6, 8, 9, 300])
def test_a_uid_of_another_length_than_a_cards_is_refused_before_it_is_looked_up(
    scene: Scene, octets: int
) -> None:
    """A number of 300 bytes is none that a database has a column for."""
    kiosk = scene.desk(3201, TerminalRole.KIOSK, 701)
    asked = cbor2.dumps([bytes([0xFF]) * octets, 20_000, 1, scene.clock.now()], canonical=True)
    with pytest.raises(BatchMalformed, match="UID of a load request has 7 bytes"):
        scene.city.desk.begin(kiosk.seal(asked, LOAD_CONTENT_TYPE))


@pytest.mark.parametrize("amount", [(1 << 62) - 1, 1 << 57, 92_233_720_368_547_759])
def test_an_amount_that_no_account_can_hold_is_refused(scene: Scene, amount: int) -> None:
    """In sen it is more than 64 bits."""
    card, kiosk = scene.card(), scene.desk(3202, TerminalRole.KIOSK, 701)
    asked = cbor2.dumps([card.chip.uid, amount, 1, scene.clock.now()], canonical=True)
    with pytest.raises(LoadRefused):
        scene.city.desk.begin(kiosk.seal(asked, LOAD_CONTENT_TYPE))
    assert books(scene, card) == (0, 0)


@pytest.mark.parametrize("kid", [b"\xff" * 64, b"\xff" * 8, b"\x7f" + b"\xff" * 7, b"\xff" * 4])
def test_a_key_number_that_no_terminal_has_is_refused(scene: Scene, kid: bytes) -> None:
    kiosk = scene.desk(3203, TerminalRole.KIOSK, 701)
    asked = cbor2.dumps([scene.card().chip.uid, 20_000, 1, scene.clock.now()], canonical=True)
    signed = envelope.parse(kiosk.seal(asked, LOAD_CONTENT_TYPE))
    other = envelope.seal(signed.payload, kid=kid, sign=lambda _: bytes(64), content_type=LOAD_CONTENT_TYPE)
    with pytest.raises(TerminalUnknown, match="not enrolled"):
        scene.city.desk.begin(other)
