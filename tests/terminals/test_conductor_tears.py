"""A card that leaves a conductor's handheld too early: the same button holds when it comes again, and nothing else is taken from it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from terminals.errors import InputWrong
from terminals.roles.conductor import Conductor
from terminals.roles.panel import amount_of
from terminals.screen.board import Tone
from tests.terminals.depot import PLACE, card, value_of

if TYPE_CHECKING:
    from card.virtual import VirtualCard
    from keys.filevault import FileVault
    from terminals.terminal import Terminal

VALUE = 50_000
FARE = 3_500


def torn(chip: VirtualCard, exchange: int, *, acts: bool = False) -> VirtualCard:
    chip.tear(exchange, acts=acts)
    return chip


@pytest.mark.parametrize("exchange", range(1, 6))
def test_a_card_torn_while_it_is_inspected_is_inspected_when_it_comes_again_and_pays_nothing(
    exchange: int, bus: Terminal, vault: FileVault
) -> None:
    handheld, chip = Conductor(bus, PLACE), card(vault)
    handheld.press("inspect", "")
    assert handheld.card(torn(chip, exchange)).word == "tap-again"
    assert handheld.idle().word == "hold-card-inspect"
    assert handheld.card(chip).word == "not-paid-here"
    assert value_of(chip) == VALUE
    assert handheld.card(chip).tone is Tone.GREEN  # and the next card is a fare again
    assert value_of(chip) == VALUE - FARE


@pytest.mark.parametrize("exchange", range(1, 13))
@pytest.mark.parametrize("acts", [False, True])
def test_a_companions_fare_that_was_torn_is_taken_once_and_as_a_companions(
    exchange: int, acts: bool, bus: Terminal, vault: FileVault
) -> None:
    handheld, chip = Conductor(bus, PLACE), card(vault)
    assert handheld.card(chip).tone is Tone.GREEN
    handheld.press("companion", "")
    assert handheld.card(torn(chip, exchange, acts=acts)).word == "tap-again"
    board = handheld.card(chip)
    assert (board.tone, board.amount, value_of(chip)) == (Tone.GREEN, FARE, VALUE - 2 * FARE)
    assert handheld.card(chip).word == "passback"


def test_an_amount_is_no_more_than_the_most_however_many_noughts_stand_before_it() -> None:
    assert amount_of("000.005.000") == 5_000
    for typed in ("000000005000" + 8 * "9", "0" * 5_000 + "5", "20000001", "0", ""):
        with pytest.raises(InputWrong):
            amount_of(typed)
