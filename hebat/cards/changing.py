"""The `hebat card` commands that change a card: personalise, load, lock, and simulate."""

from __future__ import annotations

import json
import re
from contextlib import ExitStack, closing
from enum import StrEnum
from pathlib import Path  # noqa: TC003  Typer reads annotations at run time
from typing import TYPE_CHECKING, Annotated

import typer

from card.layout import Concession
from hebat.cards.field import Hand, in_field
from hebat.cards.naming import Names, grouped
from hebat.cards.options import (
    TIMEOUT,
    DataOption,
    JsonOption,
    ReaderOption,
    SecretsOption,
    TimeoutOption,
    TraceOption,
    hand,
)
from hebat.errors import InputRefused
from hebat.folder import Folder
from keys.money import Rupiah

if TYPE_CHECKING:
    from hebat.wiring import City
    from keys.vault import Vault
    from terminals.loading import Show
    from terminals.tap import Outcome
    from terminals.terminal import Terminal

VPCD_PORT = 35963
_AMOUNT = re.compile(r"(?:rp\.?\s*)?(\d{1,12}|\d{1,3}(?:\.\d{3}){1,3})", re.IGNORECASE)


def parse_amount(text: str) -> Rupiah:
    """Whole rupiah, as 50000 or 50.000 or Rp50.000; raises InputRefused."""
    found = _AMOUNT.fullmatch(text.strip()) if text.isascii() else None
    amount = Rupiah(int(found[1].replace(".", ""))) if found else Rupiah(0)
    if not amount:
        raise InputRefused(f"{text[:40]!r} is no amount to load: write whole rupiah, as 50000 or 50.000")
    return amount


def city_of(stack: ExitStack, data: Path) -> City:
    """The city, for this process alone; raises DatabaseBusy where a server has it."""
    from hebat.configurations import configuration_of  # noqa: PLC0415  the ledger loads only where it is needed
    from hebat.wiring import City  # noqa: PLC0415
    from keys.clock import SystemClock  # noqa: PLC0415

    _quiet()
    folder = Folder(data)
    return stack.enter_context(City(folder, configuration_of(folder), SystemClock()))


def _quiet() -> None:
    """Only errors are logged: whoever holds a card reads sentences."""
    from hebat.logs import configure  # noqa: PLC0415  as above
    from hebat.settings import LogLevel  # noqa: PLC0415

    configure(LogLevel.ERROR)


def personalise(
    data: DataOption,
    issuer: Annotated[
        int | None, typer.Option(help="The bank's code; the city's first bank without it.")
    ] = None,
    serial: Annotated[
        int | None, typer.Option(help="The card's serial; the bank's next one without it.")
    ] = None,
    concession: Annotated[
        str, typer.Option(help="general, pupil, student, elderly, veteran, disabled or child.")
    ] = "general",
    registered: Annotated[
        bool, typer.Option("--registered", help="The bank knows the holder: a higher limit.")
    ] = False,
    tap_address: Annotated[
        str | None,
        typer.Option(help="Where a phone held to the card is led (https, EV3 only); nowhere without it."),
    ] = None,
    reader: ReaderOption = None,
    timeout: TimeoutOption = TIMEOUT,
    as_json: JsonOption = False,
    trace: TraceOption = False,
    show_secrets: SecretsOption = False,
) -> None:
    """Make a blank card a card of this city, and make its ledger know it.

    Only a blank DESFire EV2 or newer is taken. Where the card was pulled away, the same command with the same card finishes it. A card that was made but never became known to the ledger is registered with what it says of itself. A server may run meanwhile, and keys may be rolled: the card gets the newest, and is known at once.
    """
    from hebat.cards import making, receipts  # noqa: PLC0415  as above
    from hebat.cards.desk import open_desk  # noqa: PLC0415

    wanted = making.Wanted(issuer, serial, _concession(concession), registered, tap_address)
    _quiet()
    with ExitStack() as stack:
        city = stack.enter_context(open_desk(Folder(data)))
        making.identity_of(city, wanted)  # what cannot be is said before a card is asked for
        held = stack.enter_context(
            in_field(hand(reader, timeout, trace, show_secrets), "Hold a blank card to the reader.")
        )
        made = making.make(held.transport, city, wanted)
    if as_json:
        typer.echo(json.dumps(receipts.made_json(made), indent=1))
    else:
        receipts.show_made(made, Names.of(Folder(data)))


def _concession(name: str) -> Concession:
    try:
        return Concession[name.upper()]
    except KeyError:
        known = ", ".join(one.name.lower() for one in Concession)
        raise InputRefused(f"{name[:40]!r} is no rider class: choose one of {known}") from None


def load(
    amount: Annotated[str, typer.Argument(help="Whole rupiah: 50000 or 50.000.")],
    data: DataOption,
    address: Annotated[
        str | None, typer.Option(help="A server that serves this city, such as http://127.0.0.1:8460.")
    ] = None,
    reader: ReaderOption = None,
    timeout: TimeoutOption = TIMEOUT,
    as_json: JsonOption = False,
    trace: TraceOption = False,
    show_secrets: SecretsOption = False,
) -> None:
    """Load cash onto a card, as a kiosk does.

    The ledger holds the cash first, the card is written next, and its signed record goes to the ledger last. A card that was pulled away is asked for again: it is never loaded twice.
    """
    from hebat.cards import receipts  # noqa: PLC0415  as above

    wanted = parse_amount(amount)
    with ExitStack() as stack:
        terminal, vault = _counter(stack, data, address)
        shown = receipts.LoadShown(wanted, terminal.next_load, as_json=as_json)
        shown(_load(terminal, vault, wanted, hand(reader, timeout, trace, show_secrets), shown))


def _counter(stack: ExitStack, data: Path, address: str | None) -> tuple[Terminal, Vault]:
    """The counter's terminal, with a ledger of this process or at an address; and the city's keys, to look at the card first."""
    from hebat.application import application  # noqa: PLC0415  as above
    from hebat.cards import counter, reading  # noqa: PLC0415
    from hebat.configurations import configuration_of  # noqa: PLC0415
    from hebat.serving import LoopbackServer  # noqa: PLC0415

    if address is None:
        city = city_of(stack, data)
        server = stack.enter_context(LoopbackServer(application(city)))
        return stack.enter_context(counter.counter(city, server.address)), city.vault
    if not address.startswith(("http://", "https://")):
        raise InputRefused(f"{address!r} is no server's address: write it as http://127.0.0.1:8460")
    _quiet()
    folder = Folder(data)
    vault = stack.enter_context(closing(reading.vault_of(folder)))
    configuration = configuration_of(folder)
    return stack.enter_context(counter.distant_counter(folder, vault, configuration, address)), vault


def _load(terminal: Terminal, vault: Vault, amount: Rupiah, how: Hand, show: Show) -> Outcome:
    from hebat.cards import counter, reading  # noqa: PLC0415  as above

    first: list[bytes] = []

    def hold(attempt: int) -> Outcome:
        invitation = (
            "Hold a card to the reader."
            if attempt == 1
            else "The card was pulled away: hold the same one again."
        )
        with in_field(how, invitation) as held:
            first.append(held.transport.uid)
            if held.transport.uid != first[0]:
                raise InputRefused(
                    "this is another card: hold the one that was pulled away with the same command again"
                )
            if attempt == 1 and reading.require_city_card(held.transport, vault).locked:
                raise InputRefused("this card is locked: nothing was loaded")
            return terminal.load(held.transport, amount, show)

    return counter.load(terminal, hold)


def lock(
    data: DataOption,
    undo: Annotated[
        bool, typer.Option("--undo", help="Put a locked card back into use, for five years.")
    ] = False,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    reader: ReaderOption = None,
    timeout: TimeoutOption = TIMEOUT,
    trace: TraceOption = False,
    show_secrets: SecretsOption = False,
) -> None:
    """Lock a card: no terminal takes it any more, for rides, purchases or loads.

    The card's last valid day is set into the past, and its chip lets no terminal write a transaction any more. Balance and transactions can still be read, and the ledger keeps the account, so that a counter sees what is owed to the holder. The card itself has to be held to the reader: one that was stolen cannot be locked from afar. --undo takes it back.
    """
    from hebat.cards import locking, reading, receipts  # noqa: PLC0415  as above

    vault = reading.vault_of(Folder(data))
    with in_field(hand(reader, timeout, trace, show_secrets)) as held:
        found = reading.require_city_card(held.transport, vault)
        if not yes:
            _confirm(found.identity.card_number, undo=undo)
        identity = locking.unlock(held.transport, vault) if undo else locking.lock(held.transport, vault)
    receipts.show_lock(identity, found.balance)


def _confirm(card_number: int, *, undo: bool) -> None:
    question = (
        f"{'Put card' if undo else 'Lock card'} {grouped(card_number)}{' back into use' if undo else ''}?"
    )
    if not typer.confirm(question, err=True):
        raise InputRefused("nothing was changed")


class Chip(StrEnum):
    """The generations of the virtual chip."""

    EV1 = "ev1"
    EV2 = "ev2"
    EV3 = "ev3"


def simulate(
    card: Annotated[
        Path | None, typer.Argument(help="Start from this saved card; a blank one without it.")
    ] = None,
    save: Annotated[
        Path | None, typer.Option(help="Keep the card in this file, and start from it where it is there.")
    ] = None,
    chip: Annotated[Chip, typer.Option(help="The generation of a blank card.")] = Chip.EV3,
    port: Annotated[
        int, typer.Option(min=1, max=65_535, help="The virtual reader's port; its second slot has the next.")
    ] = VPCD_PORT,
) -> None:
    """Put a virtual card into the virtual reader (vsmartcard-vpcd) until Ctrl-C.

    A file of --save is a card with all its keys in clear: readable by its owner alone, and to be treated as the secret that it is.
    """
    from hebat.cards import simulating  # noqa: PLC0415  as above

    simulating.simulate(simulating.chip_from(card, save, chip.name), port, save, typer.echo)
