"""Playing a plan: each event through the real programs, with the fault that the plan has for it."""

from __future__ import annotations

import sqlite3
from random import Random
from typing import TYPE_CHECKING, Final

from hebat.simulate.answers import need_no_conflict
from hebat.simulate.arming import arm, counts, cover
from hebat.simulate.breach import NO_LAW, Breach
from hebat.simulate.certificates import enrol_where_ended
from hebat.simulate.faults import Fault
from hebat.simulate.nights import night, statements_in
from hebat.simulate.plan import Act, Event
from hebat.simulate.rogue import tamper
from hebat.simulate.striking import strike
from hebat.simulate.tapping import tap
from terminals.errors import CertificateEnded, TerminalError

if TYPE_CHECKING:
    from hebat.simulate.machine import Machine
    from hebat.simulate.world import World

_POWER: Final = frozenset({Fault.SERVER_POWER_CUT, Fault.TERMINAL_POWER_CUT})


def play(world: World, event: Event) -> None:
    """One event; raises Breach."""
    world.story.move_to(event.at)
    dice = Random(f"{world.seed}:{event.number}")  # noqa: S311  dice of a simulation
    world.dice = dice
    world.entropy.begin(f"{world.seed}:{event.number}")
    world.need_server()
    world.network.deliver_late()
    machine = world.machines[event.machine]
    before = counts(world)
    arm(world, machine, event, dice)
    try:
        told = _act(world, machine, event, dice)
    except Breach:
        raise
    except Exception as error:
        raise Breach(NO_LAW, f"{event.act}: {type(error).__name__}: {error}") from error
    machine.line.mishaps.clear()
    machine.volume.disarm()
    world.server.volume.disarm()
    world.reap(power=event.fault in _POWER)
    cover(world, event, before)
    world.watch.look()
    world.note(f"{event.number} {event.act} {told}")


def _act(world: World, machine: Machine, event: Event, dice: Random) -> str:
    if event.act in {Act.FARE, Act.SALE, Act.LOAD}:
        return tap(world, machine, event, dice)
    if event.act in {Act.UPLOAD, Act.SHIFT_END}:
        return _upload(world, machine, last=event.act is Act.SHIFT_END)
    if event.act is Act.TAMPER and event.fault is not None:
        return tamper(machine, event.fault, world.watch.answers.next_sequence(machine.number))
    if event.act is Act.NIGHT:
        return night(world)
    if event.act is Act.STATEMENTS:
        return statements_in(world, event, dice)
    return strike(world, machine, event, dice)


def _upload(world: World, machine: Machine, *, last: bool) -> str:
    try:
        done = machine.terminal.close_shift() if last else machine.terminal.upload()
    except sqlite3.Error:
        machine.kill(world.dice, power=True)
        return "terminal's disk failed"
    except CertificateEnded:
        world.covered[Fault.CERTIFICATE_ENDED] += 1
        return f"certificate ended, {enrol_where_ended(world, machine)}" if last else "certificate ended"
    except TerminalError as error:
        if machine.number not in world.watch.books.rogues:
            need_no_conflict(error)
        return type(error).__name__
    return f"{done.sent} sent, {done.posted} posted, {done.duplicate} again, {done.quarantined} kept"
