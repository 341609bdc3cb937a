"""A card past its date: nothing is taken from it and nothing is put onto it, whatever the terminal is for."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from card.layout import AID, File
from card.personalise import personalise
from card.virtual import VirtualCard
from keys.clock import Day, service_day
from keys.money import Rupiah
from terminals.tap import Colour
from tests.terminals.depot import IDENTITY, PLACE, START, Clock, Ledger, Server, terminal, value_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from keys.filevault import FileVault
    from terminals.tap import Outcome
    from terminals.terminal import Terminal

FLOWS: dict[str, Callable[[Terminal, VirtualCard], Outcome]] = {
    "fare": lambda bus, chip: bus.fare(chip, PLACE),
    "tap in": lambda bus, chip: bus.tap_in(chip, PLACE),
    "sale": lambda bus, chip: bus.sale(chip, Rupiah(1_000)),
}


@pytest.fixture
def bus(tmp_path: Path, shared_vault: FileVault, still: Clock, ledger: Ledger) -> Iterator[Terminal]:
    server = Server(ledger)
    with terminal(tmp_path, shared_vault, still, ledger, server.address) as made:
        yield made
    server.close()


def valid_until(vault: FileVault, day: Day) -> VirtualCard:
    chip = VirtualCard(bytes([4, 0, 0, 0, 0, 0, 9]))
    personalise(chip, vault, replace(IDENTITY, valid_until=day))
    chip.applications[AID].files[File.PURSE].value = 50_000
    return chip


@pytest.mark.parametrize("flow", FLOWS)
def test_a_card_past_its_date_is_red_and_keeps_its_value(
    flow: str, bus: Terminal, shared_vault: FileVault
) -> None:
    chip = valid_until(shared_vault, Day(service_day(START) - 1))
    outcome = FLOWS[flow](bus, chip)
    assert (outcome.colour, outcome.reason) == (Colour.RED, "expired")
    assert "exchange it at a counter" in outcome.detail
    assert value_of(chip) == 50_000


@pytest.mark.parametrize("flow", FLOWS)
def test_a_cards_last_day_is_a_whole_day(flow: str, bus: Terminal, shared_vault: FileVault) -> None:
    chip = valid_until(shared_vault, service_day(START))
    assert FLOWS[flow](bus, chip).colour is Colour.GREEN
