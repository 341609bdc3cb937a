"""`hebat wallet loads`: loads that wait for a card's next tap: listed beside a server; ordered and taken back where none runs."""

from __future__ import annotations

import json
from contextlib import ExitStack
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from hebat.errors import InputRefused
from hebat.ledger_commands.place import DatabaseOption, DataOption, JsonOption, place_of
from keys.clock import local
from keys.money import Rupiah, display

if TYPE_CHECKING:
    from hebat.wiring import City
    from ledger.intake.cards.issued import Card
    from ledger.wallets.loads.store import Ordered

loads_app = typer.Typer(help="Loads from wallets that wait for a card's next tap.", no_args_is_help=True)

CardArgument = Annotated[int, typer.Argument(help="The card's 16 digits.")]
LISTED_MAX: Final = 10_000


@loads_app.command("list")
def list_(
    data: DataOption,
    card: Annotated[int | None, typer.Option(help="One card's, ended ones too.")] = None,
    database: DatabaseOption = None,
    as_json: JsonOption = False,
) -> None:
    """List the loads that wait, or all of one card. Works beside a server; what a tap wrote is noted by the next sweep."""
    from ledger.intake.registry import Registry  # noqa: PLC0415  the ledger loads only where it is needed
    from ledger.wallets.loads import store  # noqa: PLC0415

    with place_of(data, database).database() as books:
        registry = Registry(books, b"")
        known = None if card is None else _known(registry.card_numbered(card), card)
        with books.transaction() as connection:
            found = (
                store.all_waiting(connection, LISTED_MAX)
                if known is None
                else store.loads_of(connection, known.partition, known.uid, LISTED_MAX)
            )
        rows = [(_known(registry.card(one.uid), one.uid).card_number, one) for one in found]
    _tell([_plain(*row) for row in rows], [_sentence(*row) for row in rows], as_json=as_json)


@loads_app.command()
def order(
    card: CardArgument,
    data: DataOption,
    rupiah: Annotated[int, typer.Option(help="How much, in whole rupiah.")],
    as_json: JsonOption = False,
) -> None:
    """Hold an amount in a card's wallet until its next tap writes it, for 30 days at most."""
    with ExitStack() as stack:
        city, known = _city(stack, data, card)
        made = city.ordered.order(known, Rupiah(rupiah))
    _tell(_plain(card, made), [_sentence(card, made)], as_json=as_json)


@loads_app.command()
def cancel(card: CardArgument, data: DataOption, as_json: JsonOption = False) -> None:
    """Give the load that waits for a card back to its wallet, unless a terminal has it under way."""
    with ExitStack() as stack:
        city, known = _city(stack, data, card)
        done = city.ordered.cancel(known)
    if not done:
        raise InputRefused(f"no load waits for card {card}, or a terminal is writing it: look again later")
    _tell({"card": card, "cancelled": True}, [f"{card}: the wallet has its money back."], as_json=as_json)


def _city(stack: ExitStack, data: Any, number: int) -> tuple[City, Card]:
    from hebat.cards.opening import city_of  # noqa: PLC0415  as above

    city = city_of(stack, data)
    return city, _known(city.registry.card_numbered(number), number)


def _known(card: Card | None, number: int) -> Card:
    if card is None:
        raise InputRefused(f"no card {number} was issued here: look at the number again")
    return card


def _plain(number: int, one: Ordered) -> dict[str, Any]:
    return {
        "card": number, "sen": one.amount, "fate": one.fate.value, "automatic": one.automatic, "ordered_at": one.ordered_at,
        "expires_at": one.expires_at, "ended_at": one.ended_at or None,
    }  # fmt: skip


def _sentence(number: int, one: Ordered) -> str:
    ordered = "ordered by itself" if one.automatic else "ordered"
    until = f", waits until {local(one.expires_at):%Y-%m-%d}" if not one.ended_at else f", {one.fate.value}"
    return f"{number}: {display(one.amount)} {ordered} {local(one.ordered_at):%Y-%m-%d %H:%M}{until}."


def _tell(plain: Any, sentences: list[str], *, as_json: bool) -> None:
    typer.echo(json.dumps(plain, indent=1) if as_json else "\n".join(sentences) or "No load waits.")
