"""A counter that loads cards: a kiosk terminal of the city's first agent, enrolled once and opened again each time.

Value reaches a card only as at every kiosk: the ledger holds the cash and speaks to the card through the counter, which has no load key.
"""

from __future__ import annotations

from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Final

from card.errors import CardError
from hebat.errors import InputRefused
from hebat.fleet import Post, enrol, reopen
from keys.clock import SystemClock
from keys.rights import TerminalRole
from ledger.enrolment.desk import invite
from terminals.errors import TerminalError
from terminals.fares import TRANS_SEMARANG_2022
from terminals.opening import client_of, enrolled_device
from terminals.tap import Colour

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from hebat.folder import Folder
    from hebat.wiring import City, Configuration
    from keys.vault import Vault
    from terminals.fares import Tariff
    from terminals.tap import Outcome
    from terminals.terminal import Terminal

COUNTER: Final = 3901
"""The counter's terminal number."""
ATTEMPTS: Final = 3
"""How often the same card may be held again after it was pulled away."""


@contextmanager
def counter(city: City, address: str) -> Iterator[Terminal]:
    """The counter's terminal, against the city's ledger at an address.

    Raises InputRefused where the city has no agent, OutboxBusy where another process is this counter.
    """
    agent = next(iter(city.configuration.participants.agents), None)
    if agent is None:
        raise InputRefused("this city has no load agent: add one to its participants")
    folder, tariff = city.folder.terminal(COUNTER), _tariff(city.configuration)
    post = Post(COUNTER, TerminalRole.KIOSK, agent)
    if (folder / "device.vault").exists():
        _enrol_again(city, post, address)
        made = reopen(folder, city.clock, address, tariff, city.vault)
    else:
        made = enrol(city, post, address, tariff)
    with made:
        yield made


@contextmanager
def distant_counter(
    folder: Folder, vault: Vault, configuration: Configuration, address: str
) -> Iterator[Terminal]:
    """The counter's terminal against a ledger that another process serves; raises InputRefused where it never was enrolled."""
    if not (folder.terminal(COUNTER) / "device.vault").exists():
        raise InputRefused(
            "this counter is not enrolled yet: stop the server, load once without --address, and start it again"
        )
    with reopen(folder.terminal(COUNTER), SystemClock(), address, _tariff(configuration), vault) as made:
        yield made


def _tariff(configuration: Configuration) -> Tariff:
    """A terminal has a tariff, also one that takes no fares; a city of one's own has its tariffs in bundles."""
    return configuration.tariffs[-1] if configuration.tariffs else TRANS_SEMARANG_2022


def _enrol_again(city: City, post: Post, address: str) -> None:
    """A new certificate where the counter's has run out; raises EnrolmentRefused where it was revoked."""
    device = enrolled_device(city.folder.terminal(COUNTER))
    if city.clock.now() < device.certificate().not_after:
        return
    ticket = invite(city.ledger.database, city.root, post.invitation, city.clock.now())
    with client_of(address) as client:
        device.enrol(client, ticket)


def load(terminal: Terminal, hold: Callable[[int], Outcome]) -> Outcome:
    """Load until the card says yes or no; `hold` lets a card be held for one attempt, counted from 1.

    Raises InputRefused where nothing was loaded, Offline and LoadDenied before a card is touched.
    """
    for attempt in range(1, ATTEMPTS + 1):
        try:
            outcome = hold(attempt)
        except CardError:
            if attempt == 1:
                raise
            break  # nobody held it again: it stays unknown until somebody does
        if outcome.colour is not Colour.AMBER:
            break
    with suppress(
        TerminalError
    ):  # the load is the ledger's own record; this renews and refreshes what is due
        terminal.upload()
    if outcome.colour is Colour.AMBER:
        raise InputRefused(
            "the card was pulled away, and nobody knows whether it was loaded: hold the same card with the same command "
            "again, it is never loaded twice"
        )
    if outcome.colour is Colour.RED:
        raise InputRefused(f"not loaded: {outcome.detail}")
    return outcome
