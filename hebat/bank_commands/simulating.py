"""A bank to try the lines against: `hebat bank simulate` runs it, `pay-va` pays there, `statement` writes what it says."""

from __future__ import annotations

import logging
from contextlib import closing
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from hebat.errors import InputRefused
from hebat.ledger_commands.serving import wait
from keys.clock import SystemClock
from keys.hardening import die_with
from keys.money import parse

if TYPE_CHECKING:
    from keys.clock import Clock
    from settlement.partner_bank.bank import PartnerBank

ClientKeyOption = Annotated[
    Path | None,
    typer.Option("--key", help="The client's public key, PEM; without it the folder is made, and no more."),
]
FolderArgument = Annotated[
    Path, typer.Argument(help="The bank's own folder: books, accounts.csv, client.secret.")
]
OutOption = Annotated[Path, typer.Option("--out", help="Where to write it.")]
DayOption = Annotated[datetime, typer.Option("--date", formats=["%Y-%m-%d"], help="Which day.")]


def add_to(app: typer.Typer) -> None:
    """Add these commands to the group of banks."""
    app.command()(simulate)
    app.command("pay-va")(pay_va)
    app.command()(statement)


def simulate(
    folder: FolderArgument,
    key: ClientKeyOption = None,
    port: Annotated[
        int, typer.Option(min=0, max=65535, help="The port on 127.0.0.1; 0 takes a free one.")
    ] = 0,
    dialect: Annotated[str, typer.Option(help="standard, bni, bca or bri.")] = "standard",
    client_id: Annotated[str, typer.Option(help="The client that it lets in.")] = "ksh-client",
    partner_id: Annotated[str, typer.Option(help="The client's partner id.")] = "KSH",
    faults: Annotated[
        str, typer.Option(help="Shares of payments that go wrong, such as lost-after=0.1,twice=0.05.")
    ] = "",
    seed: Annotated[int, typer.Option(help="The dice of the faults.")] = 1,
    hours: Annotated[str, typer.Option(help="When money moves, city time; 0-0 is always.")] = "0-0",
    pause_ms: Annotated[int, typer.Option(min=0, max=60_000, help="How slow each answer is.")] = 0,
    late_seconds: Annotated[
        float, typer.Option(min=0, help="How long an order that is under way (202) takes to its end.")
    ] = 60,
    clock: Annotated[
        Path | None,
        typer.Option(help="A file with the time in milliseconds since 1970, for a story; else the system's."),
    ] = None,
    parent: Annotated[
        int,
        typer.Option(min=0, help="End with the process of this number, which started it, however that ends."),
    ] = 0,
) -> None:
    """Run a partner bank that speaks SNAP strictly on 127.0.0.1 until Ctrl-C, and fails as it is told to."""
    if parent:
        die_with(parent)
    from hebat.bank_commands.simulated import BankFolder, faults_of, hours_of  # noqa: PLC0415  loads httpx where it is needed

    place = BankFolder(folder)
    place.make()
    with closing(place.books()) as books:
        if key is None:
            typer.echo(
                f"{folder}: made. Give {place.secret.name} to `hebat bank add --secret`, then start it with --key."
            )
            return
        bank = place.bank(books, _clock_of(clock), dialect, (client_id, partner_id, key))
        bank.faults, bank.hours = faults_of(faults, seed), hours_of(hours)
        bank.late_ms = round(late_seconds * 1000)
        _serve(bank, pause_ms / 1000, port)


def _serve(bank: PartnerBank, pause_s: float, port: int) -> None:
    from hebat.serving import LoopbackServer  # noqa: PLC0415  as above
    from settlement.partner_bank.asgi import BankApplication  # noqa: PLC0415

    with LoopbackServer(BankApplication(bank, pause_s), port) as server:
        # a line that drops on purpose is no error
        logging.getLogger("uvicorn.error").setLevel(logging.CRITICAL)
        typer.echo(f"{server.address}  (Ctrl-C stops)")
        wait()


def _clock_of(file: Path | None) -> Clock:
    """The system's clock, or a story's."""
    from hebat.story_clock import FileClock  # noqa: PLC0415  as above

    return SystemClock() if file is None else FileClock(file)


def pay_va(
    folder: FolderArgument,
    number: Annotated[str, typer.Option(help="The virtual account.")],
    payer: Annotated[str, typer.Option(help="The account at this bank that pays.")],
    rupiah: Annotated[str, typer.Option(help="How much.")],
    request: Annotated[str, typer.Option(help="The bank's own id: the same one pays once, and tells again.")],
    notify: Annotated[str, typer.Option(help="Where the client hears of it, such as http://127.0.0.1:8460/banks/bni.")],
    account: Annotated[str, typer.Option(help="The client's account.")] = "1000000001",
    partner_id: Annotated[str, typer.Option(help="The client's partner id.")] = "KSH",
    clock: Annotated[Path | None, typer.Option(help="As for simulate.")] = None,
) -> None:  # fmt: skip
    """At a simulated bank, pay into a virtual account and tell the client."""
    from hebat.bank_commands.simulated import BankFolder  # noqa: PLC0415  as above

    payment = (request, number, payer, account, parse(rupiah))
    typer.echo(BankFolder(folder).pay_into(payment, notify, partner_id, _clock_of(clock)))


def statement(
    folder: FolderArgument,
    out: OutOption,
    day: DayOption,
    form: Annotated[str, typer.Option("--format", help="mt940 or camt053.")] = "camt053",
    account: Annotated[str, typer.Option(help="Whose.")] = "1000000001",
) -> None:
    """Write an account's day at a simulated bank as the bank's statement."""
    from hebat.bank_commands import simulated  # noqa: PLC0415  as above

    place = simulated.BankFolder(folder)
    if not place.accounts.exists():
        raise InputRefused(f"{folder} is no bank's folder: make one with `hebat bank simulate {folder}`")
    books = place.books()
    content = simulated.statement(books, account, day.date(), form)
    books.close()
    out.write_bytes(content)
    typer.echo(f"{out}: {len(content)} bytes.")
