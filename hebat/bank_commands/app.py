"""`hebat bank`: add a line, ask, pay, look after what is open; a bank's own side is in `simulating`."""

from __future__ import annotations

import json
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from hebat.bank_commands import simulating
from hebat.errors import InputRefused
from hebat.ledger_commands.place import DatabaseOption, DataOption, JsonOption, place_of
from hebat.logs import configure
from hebat.settings import LogLevel
from keys.clock import SystemClock
from keys.money import display, parse

if TYPE_CHECKING:
    from collections.abc import Iterator

    from hebat.folder import Folder
    from settlement.banks.desk import PaymentDesk
    from settlement.banks.payment import Record

bank_app = typer.Typer(
    help="Partner banks, host to host: ask, pay, and a bank to try it against.", no_args_is_help=True
)

BankArgument = Annotated[str, typer.Argument(help="The bank's name, as it was added.")]
SecretOption = Annotated[Path, typer.Option("--secret", help="A file with the secret that the bank gave.")]
PublicOption = Annotated[
    Path, typer.Option("--key", help="Where to write our public key, which the bank is told.")
]
SecondsOption = Annotated[float, typer.Option("--seconds", min=0.1, help="How long to wait for an answer.")]


@bank_app.callback()
def _quiet() -> None:
    """Partner banks, host to host: ask, pay, and a bank to try it against."""
    configure(LogLevel.ERROR)


@bank_app.command()
def add(
    name: BankArgument,
    data: DataOption,
    address: Annotated[str, typer.Option(help="Where the bank answers, https://...")],
    secret_file: SecretOption,
    key: PublicOption,
    client_id: Annotated[str, typer.Option(help="Our client id at the bank.")] = "ksh-client",
    partner_id: Annotated[str, typer.Option(help="Our partner id at the bank.")] = "KSH",
    dialect: Annotated[str, typer.Option(help="standard, bni, bca or bri.")] = "standard",
    code: Annotated[int, typer.Option(min=1, max=9999, help="The bank's number in the books.")] = 9,
    account: Annotated[str, typer.Option(help="Our account there.")] = "1000000001",
    authority: Annotated[
        str, typer.Option(help="PEM of who signed the bank's certificate, if the system does not know it.")
    ] = "",
    title: Annotated[str, typer.Option(help="How people call the bank.")] = "",
    service_id: Annotated[str, typer.Option(help="What its virtual accounts begin with, 8 characters.")] = "",
    merchant_id: Annotated[
        str, typer.Option(help="Our merchant id for direct debits; our account without it.")
    ] = "",
    bank_key: Annotated[
        Path | None, typer.Option(help="The bank's public key, PEM: proves what it tells us.")
    ] = None,
) -> None:
    """Add a line to a bank: its secret goes into a vault, our new public key into a file for the bank."""
    from hebat.bank_commands import lines  # noqa: PLC0415  loads httpx where it is needed

    folder = _folder(data, None)
    if not secret_file.exists():
        raise InputRefused(
            f"{secret_file} is not there: the bank gives you a secret, or `hebat bank simulate` makes one"
        )
    public_key = "" if bank_key is None else _read(bank_key).decode("utf-8", "replace")
    partner = lines.Partner(
        name, code, dialect, address, client_id, partner_id, account, authority, title, service_id, public_key, merchant_id,
    )  # fmt: skip
    public = lines.add(folder, partner, secret_file.read_bytes().strip())
    key.write_text(public, encoding="utf-8")
    typer.echo(f"{name}: added. Tell the bank the public key in {key}.")


@bank_app.command()
def balance(name: BankArgument, data: DataOption, account: Annotated[str, typer.Option(help="Another account than ours.")] = "",
    seconds: SecondsOption = 30, database: DatabaseOption = None, as_json: JsonOption = False) -> None:  # fmt: skip
    """Ask what our account at a bank holds."""
    from hebat.bank_commands import lines  # noqa: PLC0415  as above
    from settlement.banks.services import BankServices  # noqa: PLC0415

    with _desk(data, database, seconds) as (folder, desk):
        asked = account or _partner(lines.partners(folder), name).account
        told = BankServices(desk.line(name), lambda: desk.external_ids.next(name)).balance(asked)
    _tell(
        {"account": told.account, "name": told.name, "sen": told.balance},
        f"{told.name} {told.account}: {display(told.balance)}",
        as_json=as_json,
    )


@bank_app.command()
def pay(
    name: BankArgument,
    data: DataOption,
    reference: Annotated[str, typer.Option(help="Our reference, for good: the same one never pays twice.")],
    rupiah: Annotated[str, typer.Option(help="How much, such as 10000 or 10000.50.")],
    to: Annotated[str, typer.Option(help="The account that is paid.")],
    to_bank: Annotated[str, typer.Option(help="The code of another bank; this one without it.")] = "",
    to_name: Annotated[str, typer.Option(help="Whose account it is, at another bank.")] = "",
    text: Annotated[str, typer.Option(help="What the receiver reads.")] = "",
    seconds: SecondsOption = 30,
    database: DatabaseOption = None,
    as_json: JsonOption = False,
) -> None:
    """Pay from our account at a bank; asked again with the same reference, it tells how far the payment is."""
    from hebat.bank_commands import lines  # noqa: PLC0415  as above
    from settlement.banks.payment import Payment  # noqa: PLC0415
    from settlement.snap.codes import Service  # noqa: PLC0415

    with _desk(data, database, seconds) as (folder, desk):
        source = _partner(lines.partners(folder), name).account
        service = Service.INTERBANK if to_bank else Service.INTRABANK
        record = desk.pay(
            Payment(reference, name, service, parse(rupiah), source, to, to_bank, to_name, text)
        )
    _tell(_plain(record), _sentence(record), as_json=as_json)


@bank_app.command()
def payments(data: DataOption, database: DatabaseOption = None, as_json: JsonOption = False) -> None:
    """List all payments, and how far each is. Works beside a server."""
    from settlement.banks import store  # noqa: PLC0415  as above

    with place_of(data, database).database() as opened, opened.transaction() as connection:
        found = store.all_payments(connection)
    _tell([_plain(one) for one in found], "\n".join(map(_sentence, found)) or "No payments.", as_json=as_json)


@bank_app.command()
def resume(
    data: DataOption,
    seconds: SecondsOption = 30,
    database: DatabaseOption = None,
    as_json: JsonOption = False,
) -> None:
    """Look after every open payment: ask the banks what became of it, send what was never sent."""
    with _desk(data, database, seconds) as (_, desk):
        done = desk.resume()
    _tell(
        [_plain(one) for one in done], "\n".join(map(_sentence, done)) or "Nothing is open.", as_json=as_json
    )


simulating.add_to(bank_app)


def _read(path: Path) -> bytes:
    if not path.is_file():
        raise InputRefused(f"{path} is not there: name the file that the bank gave you")
    return path.read_bytes()


def _folder(data: Path, database: str | None) -> Folder:
    folder = place_of(data, database).folder
    assert folder is not None  # noqa: S101  --data is asked for
    return folder


def _partner(known: dict[str, Any], name: str) -> Any:
    if name not in known:
        raise InputRefused(f"there is no bank {name}: add it with `hebat bank add`")
    return known[name]


@contextmanager
def _desk(data: Path, database: str | None, seconds: float) -> Iterator[tuple[Folder, PaymentDesk]]:
    from hebat.bank_commands.lines import lines  # noqa: PLC0415  as above
    from hebat.banking import consents  # noqa: PLC0415
    from ledger.book import Ledger  # noqa: PLC0415
    from ledger.store import Database  # noqa: PLC0415
    from settlement.banks.desk import PaymentDesk  # noqa: PLC0415
    from settlement.calendar.cut_off import city_cut_offs  # noqa: PLC0415

    folder, clock = _folder(data, database), SystemClock()
    books = Database(folder.database_url)
    with (
        lines(folder, clock, seconds) as known,
        Ledger.open(books, clock, city_cut_offs(books)) as ledger,
        consents(folder, ledger, known, clock) as opened,
    ):
        yield folder, PaymentDesk(ledger, known, clock, opened)


def _plain(record: Record) -> dict[str, Any]:
    one = record.payment
    return {
        "reference": one.reference, "bank": one.bank, "service": one.service.name.lower(), "sen": one.amount, "state": record.state.value,
        "code": record.code, "bank_reference": record.bank_reference, "calls": record.attempts,
    }  # fmt: skip


def _sentence(record: Record) -> str:
    one = record.payment
    said = f" ({record.code})" if record.code else ""
    return f"{one.reference}: {display(one.amount)} at {one.bank} is {record.state}{said}, after {record.attempts} call(s)."


def _tell(plain: Any, sentence: str, *, as_json: bool) -> None:
    typer.echo(json.dumps(plain, indent=1) if as_json else sentence)
