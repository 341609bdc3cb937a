"""The `hebat card` commands of a counter for lost cards: block one, and move its value to the card in its place."""

from __future__ import annotations

from contextlib import ExitStack
from typing import TYPE_CHECKING, Annotated

import typer

from hebat.cards import naming
from hebat.cards.options import DataOption  # noqa: TC001  Typer reads it
from hebat.errors import InputRefused
from hebat.folder import Folder

if TYPE_CHECKING:
    from ledger.intake.cards.issued import Card
    from ledger.intake.registry import Registry

NumberArgument = Annotated[int, typer.Argument(help="The card's number: 16 digits.")]


def _cards(registry: Registry, number: int) -> list[Card]:
    found = [card for card in registry.cards() if card.card_number == number]
    if not found:
        raise InputRefused(f"no card {number} was issued here: look at the number again")
    return found


def block(
    number: NumberArgument,
    data: DataOption,
    reason: Annotated[str, typer.Option(help="Why, for those who will ask.")] = "lost: blocked at a counter",
) -> None:
    """Block a lost card at a counter, while a server runs or not.

    The next hotlist goes out at once; its wallet pays nothing more. `hebat bundles unblock` takes it back.
    """
    from hebat.bundles.office import open_office  # noqa: PLC0415  the ledger loads only where it is needed
    from keys.clock import SystemClock  # noqa: PLC0415

    clock = SystemClock()
    with open_office(Folder(data), clock) as (office, registry):
        for card in _cards(registry, number):
            office.blocks.block(card, reason, clock.now())
        issued = office.hotlist()
    listed = f", hotlist {issued[0].number} names it" if issued else ""
    typer.echo(f"Card {naming.grouped(number)} is blocked{listed}.")


def replace(
    old: Annotated[int, typer.Argument(help="The lost card's number, blocked and registered.")],
    new: Annotated[int, typer.Argument(help="The number of the card in its place.")],
    data: DataOption,
) -> None:
    """Move a lost card's value to the wallet of the card in its place, by transfers of the books, once.

    Only registered value moves (PBI 20/6/2018), three days after the block: by then terminals have sent what they took offline. No server may be running on the city's folder.
    """
    from hebat.cards.opening import city_of  # noqa: PLC0415  as above
    from keys.money import Sen, display  # noqa: PLC0415

    with ExitStack() as stack:
        city = city_of(stack, data)
        lost, taker = _cards(city.registry, old)[-1], _cards(city.registry, new)[-1]
        done = city.cardholders.blocking.move(lost, taker)
    moved = f"{display(Sen(done.purse))} of its purse and {display(Sen(done.wallet))} of its wallet"
    typer.echo(
        f"Card {naming.grouped(new)} took the place of {naming.grouped(old)}: {moved} are in its wallet."
    )
