"""The nights of a run: windows settled, payments released, the banks' statements taken in, again after every crash until it is done."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from hebat.simulate.banking import release_payments
from hebat.simulate.breach import Breach
from hebat.simulate.faults import Fault
from hebat.simulate.network import ServerAway
from ledger.errors import LedgerError
from settlement.errors import SettlementError

if TYPE_CHECKING:
    from collections.abc import Callable
    from random import Random

    from hebat.simulate.plan import Event
    from hebat.simulate.world import World
    from hebat.wiring import City
    from keys.clock import Day

_OF_BANKS: Final = frozenset(
    {
        Fault.BANK_LOST_PAYMENT, Fault.BANK_PAID_TWICE, Fault.BANK_PAID_LESS, Fault.BANK_STRAY_LINE, Fault.STATEMENT_LATE,
        Fault.STATEMENT_TWICE,
    }
)  # fmt: skip
_TRIED: Final = 6


def night(world: World) -> str:
    """The night of what is over, again after every crash until it is done."""
    days: list[Day] = []

    def settle(city: City) -> None:
        days.extend(day for day in city.night.due() if day not in days)
        for day in days:  # settled by a night that a crash ended: its payments may not have gone out
            city.night.settle(day)
            release_payments(city, day, world.story.now())

    _until_done(world, settle)
    world.watch.settled += days
    world.watch.look()
    world.watch.day_over()
    return f"night of {days}"


def statements_in(world: World, event: Event, dice: Random) -> str:
    """The banks' statements of what falls due by now, taken in and matched."""
    if not world.watch.settled:
        return "nothing settled"
    day, banks = world.watch.settled[-1], world.banks
    world.need_server()
    struck = banks.carry_out(world.server.city, world.watch.settled, day, event.fault, dice)
    if struck and event.fault in _OF_BANKS:
        world.covered[event.fault] += 1

    def statements(city: City) -> None:
        city.night.import_statements(day)
        city.night.reconcile(day)
        city.night.compare(day)

    _until_done(world, statements)
    banks.clear(world.server.city)
    banks.look(world.server.city)
    return f"statements of {day}, {banks.lines} lines"


def _until_done(world: World, work: Callable[[City], None]) -> None:
    """Work of the night, again after every crash; raises Breach where it does not end."""
    for _ in range(_TRIED):
        try:
            world.need_server()
            work(world.server.city)
        except (LedgerError, SettlementError, ServerAway) as error:
            if world.server.is_well and not isinstance(error, LedgerError):
                raise Breach(9, f"the night ends with {type(error).__name__}: {error}") from error
            world.reap(power=world.server.volume.dead)
        else:
            return
    raise Breach(9, "the night does not end")
