"""`hebat wallet`: look at a wallet, freeze and close it, send, pay by QR, and pay files of the government. Where a server runs, it holds the ledger."""

from __future__ import annotations

import json
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from hebat.errors import InputRefused
from hebat.ledger_commands.place import DatabaseOption, DataOption, JsonOption, place_of
from hebat.logs import configure
from hebat.ordered_load_commands import loads_app
from hebat.settings import LogLevel
from keys.clock import SystemClock
from keys.money import Sen, display, parse

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ledger.book import Ledger
    from ledger.wallets.desk import WalletDesk

wallet_app = typer.Typer(help="Wallets of cardholders.", no_args_is_help=True)
wallet_app.add_typer(loads_app, name="loads")

CardArgument = Annotated[str, typer.Argument(help="The card's 16 digits.")]
InOption = Annotated[Path, typer.Option("--file", help="CSV with the columns card, rupiah, text.")]
OutOption = Annotated[Path, typer.Option("--out", help="Where to write a result a line.")]
ToOption = Annotated[str, typer.Option("--to", help="The other wallet's card.")]
RupiahOption = Annotated[str, typer.Option("--rupiah", help="How much, such as 10000 or 10000.50.")]


@wallet_app.callback()
def _quiet() -> None:
    """Wallets of cardholders."""
    configure(LogLevel.ERROR)


@wallet_app.command()
def show(
    card: CardArgument, data: DataOption, database: DatabaseOption = None, as_json: JsonOption = False
) -> None:
    """Show what a wallet holds, and its rules."""
    with _open(data, database) as (ledger, _):
        _tell(ledger, card, as_json=as_json)


@wallet_app.command("open")
def open_(card: CardArgument, data: DataOption, registered: Annotated[bool, typer.Option(help="Whose holder is known.")] = True,
    database: DatabaseOption = None, as_json: JsonOption = False) -> None:  # fmt: skip
    """Give a wallet the limits of today."""
    with _open(data, database) as (ledger, desk):
        desk.open(card, registered=registered)
        _tell(ledger, card, as_json=as_json)


@wallet_app.command()
def freeze(card: CardArgument, data: DataOption, incoming: Annotated[bool, typer.Option(help="Nothing comes in either.")] = False,
    database: DatabaseOption = None, as_json: JsonOption = False) -> None:  # fmt: skip
    """Let nothing leave a wallet."""
    with _open(data, database) as (ledger, desk):
        desk.freeze(card, incoming=incoming)
        _tell(ledger, card, as_json=as_json)


@wallet_app.command()
def unfreeze(
    card: CardArgument, data: DataOption, database: DatabaseOption = None, as_json: JsonOption = False
) -> None:
    """Let a wallet be used again."""
    with _open(data, database) as (ledger, desk):
        desk.unfreeze(card)
        _tell(ledger, card, as_json=as_json)


@wallet_app.command()
def close(
    card: CardArgument, data: DataOption, database: DatabaseOption = None, as_json: JsonOption = False
) -> None:
    """Close an empty wallet, for good."""
    with _open(data, database) as (ledger, desk):
        desk.close(card)
        _tell(ledger, card, as_json=as_json)


@wallet_app.command()
def send(card: CardArgument, data: DataOption, to: ToOption, rupiah: RupiahOption,
    reference: Annotated[str, typer.Option(help="Yours, for good: the same one never sends twice.")],
    database: DatabaseOption = None, as_json: JsonOption = False) -> None:  # fmt: skip
    """Send money from wallet to wallet."""
    with _open(data, database) as (ledger, desk):
        desk.send(reference, card, to, parse(rupiah))
        _tell(ledger, card, as_json=as_json)


@wallet_app.command()
def pay(card: CardArgument, data: DataOption, code: Annotated[str, typer.Option("--qr", help="The text of the QR code.")],
    rupiah: Annotated[str | None, typer.Option(help="How much, where the code leaves it open.")] = None,
    tip: Annotated[str, typer.Option(help="On top, where the code asks for it.")] = "0",
    database: DatabaseOption = None, as_json: JsonOption = False) -> None:  # fmt: skip
    """Pay a merchant of this city by its QR code."""
    with _open(data, database) as (ledger, desk):
        desk.pay_by_qr(card, code, None if rupiah is None else parse(rupiah), parse(tip))
        _tell(ledger, card, as_json=as_json)


@wallet_app.command()
def bulk(data: DataOption, file: InOption, out: OutOption,
    bank: Annotated[int, typer.Option(min=1, max=9999, help="The bank that the money came to.")],
    database: DatabaseOption = None, as_json: JsonOption = False) -> None:  # fmt: skip
    """Pay a file of the government; the same file again pays nobody twice, and goes on where it was cut off."""
    from ledger.wallets.bulk import BulkFile, pay_bulk  # noqa: PLC0415  loads what opens a ledger

    if not file.exists():
        raise InputRefused(f"{file} is not there: name a CSV file")
    read = BulkFile.read(file.read_bytes())
    with _open(data, database) as (ledger, _):
        done = pay_bulk(ledger, read, bank)
    out.write_bytes(done.report())
    told = {
        "lines": len(done.lines),
        "paid": done.paid,
        "refused": len(done.lines) - done.paid,
        "sen": done.sen,
    }
    said = f"{done.paid} of {len(done.lines)} lines paid, {display(done.sen)}. A result a line: {out}"
    typer.echo(json.dumps(told, indent=1) if as_json else said)


@contextmanager
def _open(data: Path, database: str | None) -> Iterator[tuple[Ledger, WalletDesk]]:
    from ledger.book import Ledger  # noqa: PLC0415  as above
    from ledger.wallets.blocked import Follower  # noqa: PLC0415
    from ledger.wallets.desk import WalletDesk  # noqa: PLC0415
    from settlement.calendar.cut_off import city_cut_offs  # noqa: PLC0415

    clock = SystemClock()
    with (
        place_of(data, database).database() as found,
        Ledger.open(found, clock, city_cut_offs(found)) as ledger,
    ):
        Follower(ledger).look()
        desk = WalletDesk(ledger, clock)
        desk.resume()
        yield ledger, desk


def _tell(ledger: Ledger, card: str, *, as_json: bool) -> None:
    from ledger.orders.answers import available  # noqa: PLC0415  as above
    from ledger.orders.order import wallet_of  # noqa: PLC0415

    wallet = wallet_of(card)
    held, rules = ledger.balance(wallet), ledger.rules(wallet)
    told: dict[str, Any] = {
        "card": card, "sen": held.credits_posted - held.debits_posted, "held": held.debits_pending, "available": available(held),
        "ceiling": rules.ceiling, "monthly": rules.monthly, "rules": str(rules.flags.name or "").lower().split("|"),
    }  # fmt: skip
    words = ", ".join(told["rules"]).replace("_", " ")
    line = f"{card}: {display(Sen(told['sen']))}"
    typer.echo(json.dumps(told, indent=1) if as_json else f"{line}, {told['held']} sen held; {words}")
