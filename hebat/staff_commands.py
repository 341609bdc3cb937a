"""The `hebat staff` commands: who works at the console. Passwords are typed, never an argument; all of it is in the staff's log."""

from __future__ import annotations

import getpass
import json
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from hebat.folder import Folder, no_city
from hebat.logs import configure
from hebat.settings import LogLevel
from keys.clock import SystemClock, UnixMs, local

if TYPE_CHECKING:
    from collections.abc import Iterator

    from settlement.staff.log import Said
    from settlement.staff.office import StaffOffice
    from settlement.staff.store import Person

staff_app = typer.Typer(help="Make, list, reset and disable accounts of the console.", no_args_is_help=True)


@staff_app.callback()
def _quiet() -> None:
    """Make, list, reset and disable accounts of the console."""
    configure(LogLevel.ERROR)


DataOption = Annotated[Path, typer.Option("--data", help="The city's data folder.")]
JsonOption = Annotated[bool, typer.Option("--json", help="Print one JSON document, for machines.")]
NameArgument = Annotated[str, typer.Argument(help="The account's name: a-z, 0-9, . and -.")]
RolesArgument = Annotated[
    str, typer.Argument(help="maker, checker (or both), auditor, or administrator.", show_default=False)
]


@staff_app.command()
def add(
    name: NameArgument,
    data: DataOption,
    roles: Annotated[str, typer.Option(help="maker, checker (or both), auditor, or administrator.")],
) -> None:
    """Take somebody in. The first sign-in asks for a new password and enrols an authenticator."""
    from settlement.staff.roles import read_roles  # noqa: PLC0415  SQLAlchemy loads only where it is needed

    wanted = read_roles(roles)
    with _office(data) as (office, by):
        office.add(name, wanted, _typed(), by)
    typer.echo(f"{name} may sign in at /staff/sign-in, once, with this password; then it must be changed.")


@staff_app.command("list")
def list_(data: DataOption, as_json: JsonOption = False) -> None:
    """List accounts: roles, and how far they are enrolled."""
    with _office(data) as (office, _):
        people = office.people()
    if as_json:
        typer.echo(json.dumps([_told(person) for person in people]))
        return
    for person in people:
        typer.echo(
            f"{person.name:<24} {person.roles:<16} {_state(person):<28} since {_when(person.created_at)}"
        )


@staff_app.command()
def reset(
    name: NameArgument,
    data: DataOption,
    proof: Annotated[str, typer.Option(help="How they proved who they are; it stands in the log.")],
) -> None:
    """Give somebody a new first password, without an authenticator; a disabled account is open again."""
    with _office(data) as (office, by):
        office.reset(name, _typed(), proof, by)
    typer.echo(f"{name} signs in with this password once, then changes it and enrols an authenticator.")


@staff_app.command()
def disable(name: NameArgument, data: DataOption) -> None:
    """Let somebody in no more, from this moment."""
    with _office(data) as (office, by):
        office.disable(name, by)
    typer.echo(f"{name} is disabled, and signed out everywhere.")


@staff_app.command()
def roles(name: NameArgument, roles: RolesArgument, data: DataOption) -> None:
    """Give somebody other roles, who then signs in again."""
    from settlement.staff.roles import read_roles, written  # noqa: PLC0415  as above

    wanted = read_roles(roles)
    with _office(data) as (office, by):
        office.change_roles(name, wanted, by)
    typer.echo(f"{name} is {written(wanted)} now.")


@staff_app.command()
def log(data: DataOption, as_json: JsonOption = False) -> None:
    """Verify the staff's log from its first entry to its last, and print its head."""
    with _office(data) as (office, _):
        entries, head = office.verify_log()
    if as_json:
        typer.echo(json.dumps({"entries": entries, "head": head.hex()}))
    else:
        typer.echo(f"{entries} entries, each chained to the one before; head {head.hex()}")


@contextmanager
def _office(data: Path) -> Iterator[tuple[StaffOffice, Said]]:
    from ledger.store import Database  # noqa: PLC0415  as above
    from settlement.staff.log import Said  # noqa: PLC0415
    from settlement.staff.office import StaffOffice  # noqa: PLC0415
    from settlement.staff.seal import seal_of  # noqa: PLC0415

    folder = Folder(data)
    if not folder.root_certificate.exists():
        raise no_city(data)
    database = Database(folder.database_url)
    try:
        office = StaffOffice(database, seal_of(folder.staff_key), SystemClock())
        yield office, Said(f"shell:{getpass.getuser()}", "shell", "")
    finally:
        database.close()


def _typed() -> str:
    password: str = typer.prompt("Password", hide_input=True, confirmation_prompt=True)
    return password


def _state(person: Person) -> str:
    if person.disabled_at:
        return f"disabled {_when(person.disabled_at)}"
    if person.must_change:
        return "first sign-in to come"
    return "enrolled" if person.enrolled else "no authenticator yet"


def _told(person: Person) -> dict[str, object]:
    return {
        "name": person.name, "roles": person.roles.split(","), "state": _state(person),
        "created_at": person.created_at, "disabled_at": person.disabled_at or None,
    }  # fmt: skip


def _when(at: UnixMs) -> str:
    return local(at).strftime("%Y-%m-%d %H:%M")
