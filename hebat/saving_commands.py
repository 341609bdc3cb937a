"""`hebat saving`: a card's accounts at partner banks: link, look, top up, sweep back, end. Where a server runs, it holds the ledger."""

from __future__ import annotations

import json
from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated, Any

import typer

from hebat.errors import InputRefused
from hebat.ledger_commands.place import DatabaseOption, DataOption, JsonOption, place_of
from hebat.logs import configure
from hebat.settings import LogLevel
from keys.clock import SystemClock, local
from keys.money import Sen, display, parse
from ledger.cardholder.savings import Consent, LinkState

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from keys.clock import UnixMs
    from ledger.cardholder.savings import Order, Saving
    from ledger.intake.cards.issued import Card
    from settlement.saving.desk import SavingDesk

saving_app = typer.Typer(help="Saving accounts at partner banks, linked to cards.", no_args_is_help=True)

CardArgument = Annotated[str, typer.Argument(help="The card's 16 digits.")]
BankOption = Annotated[str, typer.Option("--bank", help="The bank's name, as it was added.")]
LinkOption = Annotated[
    int, typer.Option("--link", min=0, help="Which link, as `show` numbers them; the newest without it.")
]
RupiahOption = Annotated[str, typer.Option("--rupiah", help="How much, such as 10000.")]
KeyOption = Annotated[
    str,
    typer.Option("--key", help="Yours, 1 to 13 letters and digits: the same one never moves money twice."),
]
_EVERYTHING = ",".join(Consent)


@saving_app.callback()
def _quiet() -> None:
    """Saving accounts at partner banks, linked to cards."""
    configure(LogLevel.ERROR)


@saving_app.command()
def link(card: CardArgument, data: DataOption, bank: BankOption,
    code: Annotated[str, typer.Option(help="The code that the bank gave the holder.")],
    agree: Annotated[str, typer.Option(help="What the holder agrees to: balance, top-up, sweep.")] = _EVERYTHING,
    database: DatabaseOption = None, as_json: JsonOption = False) -> None:  # fmt: skip
    """Link an account, with the holder's consent."""
    consents = [_consent(one.strip()) for one in agree.split(",") if one.strip()]
    with _open(data, database, card) as (desk, known):
        desk.link(known, bank, code, consents)
        _tell(desk, known, as_json=as_json)


@saving_app.command()
def show(
    card: CardArgument, data: DataOption, database: DatabaseOption = None, as_json: JsonOption = False
) -> None:
    """Show a card's links, what the banks said last and when, and its orders."""
    with _open(data, database, card) as (desk, known):
        _tell(desk, known, as_json=as_json)


@saving_app.command()
def look(card: CardArgument, data: DataOption, which: LinkOption = 0, database: DatabaseOption = None,
    as_json: JsonOption = False) -> None:  # fmt: skip
    """Ask the bank what the account holds, and what became of orders that are open."""
    with _open(data, database, card) as (desk, known):
        desk.look(known, _ordinal(desk, known, which))
        _tell(desk, known, as_json=as_json)


@saving_app.command("top-up")
def top_up(card: CardArgument, data: DataOption, rupiah: RupiahOption, key: KeyOption, which: LinkOption = 0,
    database: DatabaseOption = None, as_json: JsonOption = False) -> None:  # fmt: skip
    """Bring money from the account into the wallet, by direct debit."""
    with _open(data, database, card) as (desk, known):
        desk.move(known, _ordinal(desk, known, which), _positive(rupiah), key)
        _tell(desk, known, as_json=as_json)


@saving_app.command()
def sweep(card: CardArgument, data: DataOption, rupiah: RupiahOption, key: KeyOption, which: LinkOption = 0,
    database: DatabaseOption = None, as_json: JsonOption = False) -> None:  # fmt: skip
    """Send money from the wallet back to the account."""
    with _open(data, database, card) as (desk, known):
        desk.move(known, _ordinal(desk, known, which), Sen(-_positive(rupiah)), key)
        _tell(desk, known, as_json=as_json)


@saving_app.command()
def number(card: CardArgument, data: DataOption, bank: BankOption, database: DatabaseOption = None) -> None:
    """Give the card a virtual account: what is paid into it comes to the wallet."""
    with _open(data, database, card) as (desk, known):
        typer.echo(desk.number(known, bank))


@saving_app.command()
def revoke(card: CardArgument, data: DataOption, which: LinkOption = 0, database: DatabaseOption = None,
    as_json: JsonOption = False) -> None:  # fmt: skip
    """End a consent; the bank is told."""
    with _open(data, database, card) as (desk, known):
        desk.revoke(known, _ordinal(desk, known, which))
        _tell(desk, known, as_json=as_json)


@contextmanager
def _open(data: Path, database: str | None, card: str) -> Iterator[tuple[SavingDesk, Card]]:
    from hebat.configurations import configuration_of  # noqa: PLC0415  numba and SQLAlchemy load only where they are needed
    from hebat.wiring import City  # noqa: PLC0415

    folder = place_of(data, database).folder
    assert folder is not None  # noqa: S101  --data is asked for
    digits = card.replace(" ", "")
    with City(folder, configuration_of(folder), SystemClock()) as city:
        known = city.registry.card_numbered(int(digits)) if digits.isascii() and digits.isdigit() else None
        if known is None:
            raise InputRefused(f"no card has the number {card}: type the 16 digits that stand on it")
        if city.banking is None:
            raise InputRefused(f"{data} has no line to a bank: add one with `hebat bank add`")
        yield city.banking.savings, known


def _consent(text: str) -> Consent:
    if text not in list(Consent):
        raise InputRefused(f"{text!r} is nothing that can be agreed to: it is one of {_EVERYTHING}")
    return Consent(text)


def _positive(rupiah: str) -> Sen:
    amount = parse(rupiah)
    if amount <= 0:
        raise InputRefused(f"{rupiah} is no amount to move: it is more than nothing")
    return amount


def _ordinal(desk: SavingDesk, card: Card, which: int) -> int:
    if which:
        return which
    in_force = (one.ordinal for one in desk.of(card) if one.state in {LinkState.ACTIVE, LinkState.ASKED})
    return next(in_force, 0)


def _moment(at: UnixMs) -> str:
    return local(at).isoformat(timespec="seconds") if at else ""


def _tell(desk: SavingDesk, card: Card, *, as_json: bool) -> None:
    links, orders, numbers = desk.of(card), desk.orders(card), desk.numbers(card)
    if as_json:
        told = {"links": [_plain(one) for one in links], "orders": [_ordered(one) for one in orders],
            "virtual_accounts": [{"bank": bank, "number": one} for bank, one in numbers]}  # fmt: skip
        typer.echo(json.dumps(told, indent=1, ensure_ascii=False))
        return
    for one in links:
        typer.echo(_sentence(one))
    for order in orders:
        typer.echo(
            f"  {order.reference}: {display(order.amount)} at {order.bank} is {order.progress}, {_moment(order.at)}"
        )
    for bank, virtual in numbers:
        typer.echo(f"  virtual account at {bank}: {virtual}")
    if not links and not numbers:
        typer.echo("No account is linked.")


def _sentence(one: Saving) -> str:
    head = f"{one.ordinal}: {one.bank} ..{one.digits or '????'}, {one.state} since {_moment(one.revoked_at or one.consented_at)}"
    head += f", agreed to {', '.join(one.consents)}"
    if one.mirror is None:
        return f"{head}; the bank has said nothing yet"
    moved = f", {display(one.since)} moved since" if one.since else ""
    return (
        f"{head}; held {display(one.mirror.balance)} at {_moment(one.mirror.at)} ({one.mirror.source}){moved}"
    )


def _plain(one: Saving) -> dict[str, Any]:
    held = one.mirror
    told = (
        None
        if held is None
        else {"sen": held.balance, "at": _moment(held.at), "source": held.source, "moved_since": one.since}
    )
    return {"link": one.ordinal, "bank": one.bank, "account_ends_in": one.digits, "state": one.state.value,
        "agreed": [each.value for each in one.consents], "consented_at": _moment(one.consented_at), "revoked_at": _moment(one.revoked_at),
        "mirror": told}  # fmt: skip


def _ordered(one: Order) -> dict[str, Any]:
    return {
        "reference": one.reference,
        "bank": one.bank,
        "sen": one.amount,
        "progress": one.progress.value,
        "at": _moment(one.at),
    }
