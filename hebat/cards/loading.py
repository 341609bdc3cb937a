"""`hebat card load`: cash onto a card, as a kiosk does, with a ledger of this process or at an address."""

from __future__ import annotations

import re
from contextlib import ExitStack, closing
from pathlib import Path  # noqa: TC003  Typer reads annotations at run time
from typing import TYPE_CHECKING, Annotated

import typer

from hebat.cards.field import Hand, in_field
from hebat.cards.opening import city_of, quiet
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
    from keys.vault import Vault
    from terminals.loading import Show
    from terminals.tap import Outcome
    from terminals.terminal import Terminal

_AMOUNT = re.compile(r"(?:rp\.?\s*)?(\d{1,12}|\d{1,3}(?:\.\d{3}){1,3})", re.IGNORECASE)


def parse_amount(text: str) -> Rupiah:
    """Whole rupiah, as 50000 or 50.000 or Rp50.000; raises InputRefused."""
    found = _AMOUNT.fullmatch(text.strip()) if text.isascii() else None
    amount = Rupiah(int(found[1].replace(".", ""))) if found else Rupiah(0)
    if not amount:
        raise InputRefused(f"{text[:40]!r} is no amount to load: write whole rupiah, as 50000 or 50.000")
    return amount


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
    quiet()
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
