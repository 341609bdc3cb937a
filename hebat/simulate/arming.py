"""Faults armed before an event, so that they strike within it, and counted where they struck."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from hebat.simulate.disk.volume import Trouble
from hebat.simulate.faults import Fault
from hebat.simulate.network import Mishap
from hebat.simulate.plan import Act, Event

if TYPE_CHECKING:
    from random import Random

    from hebat.simulate.machine import Machine
    from hebat.simulate.world import World

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


def arm(world: World, machine: Machine, event: Event, dice: Random) -> None:
    """Have an event's fault strike somewhere within it."""
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


def counts(world: World) -> dict[str, int]:
    """How often each trouble has struck on all disks."""
    disks = [world.server.volume, *(one.volume for one in world.machines)]
    names = {name for disk in disks for name in disk.counts}
    return {name: sum(disk.counts[name] for disk in disks) for name in names}


def cover(world: World, event: Event, before: dict[str, int]) -> None:
    """Count what struck: a fault that was armed and never came to it counts for nothing."""
    now = counts(world)
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
