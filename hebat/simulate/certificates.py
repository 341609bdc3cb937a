"""Certificates that end while a terminal is cut off: nothing that it signs after that is taken in, until it is enrolled anew; its records stay (law 2)."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Final, NamedTuple

import httpx2

from card.batch import CONTENT_TYPE, encode_batch
from hebat.simulate.breach import Breach
from hebat.simulate.faults import Fault
from hebat.simulate.machine import DriftingClock, client
from hebat.simulate.network import BATCHES
from hebat.simulate.plan import DAY, HOUR
from keys import envelope
from keys.identity import VALID_DAYS
from ledger.enrolment.desk import invite
from ledger.errors import LedgerError
from terminals.errors import TerminalError
from terminals.opening import device_of

if TYPE_CHECKING:
    from random import Random

    from hebat.simulate.machine import Machine
    from hebat.simulate.world import World

_UNKNOWN: Final = "terminal-unknown"


def enrol_for_hours(world: World, machine: Machine, dice: Random) -> str:
    """A terminal is enrolled while the authority's clock stands almost a month back, and its line is cut until after the end that this gives it."""
    hours, authority = dice.randint(1, 3), world.server.city.authority
    right = authority._clock  # noqa: SLF001  a wrong clock is what this is about
    authority._clock = DriftingClock(world.story, hours * HOUR - VALID_DAYS * DAY)  # noqa: SLF001  as above
    try:
        enrol(world, machine)
    except (TerminalError, LedgerError) as error:
        return f"not enrolled: {type(error).__name__}"
    finally:
        authority._clock = right  # noqa: SLF001  as above
    machine.line.cut_until = world.story.now() + (hours + dice.randint(1, 3)) * HOUR
    return f"enrolled for {hours} hours"


def enrol(world: World, machine: Machine) -> None:
    """A terminal takes up a new code, with what it holds as it is; raises Offline, EnrolmentDenied, StorageError."""
    city = world.server.city
    machine.stop()
    ticket = invite(city.ledger.database, city.root, machine.post.invitation, world.story.now())
    with client(machine.line) as line:
        device_of(machine.folder).enrol(line, ticket)


def enrol_where_ended(world: World, machine: Machine) -> str:
    """What becomes of a terminal whose certificate has ended, once somebody looks after it; raises Breach where the ledger still believed it."""
    if device_of(machine.folder).certificate().not_after > machine.clock.now():
        return ""
    machine.line.mishaps.clear()  # held up and delivered after the new enrolment, what is sent here would be another batch of the same numbers
    _need_refused(world, machine)
    with suppress(TerminalError, LedgerError):
        enrol(world, machine)
        return "enrolled anew"
    return "not enrolled"


class _Formed(NamedTuple):
    first: int
    previous: bytes
    records: list[bytes]


class _NotNow(Exception):
    """Undoes the forming of a batch, whose records were only to be seen."""

    def __init__(self, formed: _Formed) -> None:
        super().__init__("seen")
        self.formed = formed


def _need_refused(world: World, machine: Machine) -> None:
    """What the terminal has to send is sent as it would be without a look at the calendar: the ledger takes none of it, and says why."""
    newest = world.server.city.registry.certificates(machine.number)[0]
    if newest.not_after > world.story.now():
        return  # its key was certified anew, and only the answer was lost
    if (formed := _waiting(machine)) is None:
        return
    payload = encode_batch(machine.number, formed.first, formed.previous, machine.clock.now(), formed.records)
    kid = machine.number.to_bytes(4, "big")
    body = envelope.seal(payload, kid=kid, sign=machine.sign, content_type=CONTENT_TYPE)
    with client(machine.line) as line, suppress(httpx2.TransportError):
        _need_unknown(machine, line.post(BATCHES, content=body, headers={"Content-Type": "application/cose"}))
        world.covered[Fault.CERTIFICATE_ENDED] += 1


def _need_unknown(machine: Machine, answer: httpx2.Response) -> None:
    told = str(answer.json().get("type", "that it is taken"))
    if not told.endswith(_UNKNOWN):
        raise Breach(
            2, f"terminal {machine.number} signed with a certificate that has ended, and was told {told}"
        )


def _waiting(machine: Machine) -> _Formed | None:
    """The records of the batch that would come next, left where they are; None where there is none, or one is formed already."""

    def form(first: int, previous: bytes, records: list[bytes]) -> bytes:
        raise _NotNow(_Formed(first, previous, records))

    try:
        machine.terminal.outbox.batch(form)
    except _NotNow as seen:
        return seen.formed
    return None
