"""The `hebat terminals` commands: the back office invites, lists and revokes; a device enrols and renews itself.

The back office's commands work while a server runs: what they write holds from the next request on.
"""

from __future__ import annotations

import json
from dataclasses import asdict
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from hebat.errors import InputRefused
from hebat.folder import Folder, no_city
from hebat.logs import configure
from hebat.settings import LogLevel
from keys.clock import SystemClock, local
from keys.money import Rupiah
from keys.rights import TerminalRole

if TYPE_CHECKING:
    from hebat.fleet import Standing
    from keys.clock import UnixMs
    from ledger.store import Database

terminals_app = typer.Typer(help="Invite, enrol, renew, list and revoke terminals.", no_args_is_help=True)


@terminals_app.callback()
def _quiet() -> None:
    """Invite, enrol, renew, list and revoke terminals."""
    configure(LogLevel.ERROR)  # a refusal is said once, as the command's own error


DataOption = Annotated[Path, typer.Option("--data", help="The city's data folder.")]
JsonOption = Annotated[bool, typer.Option("--json", help="Print one JSON document, for machines.")]
DeviceOption = Annotated[Path, typer.Option("--folder", help="The terminal's own folder on this device.")]
LedgerOption = Annotated[str, typer.Option("--ledger", help="The ledger, such as http://127.0.0.1:8460.")]
SecretOption = Annotated[
    Path | None,
    typer.Option(help="The file of the device's secret (32 random bytes); beside the folder without it."),
]
NumberArgument = Annotated[int, typer.Argument(min=1, help="The terminal's number.")]


class TerminalClass(StrEnum):
    """What people call a terminal; a bus and a gate are validators, a till is a merchant's."""

    BUS = "bus"
    GATE = "gate"
    CONDUCTOR = "conductor"
    TILL = "till"
    KIOSK = "kiosk"


_ROLES = {
    TerminalClass.BUS: TerminalRole.VALIDATOR,
    TerminalClass.GATE: TerminalRole.VALIDATOR,
    TerminalClass.CONDUCTOR: TerminalRole.CONDUCTOR,
    TerminalClass.TILL: TerminalRole.MERCHANT,
    TerminalClass.KIOSK: TerminalRole.KIOSK,
}


@terminals_app.command()
def invite(
    number: NumberArgument,
    data: DataOption,
    kind: Annotated[TerminalClass, typer.Option("--class", help="What it is.")],
    owner: Annotated[
        int, typer.Option("--operator", "--owner", min=1, help="Whose it is: operator, merchant or agent.")
    ],
    limit: Annotated[
        int | None, typer.Option(min=1, help="Rupiah that it may move in a service day.")
    ] = None,
    route: Annotated[
        list[int] | None, typer.Option(help="A route number that it may take fares on; any without it.")
    ] = None,
    loads: Annotated[bool, typer.Option(help="A validator that writes loads ordered from wallets.")] = False,
    hours: Annotated[int, typer.Option(min=1, max=720, help="How long the code is good.")] = 48,
    as_json: JsonOption = False,
) -> None:
    """Print a code that enrols one terminal, once. It is shown here only."""
    from hebat.cardholding import OWNERS  # noqa: PLC0415  SQLAlchemy loads only where it is needed
    from hebat.configurations import configuration_of  # noqa: PLC0415  as above
    from hebat.fleet import Post  # noqa: PLC0415
    from ledger.enrolment.desk import invite as invite_  # noqa: PLC0415

    role = _ROLES[kind]
    post = Post(number, role, owner, None if limit is None else Rupiah(limit), tuple(route or ()), loads)
    now = SystemClock().now()
    root = _root(data)
    # What a terminal of nobody takes in would find no bank account in the night.
    configuration_of(Folder(data)).participants.party(OWNERS[role], owner)
    ticket = invite_(_database(data), root, post.invitation, now, hours)
    if as_json:
        typer.echo(json.dumps({"terminal": number, "role": role, "code": str(ticket), "hours": hours}))
    else:
        typer.echo(f"{ticket}\nEnrols terminal {number} as a {role} of {owner}, once, within {hours} hours.")


@terminals_app.command()
def enrol(
    folder: DeviceOption,
    ledger: LedgerOption,
    code: Annotated[str, typer.Option(prompt=True, help="The code that the back office gave.")],
    secret: SecretOption = None,
) -> None:
    """Make this device a terminal: its key is made here, sealed with the device's secret, and never leaves."""
    from keys.ticket import Ticket  # noqa: PLC0415
    from terminals.opening import client_of, device_of  # noqa: PLC0415  as above

    ticket = Ticket.read(code)
    with client_of(_address(ledger)) as client:
        certificate = device_of(folder, secret).enrol(client, ticket)
    typer.echo(
        f"terminal {certificate.terminal} is enrolled as a {certificate.role} until {_day(certificate.not_after)}"
    )
    typer.echo(f"next, its keys: hebat terminals keys --folder {folder}, with --ledger and --secret as here")


@terminals_app.command()
def renew(folder: DeviceOption, ledger: LedgerOption, secret: SecretOption = None) -> None:
    """Renew this device's certificate now; a terminal at work does so by itself."""
    from terminals.opening import client_of, enrolled_device  # noqa: PLC0415  as above

    device = enrolled_device(folder, secret)
    with client_of(_address(ledger)) as client:
        certificate = device.renew(client, SystemClock().now())
    typer.echo(f"terminal {certificate.terminal} has a certificate until {_day(certificate.not_after)}")


@terminals_app.command("keys")
def take_keys(folder: DeviceOption, ledger: LedgerOption, secret: SecretOption = None) -> None:
    """Give this device the newest versions of the card keys that its role holds; a terminal at work asks by itself.

    They travel sealed to this device. Versions that the city has retired are used here no more.
    """
    from terminals import opening  # noqa: PLC0415  as above

    device = opening.enrolled_device(folder, secret)
    with opening.client_of(_address(ledger)) as client:
        taken = opening.take_keys(device, client, SystemClock())
    for sign, ones in (("now here", taken.came), ("in use no more", taken.went)):
        for one in ones:
            typer.echo(f"{one.label} version {one.version}, check value {one.check_value.hex()}: {sign}")
    if not taken.came and not taken.went:
        typer.echo("this device has the newest keys already")


@terminals_app.command("list")
def list_(data: DataOption, as_json: JsonOption = False) -> None:
    """List terminals: what each may do, until when, and whether it was revoked."""
    from hebat.fleet import standings  # noqa: PLC0415  as above

    found = standings(_database(data), _root(data), SystemClock().now())
    if as_json:
        typer.echo(json.dumps([asdict(one) for one in found], indent=1))
        return
    for one in found:
        typer.echo(_line(one))


@terminals_app.command()
def revoke(number: NumberArgument, data: DataOption) -> None:
    """Put a terminal on the revocation list: its next batch is refused, and kept."""
    from ledger.intake.registry import revoke as revoke_  # noqa: PLC0415  as above

    revoke_(_database(data), number, SystemClock().now())
    typer.echo(
        f"terminal {number} is revoked: what it sends from now on is refused and kept; its number is not given again"
    )


def _line(one: Standing) -> str:
    routes = f" on routes {', '.join(map(str, one.routes))}" if one.routes else ""
    does = f"{'+'.join(one.kinds)} up to Rp{one.daily_limit:,} a day".replace(",", ".")
    return f"{one.terminal:>8}  {one.state:<8}  {one.role:<10} of {one.owner:<6} until {one.until}  {does}{routes}"


def _day(at: UnixMs) -> str:
    return f"{local(at):%Y-%m-%d}"


def _root(data: Path) -> bytes:
    path = Folder(data).root_certificate
    if not path.exists():
        raise no_city(data)
    return path.read_bytes()


def _database(data: Path) -> Database:
    from ledger.store import Database  # noqa: PLC0415  as above

    _root(data)
    return Database(Folder(data).database_url)


def _address(ledger: str) -> str:
    if not ledger.startswith(("http://", "https://")):
        raise InputRefused(f"{ledger!r} is no server's address: write it as http://127.0.0.1:8460")
    return ledger
