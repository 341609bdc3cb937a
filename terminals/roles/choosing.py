"""Which panel a terminal gets, from the role in its certificate."""

from __future__ import annotations

from typing import TYPE_CHECKING

from keys.rights import TerminalRole
from terminals.errors import PlacesMissing
from terminals.fares import Place
from terminals.places import corridors
from terminals.roles.conductor import Conductor
from terminals.roles.gate import Gate
from terminals.roles.kiosk import Kiosk
from terminals.roles.merchant import Merchant
from terminals.roles.validator import Validator

if TYPE_CHECKING:
    from terminals.opening import Opened
    from terminals.roles.panel import Panel


def place_of(vehicle: int, routes: tuple[int, ...], stop: str = "") -> Place:
    """Where a terminal stands: on the first route of its certificate, at a stop named by id or name (the first without).

    Raises PlacesMissing.
    """
    known = corridors()
    number = routes[0] if routes else known[0].number
    corridor = next((one for one in known if one.number == number), None)
    if corridor is None:
        raise PlacesMissing(
            f"route {number} is not in the shipped data: name one of 1 to {max(one.number for one in known)}"
        )
    for one in corridor.stops:
        if not stop or stop.casefold() in {one.stop_id.casefold(), one.name.casefold()}:
            return Place(corridor.name, one.name, number, one.number, vehicle)
    raise PlacesMissing(f"corridor {corridor.name} has no stop {stop[:40]!r}: name one by its id or name")


def panel_of(opened: Opened, stop: str = "", page: str = "", *, exits: bool = False) -> Panel:
    """The panel of a terminal's role, `page` where phones reach the ledger's pages; a validator is a gate where the tariff is gated (`exits`: one that lets out). Raises PlacesMissing where a bus's place is unknown."""
    terminal, role = opened.terminal, opened.role
    if role is TerminalRole.MERCHANT:
        return Merchant(terminal)
    if role is TerminalRole.KIOSK:
        return Kiosk(terminal, page)
    place = place_of(terminal.number, opened.routes, stop)
    if role is TerminalRole.CONDUCTOR:
        return Conductor(terminal, place)
    return Gate(terminal, place, exits=exits) if terminal.is_gated(place) else Validator(terminal, place)
