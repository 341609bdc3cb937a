"""A card that leads phones to an address: asked for when it is made, and refused where it cannot be."""

from __future__ import annotations

from typing import TYPE_CHECKING

from card import ndef
from card.virtual import Generation, VirtualCard
from tests.hebat.card_desk import UID, Desk, one_sentence

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.hebat.card_desk import Ran

pytest_plugins = ["tests.hebat.card_desk_fixtures"]

ADDRESS = "https://kartu.example/t"


def test_a_phone_is_led_to_the_address_that_the_card_was_made_with(
    desk: Desk, hebat: Callable[..., Ran], folder: Path
) -> None:
    card = VirtualCard(UID)
    desk.cards = [card]
    assert hebat("personalise", "--data", folder, "--tap-address", ADDRESS).code == 0
    assert ndef.read_address(card) != ndef.read_address(card)


def test_an_address_that_a_card_cannot_hold_is_refused(
    desk: Desk, hebat: Callable[..., Ran], folder: Path
) -> None:
    desk.cards = [VirtualCard(UID, generation=Generation.EV2)]
    assert "take an EV3" in one_sentence(hebat("personalise", "--data", folder, "--tap-address", ADDRESS))
    told = one_sentence(hebat("personalise", "--data", folder, "--tap-address", "http://kartu.example"))
    assert "is https://" in told
