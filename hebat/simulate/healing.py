"""The end of a run, when everything heals: lines and clocks are good, every card comes by, everybody sends, the night runs, and value is counted."""

from __future__ import annotations

from contextlib import suppress
from random import Random
from typing import TYPE_CHECKING

from hebat.simulate.breach import NO_LAW, Breach
from hebat.simulate.certificates import enrol_where_ended
from hebat.simulate.keeping import lacking
from hebat.simulate.nights import night, statements_in
from hebat.simulate.plan import BUSES, DAY, HOUR, KIOSK, MIDNIGHT, MINUTE, ROGUE, Act, Event
from hebat.simulate.tapping import held
from keys.clock import UnixMs
from terminals.errors import LoadDenied, Offline, TerminalError

if TYPE_CHECKING:
    from hebat.simulate.machine import Machine
    from hebat.simulate.world import World


def heal(world: World) -> None:
    """The end: lines and clocks are good, every card comes by once more, everybody sends what they have, and the night runs. Raises Breach."""
    try:
        _heal(world)
    except Breach:
        raise
    except Exception as error:
        raise Breach(NO_LAW, f"at the end: {type(error).__name__}: {error}") from error


def _heal(world: World) -> None:
    world.entropy.begin(f"{world.seed}:heal")
    world.dice = Random(f"{world.seed}:heal")  # noqa: S311  dice of a simulation
    world.need_server()
    world.network.deliver_late()
    for machine in world.machines:
        machine.line.cut_until, machine.line.mishaps, machine.clock.drift = 0, [], 0
    # The next morning: what was decided for the next service day is in force by then.
    world.story.move_to(UnixMs(MIDNIGHT + ((world.story.now() - MIDNIGHT) // DAY + 1) * DAY + 5 * HOUR))
    for machine in world.machines[:ROGUE]:
        if told := enrol_where_ended(world, machine):
            world.note(f"heal terminal {machine.number} {told}")
    for turn in range(2):
        for number in range(len(world.cards)):
            _come_by(world, number, turn)
        world.story.move_to(UnixMs(world.story.now() + 20 * MINUTE))
        for machine in world.machines[:ROGUE]:
            _sent(world, machine)
        world.watch.look()
    _last_night(world)
    world.watch.look()
    world.watch.day_over()
    world.watch.count.everything(world.cards)
    world.banks.look(world.server.city)
    world.banks.count(world.server.city)


def _come_by(world: World, number: int, turn: int) -> None:
    """A card is held to the kiosk and then to a bus, so that it tells what became of whatever was torn."""
    world.story.move_to(UnixMs(world.story.now() + 5 * MINUTE))
    load = Event(0, world.story.now(), Act.LOAD, KIOSK, number, (10_000, 100_000)[turn])
    fare = Event(0, world.story.now(), Act.FARE, BUSES[turn], number)
    for event in (load, fare):
        with suppress(LoadDenied):
            told = held(world, world.machines[event.machine], event, 0)
            if told.startswith("amber"):
                told = held(world, world.machines[event.machine], event, 0)
            world.note(f"heal {number} {event.act} {told}")
    world.watch.look()


def _sent(world: World, machine: Machine) -> None:
    try:
        machine.terminal.close_shift()
    except Offline as error:
        raise Breach(
            4, f"terminal {machine.number} cannot send, and nothing is broken any more: {error}"
        ) from error
    except TerminalError as error:
        raise Breach(3, f"terminal {machine.number} cannot send: {type(error).__name__}: {error}") from error
    if machine.terminal.outbox.waiting:
        raise Breach(6, f"terminal {machine.number} still has {machine.terminal.outbox.waiting} records")
    if wanted := lacking(world.server.city, machine):
        raise Breach(NO_LAW, f"terminal {machine.number} has been in touch, and still lacks {wanted}")


def _last_night(world: World) -> None:
    world.story.move_to(UnixMs((world.story.now() // (24 * HOUR) + 2) * 24 * HOUR))
    night(world)
    world.note(statements_in(world, Event(0, world.story.now(), Act.STATEMENTS), world.dice))
