"""A card held to a terminal, with whatever tears it away or stops the terminal between two exchanges."""

from __future__ import annotations

import sqlite3
from functools import cache
from typing import TYPE_CHECKING

from hebat.simulate.answers import need_no_conflict
from hebat.simulate.faults import Fault
from hebat.simulate.field import Field, MachineStopped
from hebat.simulate.plan import MINUTE, Act, Event
from keys.money import Rupiah
from terminals.errors import TerminalError
from terminals.fares import Place
from terminals.places import corridors

if TYPE_CHECKING:
    from random import Random

    from hebat.simulate.machine import Machine
    from hebat.simulate.world import World
    from keys.clock import UnixMs
    from terminals.places import Corridor
    from terminals.tap import Outcome


def tap(world: World, machine: Machine, event: Event, dice: Random) -> str:
    """A card at a terminal, once more where the first time was amber and its holder does not walk away."""
    chip = world.cards[event.card].chip
    stops_at = 0
    exchanges = dice.randint(1, 14)
    if event.fault in {Fault.CARD_TORN_BEFORE, Fault.CARD_TORN_AFTER}:
        chip.tear(exchanges, acts=event.fault is Fault.CARD_TORN_AFTER)
    elif event.fault is Fault.TERMINAL_KILLED_IN_TAP:
        stops_at = exchanges
    told = held(world, machine, event, stops_at)
    if stops_at and told == "stopped":
        world.covered[Fault.TERMINAL_KILLED_IN_TAP] += 1
    if "torn" in told and event.fault is not None:
        world.covered[event.fault] += 1
    if told.startswith("amber") and dice.random() < 0.5:  # noqa: PLR2004  a coin
        told += f", {held(world, machine, event, 0)}"
    chip.tear(0, acts=False)
    return told


def held(world: World, machine: Machine, event: Event, stops_at: int) -> str:
    """Hold a card to a terminal, which stops at the n-th exchange (0: never); what came of it. Raises Breach."""
    chip = world.cards[event.card].chip
    chip.leave_field()
    # A load is dated by the ledger, which speaks to the card itself.
    clock = world.story if event.act is Act.LOAD else machine.clock
    field = Field(chip, world.truth, clock.now, machine.number, stops_at)
    try:
        outcome = _outcome(machine, event, field)
    except MachineStopped:
        machine.kill(world.dice, power=False)
        return "stopped"
    except sqlite3.Error:
        machine.kill(world.dice, power=True)
        return "terminal's disk failed"
    except TerminalError as error:
        need_no_conflict(error)
        return type(error).__name__
    finally:
        world.exchanges += field.exchanges
        world.taps += 1
    torn = " torn" if "left the field" in outcome.detail or "tap-again" in outcome.reason else ""
    return f"{outcome.colour} {outcome.reason} {outcome.amount}{torn}"


def _outcome(machine: Machine, event: Event, field: Field) -> Outcome:
    terminal = machine.terminal
    if event.act is Act.FARE:
        return terminal.fare(field, place_of(machine, event.at))
    if event.act is Act.SALE:
        return terminal.sale(field, Rupiah(event.amount))
    return terminal.load(field, Rupiah(event.amount))


@cache
def _line(route: int) -> Corridor:
    """A route of the shipped feed; read once."""
    return next(one for one in corridors() if one.number == route)


def place_of(machine: Machine, at: UnixMs) -> Place:
    """Where a bus stands at a time: on the route of its certificate."""
    line = _line(machine.post.routes[0])
    stop = line.stops[at // MINUTE % len(line.stops)]
    return Place(line.name, stop.name, line.number, stop.number, machine.number)
