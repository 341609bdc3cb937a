"""Playing a plan: each event through the real programs, with the fault that the plan has for it."""

from __future__ import annotations

import sqlite3
from functools import cache
from random import Random
from typing import TYPE_CHECKING, Final

from hebat.simulate.breach import NO_LAW, Breach
from hebat.simulate.certificates import enrol_where_ended
from hebat.simulate.disk.volume import Trouble
from hebat.simulate.faults import Fault
from hebat.simulate.field import Field, MachineStopped
from hebat.simulate.network import Mishap
from hebat.simulate.nights import night, statements_in
from hebat.simulate.plan import MINUTE, Act, Event
from hebat.simulate.rogue import tamper
from hebat.simulate.striking import strike
from keys.money import Rupiah
from terminals.errors import CertificateEnded, TerminalError, UploadRefused
from terminals.fares import Place
from terminals.places import corridors

if TYPE_CHECKING:
    from hebat.simulate.machine import Machine
    from hebat.simulate.world import World
    from keys.clock import UnixMs
    from terminals.places import Corridor
    from terminals.tap import Outcome

_MISHAPS: Final = {
    Fault.REQUEST_LOST: Mishap.REQUEST_LOST,
    Fault.ANSWER_LOST: Mishap.ANSWER_LOST,
    Fault.REQUEST_DOUBLED: Mishap.DOUBLED,
    Fault.REQUEST_LATE: Mishap.LATE,
}
_SERVER_DISK: Final = {
    Fault.SERVER_KILLED_IN_COMMIT: Trouble.DIE,
    Fault.SERVER_POWER_CUT: Trouble.DIE,
    Fault.DISK_WRITE_FAILED: Trouble.FAIL_WRITE,
    Fault.DISK_SYNC_FAILED: Trouble.FAIL_SYNC,
    Fault.DISK_FULL: Trouble.FULL,
    Fault.DISK_SLOW: Trouble.SLOW,
}
_OPERATIONS: Final = {Act.LOAD: 43, Act.UPLOAD: 31, Act.SHIFT_END: 31, Act.NIGHT: 121, Act.STATEMENTS: 114}
"""How many operations of the ledger's disk each takes: what strikes may strike at any of them. Of a load the first 13 are its hold, then 3 its intent, then its record."""
_POWER: Final = frozenset({Fault.SERVER_POWER_CUT, Fault.TERMINAL_POWER_CUT})
_CONFLICT: Final = 409


def play(world: World, event: Event) -> None:
    """One event; raises Breach."""
    world.story.move_to(event.at)
    dice = Random(f"{world.seed}:{event.number}")  # noqa: S311  dice of a simulation
    world.dice = dice
    world.entropy.begin(f"{world.seed}:{event.number}")
    world.need_server()
    world.network.deliver_late()
    machine = world.machines[event.machine]
    before = _counts(world)
    _arm(world, machine, event, dice)
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
    _covered(world, event, before)
    world.watch.look()
    world.note(f"{event.number} {event.act} {told}")


def _counts(world: World) -> dict[str, int]:
    disks = [world.server.volume, *(one.volume for one in world.machines)]
    names = {name for disk in disks for name in disk.counts}
    return {name: sum(disk.counts[name] for disk in disks) for name in names}


def _covered(world: World, event: Event, before: dict[str, int]) -> None:
    """Count what struck: a fault that was armed and never came to it counts for nothing."""
    now = _counts(world)
    struck = {name for name, count in now.items() if count > before.get(name, 0)}
    if event.act is Act.TAMPER and event.fault is not None:
        world.covered[event.fault] += 1
    for fault in (Fault.WRITE_LOST, Fault.WRITE_TORN):
        world.covered[fault] += fault.name in struck
    if event.fault in _SERVER_DISK and _SERVER_DISK[event.fault].name in struck:
        world.covered[event.fault] += 1
    if event.fault is Fault.TERMINAL_POWER_CUT and Trouble.DIE.name in struck:
        world.covered[event.fault] += 1
    if event.fault is Fault.OUTBOX_WRITE_FAILED and Trouble.FAIL_WRITE.name in struck:
        world.covered[event.fault] += 1


def _arm(world: World, machine: Machine, event: Event, dice: Random) -> None:
    fault = event.fault
    if fault in _MISHAPS:
        quiet = [Mishap.NONE] * dice.choice((0, 0, 1, 2, 5))
        machine.line.mishaps = [*quiet, *[_MISHAPS[fault]] * dice.choice((1, 1, 2, 4))]
    elif fault in _SERVER_DISK:
        # A sync is rarer than a write: one of the next few is slow.
        reach = 3 if fault is Fault.DISK_SLOW else _OPERATIONS.get(event.act, 12)
        world.server.volume.arm(_SERVER_DISK[fault], dice.randint(1, reach))
    elif fault is Fault.TERMINAL_POWER_CUT:
        machine.volume.arm(Trouble.DIE, dice.randint(1, 12))
    elif fault is Fault.OUTBOX_WRITE_FAILED:
        machine.volume.arm(Trouble.FAIL_WRITE, dice.randint(1, 8))


def _act(world: World, machine: Machine, event: Event, dice: Random) -> str:
    if event.act in {Act.FARE, Act.SALE, Act.LOAD}:
        return _tap(world, machine, event, dice)
    if event.act in {Act.UPLOAD, Act.SHIFT_END}:
        return _upload(world, machine, last=event.act is Act.SHIFT_END)
    if event.act is Act.TAMPER and event.fault is not None:
        return tamper(machine, event.fault, world.watch.answers.next_sequence(machine.number))
    if event.act is Act.NIGHT:
        return night(world)
    if event.act is Act.STATEMENTS:
        return statements_in(world, event, dice)
    return strike(world, machine, event, dice)


def _tap(world: World, machine: Machine, event: Event, dice: Random) -> str:
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
        _need_no_conflict(error)
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
            _need_no_conflict(error)
        return type(error).__name__
    return f"{done.sent} sent, {done.posted} posted, {done.duplicate} again, {done.quarantined} kept"


def _need_no_conflict(error: TerminalError) -> None:
    """An honest terminal is never told that it has sent something else, or something out of order."""
    if isinstance(error, UploadRefused) and error.status == _CONFLICT:
        raise Breach(3, f"an honest terminal was refused: {error}")
