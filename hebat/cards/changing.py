"""The `hebat card` commands that change a card: personalise, lock, and simulate."""

from __future__ import annotations

import json
from contextlib import ExitStack
from enum import StrEnum
from pathlib import Path  # noqa: TC003  Typer reads annotations at run time
from typing import Annotated

import typer

from card.layout import Concession
from hebat.cards.field import in_field
from hebat.cards.naming import Names, grouped
from hebat.cards.opening import quiet
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

VPCD_PORT = 35963


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
    quiet()
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
