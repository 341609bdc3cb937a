"""A counter that loads cards: a kiosk terminal of the city's first agent, enrolled once and opened again each time.

Value reaches a card only as at every kiosk: the ledger holds the cash and speaks to the card through the counter, which has no load key.
"""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import httpx2

from card.errors import CardError
from hebat.errors import InputRefused
from hebat.fleet import TIMEOUT_SECONDS, Post, enrol, kept_bundles, vault_name
from keys.clock import SystemClock
from keys.filevault import FileVault
from keys.identity import TerminalIdentity, TerminalRole, read_certificate
from ledger.intake.receipt import LABEL as LEDGER_LABEL
from terminals.errors import TerminalError
from terminals.outbox import Outbox
from terminals.tap import Colour
from terminals.terminal import Parts, Terminal
from terminals.upload import Link

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from hebat.folder import Folder
    from hebat.wiring import City, Configuration
    from keys.clock import Clock
    from terminals.tap import Outcome

COUNTER: Final = 3901
"""The counter's terminal number."""
ATTEMPTS: Final = 3
"""How often the same card may be held again after it was pulled away."""


@dataclass(frozen=True, slots=True)
class Loaded:
    """What a load came to; `earlier` where it was one of before whose answer had been lost, `told` where the ledger has it."""

    outcome: Outcome
    earlier: bool
    told: bool


@contextmanager
def counter(city: City, address: str) -> Iterator[Terminal]:
    """The counter's terminal, against the city's ledger at an address.

    Raises InputRefused where the city has no agent, OutboxBusy where another process is this counter.
    """
    agent = next(iter(city.configuration.participants.agents), None)
    if agent is None:
        raise InputRefused("this city has no load agent: add one to its participants")
    folder = city.folder.terminal(COUNTER)
    if (folder / "device.vault").exists():
        _renew(city, agent)
        made = _reopened(city.folder, city.vault, city.configuration, city.clock, address)
    else:
        made = enrol(city, Post(COUNTER, TerminalRole.KIOSK, agent), address, city.configuration.tariffs[-1])
    with made:
        yield made


@contextmanager
def distant_counter(
    folder: Folder, vault: FileVault, configuration: Configuration, address: str
) -> Iterator[Terminal]:
    """The counter's terminal against a ledger that another process serves; raises InputRefused where it never was enrolled."""
    if not (folder.terminal(COUNTER) / "device.vault").exists():
        raise InputRefused(
            "this counter is not enrolled yet: stop the server, load once without --address, and start it again"
        )
    with _reopened(folder, vault, configuration, SystemClock(), address) as made:
        yield made


def _renew(city: City, agent: int) -> None:
    """A new certificate where the counter's has run out; raises TerminalUnknown where it was revoked."""
    now, known = city.clock.now(), city.registry.enrolled(COUNTER)
    city.registry.terminal(
        COUNTER, known.not_before
    )  # at a moment when nothing but a revocation speaks against it
    if known.not_before <= now < known.not_after:
        return
    identity = TerminalIdentity(city.folder.terminal(COUNTER))
    pem = city.authority.enrol(identity.request(), COUNTER, TerminalRole.KIOSK, agent)
    identity.install(pem)
    city.registry.add_terminal(read_certificate(pem, city.root, now))


def _reopened(
    folder: Folder, vault: FileVault, configuration: Configuration, clock: Clock, address: str
) -> Terminal:
    """The terminal as it was left: its key, its vault, its outbox."""
    own = folder.terminal(COUNTER)
    passphrase = (own / "device.passphrase").read_text(encoding="utf-8")
    device = FileVault.open(own / "device.vault", passphrase, vault_name(COUNTER))
    client = httpx2.Client(base_url=address, timeout=TIMEOUT_SECONDS)
    link = Link(client, COUNTER, TerminalIdentity(own).sign, vault.public_key(LEDGER_LABEL), clock)
    tariff, bundles = configuration.tariffs[-1], kept_bundles(own, vault, TerminalRole.KIOSK)
    return Terminal(Parts(COUNTER, Outbox(own / "outbox.db"), device, link, clock, tariff, bundles))


def load(terminal: Terminal, hold: Callable[[int], Outcome]) -> Loaded:
    """Load until the card says yes or no; `hold` lets a card be held for one attempt, counted from 1.

    Raises InputRefused where nothing was loaded, Offline and LoadDenied before a card is touched.
    """
    first = terminal.next_load
    for attempt in range(1, ATTEMPTS + 1):
        try:
            outcome = hold(attempt)
        except CardError:
            if attempt == 1:
                raise
            break  # nobody held it again: it stays unknown until somebody does
        if outcome.colour is not Colour.AMBER:
            break
    told = _upload(terminal)
    if outcome.colour is Colour.AMBER:
        raise InputRefused(
            "the card was pulled away, and nobody knows whether it was loaded: hold the same card with the same command "
            "again, it is never loaded twice"
        )
    if outcome.colour is Colour.RED:
        raise InputRefused(f"not loaded: {outcome.detail}")
    return Loaded(outcome, outcome.sequence < first, told)


def _upload(terminal: Terminal) -> bool:
    """Send what is ready; False where it waits in the outbox for the next time."""
    try:
        sent = terminal.upload()
    except TerminalError:
        return False
    return not sent.quarantined and not terminal.outbox.waiting
