"""A gate: in with the most that a ride may cost, out with its fare and what is given back."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from keys.rights import TerminalRole
from terminals.errors import NotSold
from terminals.opening import Opened
from terminals.roles.choosing import panel_of
from terminals.roles.gate import Gate
from terminals.roles.validator import Validator
from terminals.terminal import Terminal
from tests.terminals.depot import card, value_of
from tests.terminals.zones import place, zonal

if TYPE_CHECKING:
    from keys.filevault import FileVault
    from tests.terminals.depot import Clock

ZONES = zonal(gated=frozenset({"city"}))


def test_a_gate_says_the_most_on_the_way_in_and_the_fare_and_the_rest_on_the_way_out(
    bus: Terminal, clock: Clock, vault: FileVault
) -> None:
    terminal, rider = Terminal(replace(bus._parts, tariff=ZONES)), card(vault)
    way_in, way_out = Gate(terminal, place(1, 1)), Gate(terminal, place(3, 1), exits=True)
    assert (way_in.idle().word, way_out.idle().word) == ("hold-card-in", "hold-card-out")
    entered = way_in.card(rider)
    assert (entered.word, entered.amount, entered.balance) == ("gone-in", None, 50_000)
    assert [(row.word, row.amount) for row in entered.rows] == [("fare-at-most", 9_000)]
    clock.wait(1_800)
    left = way_out.card(rider)
    assert (left.word, left.amount, left.balance) == ("gone-out", 5_000, 45_000)
    assert [(row.word, row.amount) for row in left.rows] == [("given-back", 4_000)]
    assert value_of(rider) == 45_000
    assert way_in.press("turn", "").word == "hold-card-out"
    with pytest.raises(NotSold):
        way_in.press("sale", "")


def test_the_tariff_says_whether_a_validator_is_a_gate(bus: Terminal) -> None:
    gated = Terminal(replace(bus._parts, tariff=ZONES))
    made = panel_of(Opened(gated, TerminalRole.VALIDATOR, (1,)), exits=True)
    assert isinstance(made, Gate)
    assert made.idle().word == "hold-card-out"
    assert isinstance(panel_of(Opened(bus, TerminalRole.VALIDATOR, (1,))), Validator)
