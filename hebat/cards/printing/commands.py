"""`hebat card print-sheet`: what a card printer and a PIN printer need for a batch of cards."""

from __future__ import annotations

import json
from contextlib import ExitStack
from pathlib import Path
from typing import Annotated

import typer

from hebat.cards.options import DataOption, JsonOption  # noqa: TC001  Typer reads them
from hebat.wording import some

OutOption = Annotated[
    Path, typer.Option("--out", help="A new folder for the batch; its name is the batch's.")
]
CardsOption = Annotated[
    list[int] | None,
    typer.Option("--card", help="A card's number; again for more. Without it, all that never had a PIN."),
]
AddressOption = Annotated[
    str, typer.Option("--address", help="Where cardholders reach the server, such as https://kartu.example.")
]


def print_sheet(
    data: DataOption,
    out: OutOption,
    address: AddressOption,
    card: CardsOption = None,
    as_json: JsonOption = False,
) -> None:
    """Make what is printed on cards: QR code, number and check digit (cards.pdf, and an SVG a card), a manifest, and the PINs on a sealed sheet of their own.

    Every card gets a new code and a new PIN: what was printed for it before opens nothing any more. The passphrase of pins.pdf is shown this once. No server may be running on the city's folder.
    """
    from rich.console import Console  # noqa: PLC0415

    from hebat.cards.opening import city_of  # noqa: PLC0415  the ledger loads only where it is needed
    from hebat.cards.printing.batch import chosen, print_batch, require_address  # noqa: PLC0415
    from hebat.progress import Quiet, Shown  # noqa: PLC0415

    with ExitStack() as stack:
        require_address(address)
        city = city_of(stack, data)
        cards = chosen(city, card or [])
        progress = Quiet() if as_json else Shown(Console(stderr=True, highlight=False))
        with progress.step("Cards drawn", len(cards)) as told:
            done = print_batch(city, cards, address, out, told)
    if as_json:
        said = {"batch": done.name, "cards": done.cards, "pins_passphrase": done.passphrase}
        typer.echo(json.dumps(said, indent=1))
        return
    typer.echo(
        f"For {some(done.cards, 'card')}, in {out}: cards.pdf, cards/*.svg, manifest.json, and pins.pdf."
    )
    typer.echo(f"Passphrase of pins.pdf, shown this once: {done.passphrase}")
