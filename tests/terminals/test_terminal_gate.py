"""A gate: in with the most that a ride may cost, out with its fare and what is given back."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from card.layout import AID, File
from keys.rights import TerminalRole
from terminals.errors import NotSold
from terminals.opening import Opened
from terminals.roles.choosing import panel_of
from terminals.roles.gate import Gate
from terminals.roles.validator import Validator
from terminals.screen.board import Tone
from terminals.terminal import Terminal
from tests.terminals.depot import card, value_of
from tests.terminals.zones import place, zonal

if TYPE_CHECKING:
    from keys.filevault import FileVault
    from terminals.screen.board import Board
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


Rows = list[tuple[str, int | None]]


def rows(board: Board) -> Rows:
    return [(row.word, row.amount) for row in board.rows]


@pytest.fixture
def gates(bus: Terminal) -> tuple[Gate, Gate]:
    """A way in at the first stop, and a way out at the third."""
    terminal = Terminal(replace(bus._parts, tariff=ZONES))
    return Gate(terminal, place(1, 1)), Gate(terminal, place(3, 1), exits=True)


def test_whoever_did_not_tap_in_pays_the_dearest_ride_to_here_and_is_told_why(
    gates: tuple[Gate, Gate], vault: FileVault
) -> None:
    rider = card(vault)
    left = gates[1].card(rider)
    assert (left.word, left.tone, left.amount, value_of(rider)) == ("gone-out", Tone.GREEN, 5_000, 45_000)
    assert rows(left) == [("missing-tap-in", 5_000)]


@pytest.mark.parametrize(("minutes", "fare"), [(14, 0), (15, 3_000)])
def test_out_where_one_came_in_is_free_for_some_minutes_and_all_of_the_most_is_given_back(
    gates: tuple[Gate, Gate], vault: FileVault, clock: Clock, minutes: int, fare: int
) -> None:
    rider, same_stop = card(vault), gates[0]
    same_stop.card(rider)
    clock.wait(60 * minutes)
    same_stop.press("turn", "")
    left = same_stop.card(rider)
    assert (left.word, left.amount, value_of(rider)) == ("gone-out", fare, 50_000 - fare)
    assert rows(left) == [("given-back", 9_000 - fare)]


def test_whoever_did_not_tap_out_pays_the_most_at_the_next_tap_in_and_is_told_why(
    gates: tuple[Gate, Gate], vault: FileVault, clock: Clock
) -> None:
    rider, (way_in, way_out) = card(vault), gates
    way_in.card(rider)
    clock.wait(3_600)
    entered = way_in.card(rider)
    assert (entered.word, entered.amount, value_of(rider)) == ("gone-in", 9_000, 41_000)
    assert rows(entered) == [("fare-at-most", 9_000), ("missing-tap-out", 9_000)]
    clock.wait(1_800)
    assert rows(way_out.card(rider)) == [("given-back", 4_000)]
    again = way_out.card(rider)
    assert (again.word, again.tone, value_of(rider)) == ("passback", Tone.RED, 36_000)


def test_a_card_that_holds_too_little_for_its_ride_is_told_at_the_way_out_and_let_out_once_it_is_loaded(
    gates: tuple[Gate, Gate], vault: FileVault, clock: Clock
) -> None:
    rider, (way_in, way_out) = card(vault, 4_999), gates
    assert way_in.card(rider).word == "gone-in"
    clock.wait(1_800)
    assert (way_out.card(rider).word, value_of(rider)) == ("short", 4_999)
    rider.applications[AID].files[File.PURSE].value = 5_000
    assert (way_out.card(rider).word, value_of(rider)) == ("gone-out", 0)


def test_the_tariff_says_whether_a_validator_is_a_gate(bus: Terminal) -> None:
    gated = Terminal(replace(bus._parts, tariff=ZONES))
    made = panel_of(Opened(gated, TerminalRole.VALIDATOR, (1,)), exits=True)
    assert isinstance(made, Gate)
    assert made.idle().word == "hold-card-out"
    assert isinstance(panel_of(Opened(bus, TerminalRole.VALIDATOR, (1,))), Validator)
