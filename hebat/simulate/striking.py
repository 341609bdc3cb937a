"""What happens to a simulated city by itself: machines die, lines are cut, terminals are revoked, and what the city and its staff decide."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from hebat.simulate.banking import undo
from hebat.simulate.certificates import enrol_for_hours
from hebat.simulate.faults import Fault
from hebat.simulate.municipal import block_card, change_tariff, roll_key
from hebat.simulate.plan import HOUR, MINUTE, Event

if TYPE_CHECKING:
    from collections.abc import Callable
    from random import Random

    from hebat.simulate.machine import Machine
    from hebat.simulate.world import World


def strike(world: World, machine: Machine, event: Event, dice: Random) -> str:
    """Nothing but a fault, or something that the city decides."""
    fault = event.fault
    if fault is Fault.CARD_BLOCKED:
        return block_card(world, event.card)
    if fault is Fault.MATCH_UNDONE:
        done = undo(world.server.city, dice)
        world.covered[Fault.MATCH_UNDONE] += done
        return f"match undone: {done}"
    if fault is Fault.CERTIFICATE_ENDED:
        return enrol_for_hours(world, machine, dice)
    if fault is not None:
        _BREAKS[fault](world, machine, dice)
        world.covered[fault] += 1
    return str(fault)


def _kill_server(world: World, _machine: Machine, dice: Random) -> None:
    world.server.kill(dice, power=dice.random() < 0.5)  # noqa: PLR2004  a coin
    world.need_server()


def _cut_off(world: World, machine: Machine, dice: Random) -> None:
    machine.line.cut_until = world.story.now() + dice.randint(1, 8) * HOUR


def _revoke(world: World, machine: Machine, _dice: Random) -> None:
    world.server.city.registry.revoke(machine.number, world.story.now())
    world.watch.books.rogues[machine.number] = world.story.now()


def _drift(_world: World, machine: Machine, dice: Random) -> None:
    machine.clock.drift = dice.choice((-4, -1, 1, 4)) * MINUTE


_BREAKS: Final[dict[Fault, Callable[[World, Machine, Random], object]]] = {
    Fault.TERMINAL_KILLED: lambda _, machine, dice: machine.kill(dice, power=dice.random() < 0.5),  # noqa: PLR2004  a coin
    Fault.SERVER_KILLED: _kill_server,
    Fault.PARTITION: _cut_off,
    Fault.TERMINAL_REVOKED: _revoke,
    Fault.CLOCK_DRIFT: _drift,
    Fault.TARIFF_CHANGED: lambda world, _, dice: change_tariff(world, dice),
    Fault.KEY_ROLLED: lambda world, _, dice: roll_key(world, dice),
}
